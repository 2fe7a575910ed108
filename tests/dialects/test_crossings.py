"""What one dialect says reaches every other and comes back, except what is named as lost."""

import base64
import contextlib
import json
from functools import cache
from pathlib import Path

import msgspec
import pytest

from headgate.core import events as ev
from headgate.core.chat import (
    Bytes,
    Document,
    Image,
    NativePart,
    PlainText,
    Refusal,
    Text,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from headgate.core.errors import InvalidRequest, ProviderError, Unsupported
from headgate.dialects.dialect import crossed, dialects
from recordings.replies import RECORDED, needs_recordings, recorded_reply
from together import together

HERE = Path(__file__).parent
MODELS = {
    "anthropic_messages": "claude-opus-4-6",
    "bedrock_converse": "anthropic.claude-opus-4-6-v1",
    "gemini_generate": "gemini-2.5-pro",
    "": "gpt-5.1",
}
"""What is asked where the request is in this dialect: some rules are a model's."""
FINISHES = {"context": "length", "pause": "stop", "stop_sequence": "stop"}
"""What some APIs have fewer words for."""


def has_fixtures(dialect):
    return dialect.operation == "chat" and (HERE / dialect.name / "fixtures" / "features").is_dir()


CHATS = [dialect for dialect in dialects() if has_fixtures(dialect)]
pairs = together(
    ("own", "other"),
    [pytest.param(own, other, id=f"{own.name}-{other.name}") for own in CHATS for other in CHATS if own is not other],
)


def fixtures(own, kind):
    """(name, content) of a dialect's files in the folder of this kind."""
    return [(path.stem, path.read_bytes()) for path in sorted((HERE / own.name / "fixtures" / kind).glob("*.json"))]


def features(own, kind):
    """(name, body) of the features that the fidelity page shows."""
    groups = json.loads((HERE / own.name / "fixtures" / "features" / f"{kind}.json").read_bytes())
    return [(name, body) for rows in groups.values() for name, body in rows.items()]


def every(check, cases):
    """All cases are tried; what is wrong with each is told together."""
    wrong = []
    for name, case in cases:
        try:
            check(case)
        except (AssertionError, ValueError, KeyError, TypeError) as error:
            wrong.append(f"{name}: {type(error).__name__}: {error}")
    assert not wrong, "\n\n".join(wrong)


# --- requests


def parts_said(parts):
    """Pieces of a turn: neighbouring texts joined, everything else with what identifies it."""
    said = []
    for part in parts:
        match part:
            case Text(text=text) | Refusal(text=text) | Document(source=PlainText(text=text)):
                if said and isinstance(said[-1], str):
                    said[-1] += text.strip()
                elif text.strip():
                    said.append(text.strip())
            case ToolCall():
                said.append(
                    ("call", part.name, {"input": part.arguments} if part.custom else arguments(part.arguments))
                )
            case ToolResult():
                said.append(("result", parts_said(part.parts)))
            case Document(source=Bytes(base64=data, media_type="text/plain")):
                said.append(base64.b64decode(data).decode().strip())
            case Image(source=Bytes(base64=data)):  # of what kind is seen by its first bytes, whatever was said
                said.append(("image", data))
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
    choice, form = request.tool_choice or ToolChoice(kind="auto"), request.format
    tools = [] if choice.kind == "none" else request.tools  # no tools at all say the same
    if choice.kind == "tool":  # and so does the only one where one is required
        tools = [tool for tool in tools if tool.name == choice.name] or tools
        choice = ToolChoice(kind="required") if len(tools) == 1 else choice
    if choice.kind == "allowed" and set(choice.names) == {tool.name for tool in request.tools}:
        choice = ToolChoice(kind=choice.mode)
    fields = {
        "system": "".join(map(str, system)),
        "messages": [(role, join(said)) for role, said in turns],
        "tools": [(tool.name, tool.description or None, schema_of(tool), builtin_of(tool)) for tool in tools],
        "tool_choice": (choice.kind, choice.name, choice.names) if tools else None,
        "parallel_tool_calls": request.parallel_tool_calls is False and bool(tools),
        "response_format": (form.kind, opened(form.schema)) if form and form.kind != "text" else None,
        "stop": request.stop,
        "effort": effort_of(request.reasoning),
        "metadata": request.metadata,
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "top_k": request.top_k,
        "n": request.n or 1,
        "stream": request.stream,
        "user": request.user,
        "service_tier": None if request.service_tier == "auto" else request.service_tier,
    }
    for name in ("seed", "frequency_penalty", "presence_penalty", "logprobs", "top_logprobs"):
        fields[name] = getattr(request, name) or None
    return fields


def effort_of(reasoning):
    return (reasoning.effort or (reasoning.budget and "as many tokens")) if reasoning else None


FREE_FORM = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}
"""What a custom tool is said as where there are only functions."""


def is_custom(tool):
    return tool.builtin is not None and tool.builtin.get("type") == "custom"


def schema_of(tool):
    return FREE_FORM if is_custom(tool) else opened({"type": "object", "properties": {}, **(tool.schema or {})})


def opened(schema):
    """Without the mark that closes an object: models that are held to a schema give no other properties anyway."""
    if isinstance(schema, dict):
        closed = schema.get("additionalProperties") is False
        return {key: opened(inner) for key, inner in schema.items() if not (closed and key == "additionalProperties")}
    return [opened(inner) for inner in schema] if isinstance(schema, list) else schema


def builtin_of(tool):
    return None if is_custom(tool) else tool.builtin


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
    "response_format": ("response_format", "json_schema", "text.format"),
    "tool_choice": ("tool_choice", "tools["),
}


def body_of(dialect, request, lost):
    """A request said in a dialect, with what its URL would say put in."""
    request = msgspec.structs.replace(request, model=MODELS.get(dialect.name, MODELS[""]))
    fields = json.loads(crossed(dialect, request, lost))
    return {**fields, "model": request.model, "stream": request.stream} if dialect.in_url else fields


def there_and_back(own, other, fields):
    """The request, what came back of it, and the paths named as lost on both ways."""
    lost = []
    request = own.read_request(fields)
    there = body_of(other, request, lost)
    back = body_of(own, other.read_request(there), lost)
    return summary(request), summary(own.read_request(back)), [loss.path for loss in lost]


def check_request(own, other, fields):
    """Raises AssertionError for a field that is another after the crossing and not named; a refusal names its field."""
    if own.in_url:
        fields = {"model": "m", "stream": False, **fields}
    try:
        before, after, lost = there_and_back(own, other, fields)
    except Unsupported as error:
        refusal = error
    else:
        refusal = None
    if refusal is not None:
        assert refusal.param, refusal.message
        return
    if before["max_tokens"] is None:
        after["max_tokens"] = None  # the default of APIs that need one
    if "as many tokens" in (before["effort"], after["effort"]) and after["effort"]:
        after["effort"] = before["effort"]  # some count effort in tokens, some in words
    before["user"] = before["user"] or after["user"]  # said in another of the fields there are for it
    for field, value in before.items():
        if value != after[field]:
            named = any(word in path for path in lost for word in NAMES.get(field, (field,)))
            assert named, (field, value, after[field], lost)


@pairs
def test_a_request_loses_exactly_what_is_named(own, other):
    every(lambda data: check_request(own, other, json.loads(data)), fixtures(own, "requests"))


@pairs
def test_a_feature_of_a_request_is_carried_named_as_lost_or_refused(own, other):
    every(lambda fields: check_request(own, other, fields), features(own, "requests"))


# --- replies


def read(own, data, stream):
    reader = own.reader(stream)
    return reader.feed(data) + reader.end()


def told(events):
    """What a reply says in the words all dialects have, of the first choice."""
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
                calls[event.block] = [event.name, ""]
            case ev.ToolInput():
                calls[event.block][1] += event.json
            case ev.Used():
                usage = (event.usage.prompt, event.usage.completion)
            case ev.Stop():
                stop = event.reason
    stop = FINISHES.get(stop, stop)
    if stop == "stop" and calls:  # OpenAI says "stop" where a tool was forced
        stop = "tool_use"
    return {
        "text": text,
        "thinking": thinking,
        "calls": [(name, arguments(given)) for name, given in calls.values()],
        "usage": usage if usage and any(usage) else None,
        "stop": stop,
    }


def check_reply(own, other, events):
    """Both forms of the reply in the other dialect say the same; what does not is named."""
    for stream in (True, False):
        lost = []
        writer = other.writer(stream, {"stream": stream, "stream_options": {"include_usage": True}, "alt": "sse"}, lost)
        written = writer.feed(events) + writer.end()
        before, after = told(events), told(read(other, written, stream))
        paths = [loss.path for loss in lost]
        if before["stop"] == "refusal" or after["stop"] == "refusal":  # a refusal's text decides it
            before["stop"] = after["stop"]
        for field, value in before.items():
            if value != after[field]:
                named = any(word in path for path in paths for word in REPLY_NAMES[field])
                assert named, (stream, field, value, after[field], paths)


REPLY_NAMES = {
    "text": ("text", "content"),
    "thinking": ("thinking", "reasoning"),
    "calls": ("input", "arguments", "tool", "functionCall"),
    "usage": ("usage",),
    "stop": ("stop", "finish", "tool_calls"),  # that there are calls cannot be said where they are lost
}


def check_whole(own, other, data):
    """Some are errors with status 200: those are no replies to be said in another dialect."""
    try:
        events = read(own, data, False)
    except ProviderError:
        return
    check_reply(own, other, events)


@pairs
def test_a_whole_reply_crosses(own, other):
    every(lambda data: check_whole(own, other, data), fixtures(own, "whole"))


@pairs
def test_a_feature_of_a_reply_crosses(own, other):
    every(lambda body: check_whole(own, other, json.dumps(body).encode()), features(own, "replies"))


# --- recorded traffic

SAID = {
    "anthropic_messages": ("anthropic", "messages"),
    "openai_chat": ("openai", "chat_completions"),
    "openai_responses": ("openai", "responses"),
    "openai_completions": ("openai", "completions"),
    "gemini_generate": ("gemini", "generateContent"),
    "bedrock_converse": ("bedrock", "converse"),
    "cohere_chat": ("cohere", "chat_v2"),
    "ollama_chat": ("ollama", "ollama_chat"),
}


@cache
def recorded(own):
    vendor, api = SAID[own.name]
    found = [json.loads(path.read_bytes()) for path in sorted((RECORDED / vendor).glob("*.json"))]
    return [exchange for exchange in found if exchange["api"] == api and exchange["response"]["status"] == 200]


@needs_recordings
@pairs
def test_recorded_requests_cross(own, other):
    cases = []
    for exchange in recorded(own):
        fields = (exchange.get("request") or {}).get("body")
        if isinstance(fields, dict):
            given = {**fields, "model": exchange.get("model") or "m", "stream": exchange["stream"]}
            with contextlib.suppress(InvalidRequest):  # some were recorded in another form than the wire's
                own.read_request(given)
                cases.append((exchange["id"], given))
    assert len(cases) > 20
    every(lambda fields: check_request(own, other, fields), cases)


@needs_recordings
@pairs
def test_recorded_replies_cross(own, other):
    seen = 0

    def check(given):
        nonlocal seen
        try:
            events = read(own, *given)
        except ProviderError:
            return  # recorded as sent: not a reply of the API
        last = events[-1]
        if isinstance(last, ev.Stop) and last.reason != "cut":
            check_reply(own, other, events)
            seen += 1

    found = ((exchange["id"], recorded_reply(exchange)) for exchange in recorded(own))
    every(check, [(name, given) for name, given in found if given is not None])
    assert seen > 20
