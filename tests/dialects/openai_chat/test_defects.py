"""What once went wrong with requests to hosts of Chat Completions and with their replies."""

import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialects.mutations import changes, check_reply, check_request, check_stream, mutated
from gateways import rounds
from headgate.core.chat import ALIKE, Loss
from headgate.core.errors import InvalidRequest, ProviderError
from headgate.core.events import Start, Text
from headgate.dialects import anthropic_messages, openai_chat
from headgate.dialects.framing import EventStream
from headgate.dialects.openai_chat import reading, relaying
from headgate.dialects.openai_usage import read_usage
from together import together

FIXTURES = Path(__file__).parent / "fixtures"
REQUESTS = sorted((FIXTURES / "requests").glob("*.json"))
WHOLE = sorted((FIXTURES / "whole").glob("*.json"))
STREAMS = sorted((FIXTURES / "streams").glob("*.sse"))
ASK = {"role": "user", "content": "hi"}
TOOL = {"name": "f", "input_schema": {"type": "object"}}


def crossed(*messages, **fields):
    """A request of the Messages API as it goes to a host of Chat Completions, and what was lost."""
    lost = []
    request = anthropic_messages.read_request({"model": "m", "max_tokens": 5, "messages": list(messages), **fields})
    return json.loads(openai_chat.write_request(request, lost)), lost


def thinking(text="hm", **more):
    return {"type": "thinking", "thinking": text, **more}


def said(*blocks):
    """The assistant's message, as Chat Completions has it, and the paths of what was lost."""
    fields, lost = crossed(ASK, {"role": "assistant", "content": list(blocks)}, ASK)
    return fields["messages"][1], [loss.path for loss in lost]


def read(data, stream):
    reader = openai_chat.reader(stream)
    return reader.feed(data) + reader.end()


def chunk(delta, finish=None, index=0, **more):
    return {"id": "c", "choices": [{"index": index, "delta": delta, "finish_reason": finish}], **more}


def sse(*chunks):
    return b"".join(b"data: " + json.dumps(one, separators=(",", ":")).encode() + b"\n\n" for one in chunks)


# --- requests of the Messages API


@pytest.mark.parametrize("signature", [{}, {"signature": ""}, {"signature": "headgate:unsigned"}])
def test_unsigned_thinking_goes_back_as_reasoning(signature):
    text, call = {"type": "text", "text": "ok"}, {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    message, lost = said(thinking("h", **signature), text, thinking("m", **signature), call)
    assert (message["reasoning_content"], message["content"], len(message["tool_calls"])) == ("hm", "ok", 1)
    assert lost == []


@pytest.mark.parametrize("block", [thinking(signature="c2ln"), {"type": "redacted_thinking", "data": "x"}])
def test_signed_thinking_stays_a_loss(block):
    assert said(block, {"type": "text", "text": "ok"}) == (
        {"role": "assistant", "content": "ok"},
        ["messages[1].content[0]"],
    )


@pytest.mark.parametrize("signature", ["", "c2ln"])
def test_a_turn_of_thinking_alone_has_a_content(signature):
    assert said(thinking(signature=signature))[0]["content"] == ""


def test_a_long_user_id_is_sent_as_its_hash():
    user = "user_" + "é" * 60
    fields, lost = crossed(ASK, metadata={"user_id": user})
    assert fields["user"] == hashlib.sha256(user.encode()).hexdigest()
    assert len(fields["user"]) == 64
    assert [loss.path for loss in lost] == ["metadata.user_id"]
    assert crossed(ASK, metadata={"user_id": user[:64]})[0]["user"] == user[:64]


@pytest.mark.parametrize("choice", ["auto", "any", "none"])
def test_a_choice_without_tools_is_left_out(choice):
    choice = {"type": choice, "disable_parallel_tool_use": True}
    fields, lost = crossed(ASK, tool_choice=choice)
    assert fields.keys() == {"model", "messages", "max_completion_tokens"}
    assert lost == []
    assert crossed(ASK, tool_choice=choice, tools=[TOOL])[0].keys() >= {"tool_choice", "parallel_tool_calls"}


def test_losses_of_one_kind_are_folded():
    turns = [ASK, {"role": "assistant", "content": [thinking(signature="s"), {"type": "text", "text": "a"}]}] * 150
    lost = crossed(*turns, ASK, top_k=1)[1]
    assert lost == [
        Loss("messages[*].content[*]", "Chat Completions does not take reasoning back (150 times)"),
        Loss("top_k", "Chat Completions has no such field"),
    ]
    few = crossed(*turns[: 2 * ALIKE], ASK)[1]
    assert [loss.path for loss in few] == [f"messages[{1 + 2 * i}].content[0]" for i in range(ALIKE)]


# --- wrong types


@pytest.mark.parametrize("role", [[], {}, None, 5, "boss"])
def test_a_role_of_the_wrong_type_is_named(role):
    with pytest.raises(InvalidRequest) as caught:
        openai_chat.read_request({"model": "m", "messages": [ASK, {"role": role, "content": "x"}]})
    assert caught.value.param == "messages[1].role"


@pytest.mark.parametrize("tier", [{}, [], 5])
def test_a_service_tier_of_the_wrong_type_is_passed_over(tier):
    data = json.dumps({**chunk({}), "service_tier": tier, "choices": [{"message": {"content": "x"}}]}).encode()
    start = read(data, False)[0]
    assert isinstance(start, Start)
    assert start.native == {}


@together("wrong", [1.5, "x", [1], {"a": 1}])
@together("kind", ["content", "refusal"])
def test_log_probabilities_of_the_wrong_type_are_passed_over(kind, wrong):
    choice = {"message": {"content": "x", "refusal": "y"}, "logprobs": {kind: wrong}, "finish_reason": "stop"}
    events = read(json.dumps({"id": "c", "choices": [choice]}).encode(), False)
    assert Text(text="x") in events
    assert not any(getattr(event, "logprobs", None) for event in events)


@given(st.sampled_from(REQUESTS), changes)
@settings(max_examples=rounds(100, 3000))
def test_any_request_is_refused_or_can_be_written(path, changed):
    check_request(openai_chat, mutated(json.loads(path.read_bytes()), changed))


@given(st.sampled_from(WHOLE), changes)
@settings(max_examples=rounds(100, 3000))
def test_any_whole_reply_is_nonsense_or_can_be_written(path, changed):
    check_reply(openai_chat, json.dumps(mutated(json.loads(path.read_bytes()), changed)).encode(), False)


@given(st.sampled_from(STREAMS), st.integers(0, 10**6), changes)
@settings(max_examples=rounds(100, 3000))
def test_any_stream_is_nonsense_or_can_be_written(path, which, changed):
    check_stream(openai_chat, path.read_bytes(), which, changed)


# --- replies


@pytest.mark.parametrize(("n", "complete"), [(2, False), (2.0, False), (1, True), (None, True), ("x", True)])
def test_without_an_end_mark_every_choice_asked_for_must_have_come(n, complete):
    data = sse(chunk({"content": "x"}), chunk({}, "stop"))
    relay = openai_chat.relay(True, {"n": n})
    assert relay.feed(data) + relay.end() == data + (b"data: [DONE]\n\n" if complete else b"")
    assert relay.complete == complete


def test_all_choices_are_enough_without_an_end_mark():
    relay = openai_chat.relay(True, {"n": 2})
    relay.feed(sse(chunk({"content": "x"}), chunk({"content": "y"}, "stop", 1), chunk({}, "stop")))
    assert relay.end() == b"data: [DONE]\n\n"
    assert relay.complete


def passed(*frames):
    """What a client that did not ask for the usage gets of these frames, fed one by one."""
    relay = openai_chat.relay(True, {})
    return [relay.feed(frame) for frame in frames]


FIRST = sse(chunk({"content": "x"}, usage=None))


def test_a_null_usage_goes_wherever_it_stands():
    leading = b'data: {"usage":null,"choices":[{"index":0,"delta":{"content":"x"}}]}\n\n'
    spaced = b'data: {"choices": [{"index": 0, "delta": {"content": "x"}}], "usage" : null}\n\n'
    assert passed(FIRST, leading, spaced)[1:] == [
        b'data: {"choices":[{"index":0,"delta":{"content":"x"}}]}\n\n',
        b'data: {"choices": [{"index": 0, "delta": {"content": "x"}}]}\n\n',
    ]


def test_a_null_usage_inside_a_choice_stays():
    inner = {"tool_calls": [{"index": 0, "extra": {"a": 1, "usage": None}}]}
    assert passed(FIRST, sse(chunk(inner, usage=None))) == [sse(chunk({"content": "x"})), sse(chunk(inner))]


def test_a_frame_that_names_a_key_twice_stays_as_it_is():
    twice = b'data: {"choices":[],"usage":null,"id":"c","usage":null}\n\n'
    assert passed(FIRST, twice)[1] == twice


@pytest.mark.parametrize("first", [b"data: {", b"\xef\xbb\xbfdata: {", b": x"])
def test_a_long_first_frame_is_not_copied_for_every_piece(monkeypatch, first):
    whole = []
    monkeypatch.setattr(EventStream, "rest", property(lambda self: whole.append(self) or b""))
    for module in (reading, relaying):
        monkeypatch.setattr(module, "check_start", lambda *given: whole.append(given))
    reader, relay = openai_chat.reader(True), openai_chat.relay(True, {})
    for piece in [first, *[b"x" * 100] * 50]:
        assert reader.feed(piece) == []
        assert relay.feed(piece) == b""
    assert whole == []


@pytest.mark.parametrize("size", [1, 7, 1000])
@pytest.mark.parametrize("body", [b"<html>" + b"x" * 100, b'{"error":{"message":"no","note":"%b"}}' % (b"x" * 100)])
@pytest.mark.parametrize(
    "made", [openai_chat.reader, lambda stream: openai_chat.relay(stream, {})], ids=["read", "pass"]
)
def test_what_is_no_stream_is_still_found(size, body, made):
    part = made(True)
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    with pytest.raises(ProviderError):
        [part.feed(piece) for piece in pieces]


def test_an_excess_of_the_total_without_details_is_reasoning():
    usage = read_usage({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 115})
    assert (usage.prompt, usage.output, usage.reasoning, usage.completion) == (10, 5, 100, 105)


@pytest.mark.parametrize(
    "more",
    [
        {"completion_tokens_details": {"reasoning_tokens": 2}},
        {"prompt_tokens_details": {"cached_tokens": 2}},
        {"prompt_tokens": 0},
        {"total_tokens": 0},
        {"total_tokens": "x"},
    ],
)
def test_an_excess_that_may_be_something_else_is_not(more):
    usage = read_usage({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 115, **more})
    assert usage.completion == 5
