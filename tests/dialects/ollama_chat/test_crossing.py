"""Requests of other dialects said to Ollama, its own said in others, and the replies on their way back."""

import json

import pytest
from anthropic.types import Message as AnthropicMessage
from cohere.core.unchecked_base_model import construct_type
from cohere.v2.types import V2ChatResponse
from openai.types.chat import ChatCompletion

from dialects.ollama_chat.laws import FIXTURES, OWN, cases, needs_recordings, parse, read, recorded
from headgate.core import events as ev
from headgate.core.errors import InvalidRequest, ProviderError, Unsupported
from headgate.dialects import anthropic_messages, cohere_chat, openai_chat
from headgate.dialects import ollama_chat as dialect
from headgate.dialects.dialect import crossed
from headgate.dialects.ollama_chat import generate
from together import together

ASK = {"role": "user", "content": "hi"}
FUNCTION = {"name": "f", "description": "d", "parameters": {"type": "object", "properties": {"x": {}}}}
TOOL = {"type": "function", "function": FUNCTION}
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}}
PIXEL = "data:image/png;base64,iVBORw0KGgo="
OTHERS = [anthropic_messages, cohere_chat, openai_chat]
TAKEN = {
    anthropic_messages: AnthropicMessage.model_validate,
    cohere_chat: lambda value: construct_type(type_=V2ChatResponse, object_=value),
    openai_chat: ChatCompletion.model_validate,
}
each = together("other", OTHERS)


def cross(source, target, fields):
    lost = []
    return json.loads(crossed(target, source.read_request(fields), lost)), [loss.path for loss in lost]


def tried(source, target, fields):
    """What is written; None where the request is refused, by the name of its field."""
    try:
        return cross(source, target, fields)[0]
    except Unsupported as error:
        param = error.param
    assert param
    return None


def to_ollama(*messages, **fields):
    return cross(openai_chat, dialect, {"model": "m", "messages": list(messages) or [ASK], **fields})


def from_claude(*messages, **fields):
    return cross(anthropic_messages, dialect, {"model": "m", "max_tokens": 9, "messages": list(messages), **fields})


def features(of, kind):
    path = FIXTURES.parents[1] / of.name / "fixtures" / "features" / f"{kind}.json"
    return [
        pytest.param(of, body, id=f"{of.name}-{name}")
        for rows in json.loads(path.read_bytes()).values()
        for name, body in rows.items()
    ]


# --- requests to Ollama


@pytest.mark.parametrize("own", list(OWN), ids=lambda own: own.name)
@together(("other", "fields"), [case for other in OTHERS for case in features(other, "requests")])
def test_every_feature_of_another_dialect_is_said_named_or_refused(own, other, fields):
    written = tried(other, own, fields)
    if written is not None:
        assert written["stream"] is bool(fields.get("stream"))
        again = json.loads(own.write_request(own.read_request(written), []))
        assert {"stream": True, **again} == written


def test_the_usual_fields_are_options():
    written, lost = to_ollama(
        {"role": "developer", "content": "be brief"}, ASK, max_tokens=9, top_p=0.9, stop=["x"], seed=1, stream=True
    )
    assert lost == []
    assert written == {
        "model": "m",
        "messages": [{"role": "system", "content": "be brief"}, ASK],
        "options": {"num_predict": 9, "top_p": 0.9, "seed": 1, "stop": ["x"]},
        "stream": True,
    }


def test_each_piece_of_text_is_a_message_with_the_images_before_it():
    image = {"type": "image_url", "image_url": {"url": PIXEL}}
    text = {"type": "text", "text": "a"}
    written, lost = to_ollama({"role": "user", "content": [text, image, text, image]})
    assert lost == []
    assert written["messages"] == [
        {"role": "user", "content": "a"},
        {"role": "user", "content": "a", "images": ["iVBORw0KGgo="]},
        {"role": "user", "content": "", "images": ["iVBORw0KGgo="]},
    ]


def test_calls_and_results():
    turn = {"role": "assistant", "content": "I will.", "tool_calls": [CALL]}
    written, lost = to_ollama(ASK, turn, {"role": "tool", "tool_call_id": "c", "content": "r"}, tools=[TOOL])
    assert lost == []
    call = {"id": "c", "function": {"name": "f", "arguments": {"x": 1}}}
    assert written["messages"][1:] == [
        {"role": "assistant", "content": "I will.", "tool_calls": [call]},
        {"role": "tool", "content": "r", "tool_name": "f", "tool_call_id": "c"},
    ]
    assert written["tools"] == [TOOL]


def test_results_that_are_more_than_text():
    call = {"type": "tool_use", "id": "c", "name": "f", "input": {}}
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
    texts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    result = {"type": "tool_result", "tool_use_id": "c", "is_error": True, "content": [*texts, image]}
    turn = {"role": "user", "content": [result, {"type": "text", "text": "go on"}]}
    written, lost = from_claude(ASK, {"role": "assistant", "content": [call]}, turn)
    assert written["messages"][2:] == [
        {"role": "tool", "content": "Error: a\n\nb", "tool_name": "f", "tool_call_id": "c"},
        {"role": "user", "content": "go on", "images": ["AAAA"]},
    ]
    place = "messages[2].content[0]"
    assert lost == [f"{place}.content[2]", f"{place}.is_error", f"{place}.content"]


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "f"}}])
def test_a_tool_cannot_be_forced(choice):
    with pytest.raises(Unsupported) as caught:
        to_ollama(tools=[TOOL], tool_choice=choice)
    assert caught.value.param == "tool_choice"


def test_no_tool_is_no_tools():
    written, lost = to_ollama(tools=[TOOL], tool_choice="none")
    assert "tools" not in written
    assert lost == ["tools[0]"]
    assert to_ollama(tools=[TOOL], tool_choice="auto")[0]["tools"] == [TOOL]


@pytest.mark.parametrize(
    ("effort", "said", "named"),
    [("none", False, []), ("low", "low", []), ("xhigh", "high", ["reasoning_effort"])],
)
def test_effort_is_a_level(effort, said, named):
    written, lost = to_ollama(reasoning_effort=effort)
    assert (written["think"], lost) == (said, named)


def test_a_budget_is_thinking():
    written, lost = from_claude(ASK, thinking={"type": "enabled", "budget_tokens": 1024})
    assert written["think"] is True
    assert lost == ["thinking.budget_tokens"]
    assert from_claude(ASK, thinking={"type": "disabled"})[0]["think"] is False


def test_a_schema_is_the_format():
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True}}
    assert to_ollama(response_format=form)[0]["format"] == {"type": "object"}
    assert to_ollama(response_format={"type": "json_object"})[0]["format"] == "json"
    assert "format" not in to_ollama(response_format={"type": "text"})[0]


def test_thinking_that_nobody_signed_goes_along():
    written, lost = to_ollama(ASK, {"role": "assistant", "reasoning_content": "hm", "content": "a"}, ASK)
    assert written["messages"][1] == {"role": "assistant", "content": "a", "thinking": "hm"}
    assert lost == []
    signed = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
    written, lost = from_claude(ASK, {"role": "assistant", "content": [signed, {"type": "text", "text": "a"}]}, ASK)
    assert written["messages"][1] == {"role": "assistant", "content": "a"}
    assert lost == ["messages[1].content[0]"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2}, "n"),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools[0]"),
        ({"web_search_options": {"x": 1}}, "web_search_options"),
        ({"modalities": ["text", "audio"]}, "modalities"),
    ],
)
def test_what_would_change_the_meaning_is_refused(fields, param):
    with pytest.raises(Unsupported) as caught:
        to_ollama(**fields)
    assert caught.value.param == param


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA"}},
        {"type": "video_url", "video_url": {"url": "https://example.com"}},
    ],
)
def test_what_ollama_cannot_read_is_refused(part):
    with pytest.raises(Unsupported) as caught:
        to_ollama({"role": "user", "content": [part]})
    assert caught.value.param == "messages[0].content[0]"


def test_arguments_must_be_an_object():
    broken = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "no"}}
    with pytest.raises(Unsupported) as caught:
        to_ollama(ASK, {"role": "assistant", "tool_calls": [broken]})
    assert caught.value.param == "messages[1].content[0]"


def test_generate_answers_one_question():
    fields = {"model": "m", "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "a"}]}
    written, lost = cross(openai_chat, generate, fields)
    assert (written, lost) == ({"model": "m", "stream": False, "system": "s", "prompt": "a"}, [])
    for more, param in (
        ({"messages": [ASK, {"role": "assistant", "content": "x"}, ASK]}, "messages"),
        ({"tools": [TOOL]}, "tools"),
    ):
        with pytest.raises(Unsupported) as caught:
            cross(openai_chat, generate, {**fields, **more})
        assert caught.value.param == param


# --- requests of Ollama's clients


@each
@cases("requests")
def test_its_requests_can_be_said_elsewhere(other, own, path):
    fields = json.loads(path.read_bytes())
    written = tried(own, other, fields)
    if written is None:
        only_ollama = {"raw", "context", "template", "suffix", "tools_unknown", "load"}
        assert path.stem in only_ollama or (path.stem in ("logprobs", "options") and other is anthropic_messages)
        return
    assert bool(written.get("stream")) is (fields.get("stream") is not False)
    if path.stem.startswith("tool_turn"):
        assert "sunny" in json.dumps(written)


@each
@pytest.mark.parametrize("own", list(OWN), ids=lambda own: own.name)
@needs_recordings
def test_recorded_requests_cross(own, other):
    seen = 0
    for exchange in recorded(own):
        fields = (exchange.get("request") or {}).get("body")
        if isinstance(fields, dict):
            written = tried(own, other, fields)
            assert written is None or written["messages"]
            seen += written is not None
    assert seen >= (40 if own is dialect else 4)


# --- replies


@each
@cases("whole")
def test_its_replies_are_taken_by_other_vendors_sdks(other, own, path):
    events = read(own, path.read_bytes(), False)
    writer = other.writer(False, {}, [])
    body = writer.feed(events) + writer.end()
    TAKEN[other](json.loads(body))
    back = other.reader(False)
    after = back.feed(body) + back.end()
    assert said(after) == said(events)


@each
@cases("streams")
def test_its_streams_reach_other_clients(other, own, path):
    events = read(own, path.read_bytes(), True)
    writer = other.writer(True, {"stream_options": {"include_usage": True}}, [])
    written = writer.feed(events) + writer.end()
    reader = other.reader(True)
    after = reader.feed(written) + reader.end()
    if isinstance(events[-1], ev.Failed):
        assert isinstance(after[-1], ev.Failed) or after[-1].reason == "cut"
    else:
        assert said(after) == said(events)


def said(events):
    text = "".join(event.text for event in events if isinstance(event, ev.Text))
    thoughts = "".join(event.text for event in events if isinstance(event, ev.Thinking))
    calls = [(event.id, event.name) for event in events if isinstance(event, ev.ToolCall)]
    given = "".join(event.json for event in events if isinstance(event, ev.ToolInput))
    used = [(event.usage.prompt, event.usage.completion) for event in events if isinstance(event, ev.Used)]
    return text, thoughts, calls, given, [pair for pair in used[-1:] if any(pair)], events[-1].reason


@pytest.mark.parametrize("stream", [True, False])
@together(("other", "body"), [case for other in OTHERS for case in features(other, "replies")])
def test_every_reply_of_another_dialect_is_taken_by_its_sdk(other, body, stream):
    reader = other.reader(False)
    try:
        events = reader.feed(json.dumps(body).encode()) + reader.end()
    except (ProviderError, InvalidRequest):
        return
    writer = dialect.writer(stream, {}, [])
    written = writer.feed(events) + writer.end()
    parsed = parse(dialect, written, stream)
    assert parsed[-1].done
    first = [event for event in events if event.choice == 0]
    texts = "".join(event.text for event in first if isinstance(event, ev.Text | ev.Refusal))
    assert "".join(part.message.content for part in parsed) == texts
    used = [event.usage for event in events if isinstance(event, ev.Used)]
    if used:
        assert (parsed[-1].prompt_eval_count, parsed[-1].eval_count) == (used[-1].prompt, used[-1].completion)
