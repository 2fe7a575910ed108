"""Requests of Cohere's chat are read, and written back as they were."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialects.cohere_chat.laws import REQUESTS, meant, named, needs_recordings, recorded
from dialects.mutations import changes, check_request, mutated
from headgate.core.chat import Bytes, Document, Image, PlainText, Text, Thinking, ToolCall, ToolResult
from headgate.core.errors import InvalidRequest
from headgate.dialects import cohere_chat as dialect
from together import together

ASK = {"role": "user", "content": "hi"}


def request(*messages, **fields):
    return dialect.read_request({"model": "m", "messages": list(messages) or [ASK], **fields})


def round_trip(fields):
    lost = []
    written = json.loads(dialect.write_request(dialect.read_request(fields), lost))
    assert lost == []
    return written


@named(REQUESTS)
def test_a_request_comes_back_as_it_was(path):
    fields = json.loads(path.read_bytes())
    assert meant(round_trip(fields)) == meant(fields)


@needs_recordings
def test_recorded_requests_come_back_as_they_were():
    seen = 0
    for exchange in recorded():
        fields = (exchange.get("request") or {}).get("body")
        if isinstance(fields, dict):
            assert meant(round_trip(fields)) == meant(fields), exchange["id"]
            seen += 1
    assert seen > 90


def test_documents_are_the_first_parts_of_the_last_question():
    found = request(
        ASK, {"role": "assistant", "content": "so"}, ASK, documents=["a", {"data": {"text": "b", "title": "t"}}]
    )
    assert [len(message.parts) for message in found.messages] == [1, 1, 3]
    first, second, question = found.messages[2].parts
    assert isinstance(first, Document)
    assert first.source == PlainText(text="a")
    assert first.citations
    assert isinstance(second, Document)
    assert (second.source, second.title) == (PlainText(text="b"), "t")
    assert isinstance(question, Text)


@pytest.mark.parametrize("mode", ["OFF", "off", "DISABLED"])
def test_documents_need_not_be_cited(mode):
    found = request(documents=["a"], citation_options={"mode": mode})
    assert isinstance(part := found.messages[0].parts[0], Document)
    assert not part.citations


def test_a_document_of_other_fields_is_the_text_of_its_json():
    found = request(documents=[{"data": {"name": "Oslo", "people": 717710}}])
    assert isinstance(part := found.messages[0].parts[0], Document)
    assert part.source == PlainText(text='{"name":"Oslo","people":717710}')


def test_the_parts_of_an_assistants_message_stand_in_the_order_they_were_said():
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    content = [{"type": "thinking", "thinking": "hm"}]
    found = request(ASK, {"role": "assistant", "content": content, "tool_plan": "I will.", "tool_calls": [call]})
    assert [type(part).__name__ for part in found.messages[1].parts] == [
        "Thinking",
        "Plan",
        "ToolCall",
    ]
    thought, plan, called = found.messages[1].parts
    assert isinstance(thought, Thinking)
    assert isinstance(plan, Text)
    assert isinstance(called, ToolCall)


def test_a_tools_result_is_paired_by_its_id():
    found = request(ASK, {"role": "tool", "tool_call_id": "c", "content": "r"})
    (result,) = found.messages[1].parts
    assert isinstance(result, ToolResult)
    assert (result.id, result.parts[0].text, result.plain) == ("c", "r", True)


def test_a_data_url_is_read_as_its_bytes():
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    (part,) = request({"role": "user", "content": [image]}).messages[0].parts
    assert isinstance(part, Image)
    assert part.source == Bytes(base64="AAAA", media_type="image/png")


@together(
    ("fields", "param"),
    [
        ({"model": None}, "model"),
        ({"messages": "x"}, "messages"),
        ({"messages": [1]}, "messages[0]"),
        ({"messages": [{"role": "bot", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id"),
        ({"documents": [1]}, "documents[0]"),
        ({"documents": [{"id": "x"}]}, "documents[0].data"),
        ({"stop_sequences": [1]}, "stop_sequences[0]"),
        ({"tool_choice": "auto"}, "tool_choice"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"p": "x"}, "p"),
        ({"thinking": {}}, "thinking.type"),
        ({"response_format": {"type": 1}}, "response_format.type"),
    ],
)
def test_what_is_wrong_is_named(fields, param):
    with pytest.raises(InvalidRequest) as caught:
        dialect.read_request({"model": "m", "messages": [ASK], **fields})
    assert caught.value.param == param


@given(st.sampled_from(REQUESTS), changes)
def test_odd_requests_are_refused_or_understood(path, made):
    fields = mutated(json.loads(path.read_bytes()), made)
    if isinstance(fields, dict):
        check_request(dialect, fields)
