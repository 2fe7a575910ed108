"""Requests of Ollama are read, and written back as they were."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialects.mutations import changes, check_request, mutated
from dialects.ollama_chat.laws import FIXTURES, OWN, cases, meant, needs_recordings, recorded
from headgate.core.chat import Bytes, Image, Reasoning, Text, ToolCall, ToolResult
from headgate.core.errors import InvalidRequest, Unsupported
from headgate.dialects import ollama_chat, openai_chat
from headgate.dialects.dialect import crossed
from headgate.dialects.ollama_chat import generate
from together import together

ASK = {"role": "user", "content": "hi"}
both = together("own", list(OWN))


def request(*messages, **fields):
    return ollama_chat.read_request({"model": "m", "messages": list(messages) or [ASK], **fields})


def round_trip(own, fields):
    lost = []
    written = json.loads(own.write_request(own.read_request(fields), lost))
    assert lost == []
    return written


@cases("requests")
def test_a_request_comes_back_as_it_was(own, path):
    fields = json.loads(path.read_bytes())
    assert meant(round_trip(own, fields)) == meant(fields)


@both
@needs_recordings
def test_recorded_requests_come_back_as_they_were(own):
    seen = 0
    for exchange in recorded(own):
        fields = (exchange.get("request") or {}).get("body")
        if isinstance(fields, dict):
            assert meant(round_trip(own, fields)) == meant(fields), exchange["id"]
            seen += 1
    assert seen > 40


@pytest.mark.parametrize(("said", "meant_"), [(None, True), (True, True), (False, False)])
@both
def test_a_stream_is_the_default(own, said, meant_):
    fields = {"model": "m", "messages": [ASK], "prompt": "x"} | ({} if said is None else {"stream": said})
    found = own.read_request(fields)
    assert found.stream is meant_
    assert own.stream_default is True
    found.stream = not meant_  # bridged
    again = json.loads(own.write_request(found, []))
    assert again.get("stream", True) is not meant_


def test_images_come_before_the_text_with_the_type_they_begin_like():
    message = request({**ASK, "images": ["iVBORw0KGgo=", "/9j/4AAQ", "UklGRg==", "R0lGODlh", "AAAA"]}).messages[0]
    assert [type(part) for part in message.parts] == [Image] * 5 + [Text]
    kinds = [part.source.media_type for part in message.parts[:5]]
    assert kinds == ["image/png", "image/jpeg", "image/webp", "image/gif", None]
    assert message.parts[0].source == Bytes(base64="iVBORw0KGgo=", media_type="image/png")


def ids(*messages):
    found = request(*messages)
    calls = [part.id for message in found.messages for part in message.parts if isinstance(part, ToolCall)]
    results = [part.id for message in found.messages for part in message.parts if isinstance(part, ToolResult)]
    return calls, results


def test_calls_without_ids_are_paired_with_their_results():
    fields = json.loads((FIXTURES / "requests" / "tool_turn_unnamed.json").read_bytes())
    calls, results = ids(*fields["messages"])
    assert len(set(calls)) == 3
    assert results == [calls[2], calls[0], calls[1]]


def test_a_result_of_nothing_has_an_id_of_its_own():
    assert ids(ASK, {"role": "tool", "content": "r"}) == ([], ["call_1"])


def test_the_levels_of_thinking():
    assert request(think=True).reasoning == Reasoning(mode="enabled")
    assert request(think=False).reasoning == Reasoning(mode="disabled")
    assert request(think="low").reasoning == Reasoning(effort="low")
    assert request().reasoning is None


def test_options_that_others_have_are_named_as_there():
    found = request(options={"num_predict": 5, "num_ctx": 9, "stop": ["x"], "temperature": 1})
    assert (found.max_tokens, found.stop, found.temperature) == (5, ["x"], 1)
    assert found.native == {"options": {"num_ctx": 9}}


@pytest.mark.parametrize("field", ["raw", "template", "context", "suffix"])
def test_what_only_generate_can_do_crosses_nowhere(field):
    value = {"raw": True, "context": [1]}.get(field, "x")
    found = generate.read_request({"model": "m", "prompt": "p", field: value})
    assert json.loads(crossed(generate, found, []))[field] == value
    with pytest.raises(Unsupported) as caught:
        crossed(openai_chat, found, [])
    assert caught.value.param == field


@together(
    ("fields", "param"),
    [
        ({"model": None}, "model"),
        ({"messages": "x"}, "messages"),
        ({"messages": [1]}, "messages[0]"),
        ({"messages": [{"role": "bot", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": ["x"]}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": "x", "images": [1]}]}, "messages[0].images[0]"),
        ({"messages": [{"role": "assistant", "tool_calls": [{}]}]}, "messages[0].tool_calls[0].function"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"options": {"top_k": "x"}}, "options.top_k"),
        ({"options": {"stop": [1]}}, "options.stop[0]"),
        ({"format": 1}, "format"),
        ({"think": 1}, "think"),
        ({"stream": "x"}, "stream"),
    ],
)
def test_what_is_wrong_is_named(fields, param):
    with pytest.raises(InvalidRequest) as caught:
        ollama_chat.read_request({"model": "m", "messages": [ASK], **fields})
    assert caught.value.param == param


@cases("requests")
@given(made=changes)
def test_odd_requests_are_refused_or_understood(own, path, made):
    fields = mutated(json.loads(path.read_bytes()), made)
    if isinstance(fields, dict):
        check_request(own, fields)


@given(st.text(max_size=20))
def test_any_beginning_of_an_image_is_taken(data):
    assert request({**ASK, "images": [data]}).messages[0].parts
