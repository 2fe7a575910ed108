"""What one dialect says reaches the other and comes back, except what is named as lost."""

import json
from functools import cache
from pathlib import Path

import pytest
from anthropic.types import Message as AnthropicMessage
from anthropic.types import RawMessageStreamEvent
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import TypeAdapter

from headgate.core import events as ev
from headgate.core.chat import Document, Image, NativePart, PlainText, Refusal, Text, ToolCall, ToolChoice, ToolResult
from headgate.core.errors import InvalidRequest, ProviderError, Unsupported
from headgate.dialects import anthropic_messages, openai_chat
from headgate.dialects.anthropic_messages.words import safe_id
from headgate.dialects.dialect import crossed as in_dialect

HERE = Path(__file__).parent
RECORDED = Path(__file__).parents[3] / "shared" / "recorded" / "exchanges"
OTHER = {anthropic_messages: openai_chat, openai_chat: anthropic_messages}
STREAM_EVENT = TypeAdapter(RawMessageStreamEvent)
MODEL = "claude-opus-4-5"
FINISHES = {"context": "length", "pause": "stop", "stop_sequence": "stop"}
"""What OpenAI's API has fewer words for."""


def cases(kind):
    """(dialect, file) of both dialects' fixtures in the folders of this kind."""
    found = [(d, p) for d in OTHER for p in sorted((HERE / d.name / "fixtures").glob(f"{kind}*/*"))]
    return pytest.mark.parametrize(("own", "path"), found, ids=[f"{d.name}-{p.stem}" for d, p in found])


def features(kind):
    """(dialect, body) of the features that the fidelity page shows."""
    found = []
    for own in OTHER:
        groups = json.loads((HERE / own.name / "fixtures" / "features" / f"{kind}.json").read_bytes())
        found += [
            pytest.param(own, body, id=f"{own.name}-{name}") for rows in groups.values() for name, body in rows.items()
        ]
    return pytest.mark.parametrize(("own", "body"), found)


# --- requests


def parts_said(parts):
    """Pieces of a turn: neighbouring texts joined, everything else with what identifies it."""
    said = []
    for part in parts:
        match part:
            case Text(text=text) | Refusal(text=text) | Document(source=PlainText(text=text)):
                if said and isinstance(said[-1], str):
                    said[-1] += text
                elif text:
                    said.append(text)
            case ToolCall():
                said.append(("call", safe_id(part.id), part.name, arguments(part.arguments)))
            case ToolResult():
                said.append(("result", safe_id(part.id), parts_said(part.parts)))
            case Image(source=source) | Document(source=source):
                said.append(source)
            case NativePart():
                said.append(("native", json.dumps(part.value)))
    return said


def arguments(text):
    try:
        return json.loads(text or "{}")
    except ValueError:
        return text


def summary(request):
    """What a request means, in words both dialects have: field → value."""
    system, turns = [], []
    for message in request.messages:
        said = parts_said(message.parts)
        role = "user" if message.role == "tool" else message.role
        if role in ("system", "developer"):
            system += said
        elif turns and turns[-1][0] == role:
            turns[-1][1].extend(said)
        elif said:
            turns.append((role, said))
    nothing = {"type": "object", "properties": {}}
    choice, form = request.tool_choice or ToolChoice(kind="auto"), request.format
    if choice.kind == "allowed" and set(choice.names) == {tool.name for tool in request.tools}:
        choice = ToolChoice(kind=choice.mode)
    fields = {
        "system": "".join(map(str, system)),
        "messages": [(role, join(said)) for role, said in turns],
        "tools": [(tool.name, tool.description, tool.schema or nothing, tool.builtin) for tool in request.tools],
        "tool_choice": (choice.kind, choice.name, choice.names) if request.tools else None,
        "parallel_tool_calls": request.parallel_tool_calls is False and bool(request.tools),
        "response_format": (form.kind, form.schema) if form and form.kind != "text" else None,
        "stop": request.stop,
        "effort": request.reasoning.effort if request.reasoning else None,
        "metadata": request.metadata,
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "top_k": request.top_k,
        "n": request.n or 1,
        "stream": request.stream,
        "user": request.user,
        "service_tier": request.service_tier,
    }
    for name in ("seed", "frequency_penalty", "presence_penalty", "logprobs", "top_logprobs"):
        fields[name] = getattr(request, name) or None
    return fields


def join(said):
    joined = []
    for piece in said:
        if joined and isinstance(piece, str) and isinstance(joined[-1], str):
            joined[-1] += piece
        else:
            joined.append(piece)
    return joined


NAMES = {
    "system": ("system", "messages", ".role"),
    "messages": ("messages", "system"),
    "effort": ("reasoning", "thinking", "output_config", "effort"),
    "stop": ("stop",),
    "top_logprobs": ("logprobs",),
    "tool_choice": ("tool_choice", "tools["),
}


def there_and_back(own, fields):
    """The request, what came back of it, and the paths named as lost on both ways."""
    lost = []
    request = own.read_request(fields)
    there = json.loads(in_dialect(OTHER[own], request, lost))
    back = json.loads(own.write_request(OTHER[own].read_request(there), lost))
    return summary(request), summary(own.read_request(back)), [loss.path for loss in lost]


def check(own, fields):
    before, after, lost = there_and_back(own, fields)
    if own is openai_chat and before["max_tokens"] is None:
        after["max_tokens"] = None  # the default of the Messages API, which needs one
    for field, value in before.items():
        if value != after[field]:
            assert any(word in path for path in lost for word in NAMES.get(field, (field,))), (
                field,
                value,
                after[field],
                lost,
            )


@cases("requests")
def test_a_request_loses_exactly_what_is_named(own, path):
    fields = json.loads(path.read_bytes())
    if own is openai_chat:
        fields["model"] = MODEL
    refused = refusal(own, fields)
    assert refused is None or (isinstance(refused, Unsupported) and refused.param and refused.message)


@features("requests")
def test_a_feature_of_a_request_is_carried_named_as_lost_or_refused(own, body):
    refused = refusal(own, body)
    assert refused is None or (isinstance(refused, Unsupported) and refused.param and refused.message)
    if refused is not None:  # the field is named once
        assert not refused.message.startswith(refused.param)


def refusal(own, fields):
    """The law for one request; gives the error where it may not cross."""
    try:
        check(own, fields)
    except InvalidRequest as error:
        return error
    return None


# --- replies


def read(own, data, stream):
    reader = own.reader(stream)
    return reader.feed(data) + reader.end()


def crossed(own, events, stream):
    """The events in the other dialect, and what was lost."""
    lost = []
    request = {"stream": stream, "stream_options": {"include_usage": True}}
    writer = OTHER[own].writer(stream, request, lost)
    return writer.feed(events) + writer.end(), [loss.path for loss in lost]


def told(events):
    """What a reply says in the words both dialects have, of the first choice."""
    text, thinking, calls, usage, stop = "", "", {}, None, None
    for event in events:
        if event.choice:
            continue
        match event:
            case ev.Text() | ev.Refusal():
                text += event.text
            case ev.Thinking():
                thinking += event.text
            case ev.ToolCall():
                calls[event.block] = [event.id, event.name, ""]
            case ev.ToolInput():
                calls[event.block][2] += event.json
            case ev.Used():
                usage = (event.usage.prompt, event.usage.completion, event.usage.cache_read, event.usage.reasoning)
            case ev.Stop():
                stop = event.reason
    stop = FINISHES.get(stop, stop)
    if stop == "stop" and calls:  # OpenAI says "stop" where a tool was forced
        stop = "tool_use"
    return {
        "text": text,
        "thinking": thinking,
        "calls": [(id, name, arguments(given)) for id, name, given in calls.values()],
        "usage": usage if usage and any(usage) else None,
        "stop": stop,
    }


def parse(own, data, stream):
    """The other vendor's SDK takes it."""
    if own is anthropic_messages:
        if not stream:
            return ChatCompletion.model_validate_json(data)
        frames = [frame for frame in data.split(b"\n\n") if frame]
        assert frames.pop() == b"data: [DONE]"
        return [ChatCompletionChunk.model_validate_json(frame.removeprefix(b"data: ")) for frame in frames]
    if not stream:
        return AnthropicMessage.model_validate_json(data)
    return [STREAM_EVENT.validate_json(frame.split(b"data: ", 1)[1]) for frame in data.split(b"\n\n") if frame]


def check_reply(own, events):
    """Both forms of the reply in the other dialect say the same, and are taken by its SDK."""
    before = told(events)
    for stream in (True, False):
        written, lost = crossed(own, events, stream)
        parse(own, written, stream)
        after = told(read(OTHER[own], written, stream))
        if any("input" in path or "arguments" in path for path in lost):
            before["calls"] = after["calls"]
        if before["stop"] == "refusal" or after["stop"] == "refusal":  # a refusal's text decides it
            before["stop"] = after["stop"]
        assert after == before, (stream, lost)


@cases("whole")
def test_a_whole_reply_crosses(own, path):
    check_reply(own, read(own, path.read_bytes(), False))


@features("replies")
def test_a_feature_of_a_reply_crosses(own, body):
    check_reply(own, read(own, json.dumps(body).encode(), False))


@cases("streams")
def test_a_streamed_reply_crosses(own, path):
    try:
        events = read(own, path.read_bytes(), True)
    except ProviderError:
        return  # not a stream of this API; the dialect's own tests say so
    last = events[-1]
    if isinstance(last, ev.Stop) and last.reason != "cut":
        check_reply(own, events)
    else:
        assert b"message_stop" not in (written := crossed(own, events, True)[0])
        assert b"[DONE]" not in written


# --- recorded traffic

needs_recordings = pytest.mark.skipif(not RECORDED.is_dir(), reason="no recorded traffic beside this checkout")
SAID = {anthropic_messages: ("anthropic", "messages"), openai_chat: ("openai", "chat_completions")}
both = pytest.mark.parametrize("own", list(OTHER), ids=lambda own: own.name)


@cache
def recorded(own):
    vendor, api = SAID[own]
    found = [json.loads(path.read_bytes()) for path in sorted((RECORDED / vendor).glob("*.json"))]
    return [exchange for exchange in found if exchange["api"] == api]


@needs_recordings
@both
def test_recorded_requests_cross(own):
    seen = 0
    for exchange in recorded(own):
        fields = (exchange.get("request") or {}).get("body")
        if not isinstance(fields, dict) or exchange["response"]["status"] != 200:
            continue
        if own is openai_chat:
            fields = {**fields, "model": MODEL}
        refused = refusal(own, fields)
        assert refused is None or refused.param, exchange["id"]
        seen += refused is None
    assert seen > 100


@needs_recordings
@both
def test_recorded_replies_cross(own):
    seen = 0
    for exchange in recorded(own):
        reply = exchange["response"]
        stream = "sse" in reply
        if reply["status"] != 200 or not (stream or "data" not in reply["body"]):
            continue
        events = read(own, reply["sse"].encode() if stream else json.dumps(reply["body"]).encode(), stream)
        last = events[-1]
        if isinstance(last, ev.Stop) and last.reason != "cut":
            check_reply(own, events)
            seen += 1
    assert seen > 150
