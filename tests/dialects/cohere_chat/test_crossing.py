"""Requests of other dialects said in Cohere's chat, its own said in others, and the replies on their way back."""

import json

import pytest
from anthropic.types import Message as AnthropicMessage
from openai.types.chat import ChatCompletion

from dialects.cohere_chat.laws import FIXTURES, REQUESTS, WHOLE, named, needs_recordings, parse, read, recorded
from headgate.core import events as ev
from headgate.core.errors import InvalidRequest, ProviderError, Unsupported
from headgate.dialects import anthropic_messages, openai_chat
from headgate.dialects import cohere_chat as dialect
from together import together

ASK = {"role": "user", "content": "hi"}
FUNCTION = {
    "name": "f",
    "description": "d",
    "parameters": {"type": "object", "required": ["x"], "properties": {"x": {}}},
}
TOOL = {"type": "function", "function": FUNCTION}
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"x":1}'}}
OTHERS = [anthropic_messages, openai_chat]
SDK = {anthropic_messages: AnthropicMessage, openai_chat: ChatCompletion}
each = together("other", OTHERS)


def cross(source, target, fields):
    lost = []
    return json.loads(target.write_request(source.read_request(fields), lost)), [loss.path for loss in lost]


def tried(source, target, fields):
    """What is written; None where the request is refused, by the name of its field."""
    try:
        return cross(source, target, fields)[0]
    except Unsupported as error:
        param = error.param
    assert param
    return None


def to_cohere(*messages, **fields):
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


# --- requests to Cohere


@together(("other", "fields"), [case for other in OTHERS for case in features(other, "requests")])
def test_every_feature_of_another_dialect_is_said_named_or_refused(other, fields):
    written = tried(other, dialect, fields)
    if written is None:
        return
    again = json.loads(dialect.write_request(dialect.read_request(written), []))
    assert again == written


def test_the_usual_fields_have_other_names():
    written, lost = to_cohere(
        {"role": "developer", "content": "be brief"},
        ASK,
        max_completion_tokens=9,
        top_p=0.9,
        top_k=3,
        stop=["x"],
        seed=1,
    )
    assert lost == []
    assert written == {
        "model": "m",
        "messages": [{"role": "system", "content": "be brief"}, ASK],
        "max_tokens": 9,
        "p": 0.9,
        "k": 3,
        "seed": 1,
        "stop_sequences": ["x"],
    }


def test_text_beside_calls_is_the_plan():
    turn = {"role": "assistant", "content": "I will.", "tool_calls": [CALL]}
    written, lost = to_cohere(ASK, turn, {"role": "tool", "tool_call_id": "c", "content": "r"}, tools=[TOOL])
    assert lost == []
    assert written["messages"][1:] == [
        {"role": "assistant", "tool_plan": "I will.", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c", "content": "r"},
    ]


def test_results_and_text_of_one_turn_are_two_messages():
    call = {"type": "tool_use", "id": "c", "name": "f", "input": {"x": 1}}
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
    result = {
        "type": "tool_result",
        "tool_use_id": "c",
        "is_error": True,
        "content": [{"type": "text", "text": "no"}, image],
    }
    turn = {"role": "user", "content": [result, {"type": "text", "text": "go on"}]}
    written, lost = from_claude(ASK, {"role": "assistant", "content": [call]}, turn)
    assert lost == ["messages[2].content[0].content[1]", "messages[2].content[0].is_error"]
    assert written["messages"][2] == {"role": "tool", "tool_call_id": "c", "content": "Error: no"}
    assert [part["type"] for part in written["messages"][3]["content"]] == ["text", "image_url", "text"]


def test_documents_to_be_cited_are_documents_and_others_are_text():
    def document(cite):
        source = {"type": "text", "media_type": "text/plain", "data": "Oslo"}
        return {"type": "document", "title": "t", "source": source, "citations": {"enabled": cite}}

    written, lost = from_claude({"role": "user", "content": [document(True), {"type": "text", "text": "q"}]})
    assert written["documents"] == [{"data": {"title": "t", "text": "Oslo"}}]
    assert written["messages"] == [{"role": "user", "content": "q"}]
    assert lost == ["messages[0].content[0]"]
    written, lost = from_claude({"role": "user", "content": [document(False), {"type": "text", "text": "q"}]})
    assert written["messages"][0]["content"] == [{"type": "text", "text": "Oslo"}, {"type": "text", "text": "q"}]
    assert "messages[0].content[0].title" in lost


def test_a_tool_forced_by_name_is_the_only_one_sent():
    other = {"type": "function", "function": {**FUNCTION, "name": "g"}}
    choice = {"type": "function", "function": {"name": "g"}}
    written, lost = to_cohere(tools=[TOOL, other], tool_choice=choice)
    assert [tool["function"]["name"] for tool in written["tools"]] == ["g"]
    assert written["tool_choice"] == "REQUIRED"
    assert lost == ["tools[0]"]
    with pytest.raises(Unsupported) as caught:
        to_cohere(tools=[TOOL], tool_choice=choice)
    assert caught.value.param == "tool_choice"


@pytest.mark.parametrize(("choice", "said"), [("auto", None), ("none", "NONE"), ("required", "REQUIRED")])
def test_other_choices(choice, said):
    assert to_cohere(tools=[TOOL], tool_choice=choice)[0].get("tool_choice") == said


def test_tools_are_strict_together_or_not_at_all():
    strict = {"type": "function", "function": {**FUNCTION, "strict": True}}
    free = {"type": "function", "function": {"name": "g", "strict": True}}
    assert to_cohere(tools=[strict])[0]["strict_tools"] is True
    for tools in ([strict, TOOL], [strict, free]):
        written, lost = to_cohere(tools=tools)
        assert "strict_tools" not in written
        assert "tools[0].function.strict" in lost


@pytest.mark.parametrize(
    ("effort", "said", "named_"),
    [
        ("none", {"type": "disabled"}, []),
        ("low", {"type": "enabled", "token_budget": 2048}, ["reasoning_effort"]),
        ("high", {"type": "enabled"}, ["reasoning_effort"]),
    ],
)
def test_effort_is_a_budget(effort, said, named_):
    written, lost = to_cohere(reasoning_effort=effort)
    assert (written["thinking"], lost) == (said, named_)


def test_a_budget_stays_one():
    thinking = {"type": "enabled", "budget_tokens": 1024}
    assert from_claude(ASK, thinking=thinking)[0]["thinking"] == {"type": "enabled", "token_budget": 1024}


def test_numbers_beyond_the_bounds_are_set_to_them():
    written, lost = to_cohere(top_p=1, frequency_penalty=-0.5, presence_penalty=2)
    assert (written["p"], written["frequency_penalty"], written["presence_penalty"]) == (0.99, 0.0, 1.0)
    assert sorted(lost) == ["frequency_penalty", "presence_penalty", "top_p"]


def test_a_schema_is_said_without_its_name():
    schema = {"type": "object"}
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema, "strict": True}}
    written, lost = to_cohere(response_format=form)
    assert written["response_format"] == {"type": "json_object", "json_schema": schema}
    assert lost == ["response_format.json_schema.name"]


def test_thinking_that_nobody_signed_goes_along():
    written, lost = to_cohere(ASK, {"role": "assistant", "reasoning_content": "hm", "content": "a"}, ASK)
    content = [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "a"}]
    assert written["messages"][1] == {"role": "assistant", "content": content}
    assert lost == []
    signed = {"type": "thinking", "thinking": "hm", "signature": "c2ln"}
    turn = {"role": "assistant", "content": [signed, {"type": "text", "text": "a"}]}
    written, lost = from_claude(ASK, turn, ASK)
    assert written["messages"][1] == {"role": "assistant", "content": "a"}
    assert lost == ["messages[1].content[0]"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2}, "n"),
        ({"stop": list("abcdef")}, "stop"),
        ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools[0]"),
        ({"web_search_options": {"x": 1}}, "web_search_options"),
        ({"modalities": ["text", "audio"]}, "modalities"),
    ],
)
def test_what_would_change_the_meaning_is_refused(fields, param):
    with pytest.raises(Unsupported) as caught:
        to_cohere(**fields)
    assert caught.value.param == param


@pytest.mark.parametrize(
    "part",
    [
        {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,AAAA"}},
        {"type": "file", "file": {"file_id": "x"}},
        {"type": "video_url", "video_url": {"url": "https://example.com"}},
    ],
)
def test_what_cohere_cannot_read_is_refused(part):
    with pytest.raises(Unsupported) as caught:
        to_cohere({"role": "user", "content": [part]})
    assert caught.value.param == "messages[0].content[0]"


# --- requests of Cohere's clients


@each
@named(REQUESTS)
def test_its_requests_can_be_said_elsewhere(other, path):
    fields = json.loads(path.read_bytes())
    written = tried(dialect, other, fields)
    if written is None:
        assert path.stem in ("tools_unknown", "documents_without_question", "sampling")
        return
    texts = json.dumps(written)
    if path.stem == "documents":
        assert "Oslo is in Norway." in texts
        assert "212660" in texts
    if path.stem == "tool_turn":
        assert "I will look it up." in texts
        assert "sunny" in texts


@each
@needs_recordings
def test_recorded_requests_cross(other):
    seen = 0
    for exchange in recorded():
        fields = (exchange.get("request") or {}).get("body")
        if isinstance(fields, dict) and exchange["response"]["status"] == 200:
            written, _ = cross(dialect, other, fields)
            assert written["messages"]
            seen += 1
    assert seen > 90


# --- replies


@each
@named([path for path in WHOLE if path.stem != "unknown_fields"])
def test_its_replies_are_taken_by_other_vendors_sdks(other, path):
    events = read(path.read_bytes(), False)
    lost = []
    writer = other.writer(False, {}, lost)
    body = writer.feed(events) + writer.end()
    SDK[other].model_validate_json(body)
    back = other.reader(False)
    after = back.feed(body) + back.end()
    assert said(after) == said(events)
    if path.stem == "tool_calls":
        assert [loss.path for loss in lost] == ["reply.tool_plan"]


def said(events):
    text = "".join(event.text for event in events if isinstance(event, ev.Text))
    calls = [(event.id, event.name) for event in events if isinstance(event, ev.ToolCall)]
    given = "".join(event.json for event in events if isinstance(event, ev.ToolInput))
    used = [(event.usage.prompt, event.usage.completion) for event in events if isinstance(event, ev.Used)]
    stops = {"stop_sequence": "stop"}
    last = events[-1].reason
    return text, calls, given.replace(" ", ""), used[-1:], stops.get(last, last)


@pytest.mark.parametrize("stream", [True, False])
@together(("other", "body"), [case for other in OTHERS for case in features(other, "replies")])
def test_every_reply_of_another_dialect_is_taken_by_its_sdk(other, body, stream):
    reader = other.reader(False)
    try:
        events = reader.feed(json.dumps(body).encode()) + reader.end()
    except (ProviderError, InvalidRequest):
        return
    lost = []
    writer = dialect.writer(stream, {}, lost)
    written = writer.feed(events) + writer.end()
    parsed = parse(written, stream)
    assert parsed[0].id == events[0].id
    first = [event for event in events if event.choice == 0]
    texts = "".join(event.text for event in first if isinstance(event, ev.Text | ev.Refusal))
    after = read(written, stream)
    assert "".join(event.text for event in after if isinstance(event, ev.Text)) == texts
    used = [event.usage for event in events if isinstance(event, ev.Used)]
    if used:
        assert next(event.usage for event in after if isinstance(event, ev.Used)).prompt == used[-1].prompt


@each
def test_recorded_replies_reach_other_clients(other):
    for path in sorted((FIXTURES / "streams").glob("*.sse")):
        events = read(path.read_bytes(), True)
        writer = other.writer(True, {"stream_options": {"include_usage": True}}, [])
        written = writer.feed(events) + writer.end()
        reader = other.reader(True)
        after = reader.feed(written) + reader.end()
        if isinstance(events[-1], ev.Failed):
            assert isinstance(after[-1], ev.Failed) or after[-1].reason == "cut"
        else:
            assert after[-1].reason != "cut"
