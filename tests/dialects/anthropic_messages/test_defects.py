"""What once went wrong with requests to Claude and with the replies said as Claude's."""

import json

import msgspec
import pytest
from anthropic.types import Message as SdkMessage
from hypothesis import given, settings
from hypothesis import strategies as st

from dialects.anthropic_messages.laws import REQUESTS, STREAMS, WHOLE, named, parse, read, write
from dialects.mutations import changes, check_reply, check_request, check_stream, mutated
from gateways import rounds
from headgate.core import events as ev
from headgate.core.chat import Loss
from headgate.core.errors import ProviderError, Unsupported
from headgate.dialects import anthropic_messages as dialect
from headgate.dialects import openai_chat
from headgate.dialects.anthropic_messages import writing

START = ev.Start(id="msg_1", model="m")
THOUGHT = [START, ev.Thinking(text="hm"), ev.Text(block=1, text="x"), ev.Stop(reason="stop")]
SIGNED = {"type": "thinking", "thinking": "so", "signature": "EqQBCgIYAhIM"}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "r"}]}
ASK = {"role": "user", "content": "hi"}
IMAGE = {"type": "image_url"}


def own(*messages, **fields):
    """The request as it goes on in its own dialect, and what was lost."""
    lost = []
    given_ = {"model": "claude-opus-4-5", "max_tokens": 4000, "messages": list(messages), **fields}
    return json.loads(dialect.write_request(dialect.read_request(given_), lost)), lost


def crossed(*messages, model="claude-opus-4-5", **fields):
    """A request of Chat Completions as it goes to Claude, and what was lost."""
    lost = []
    request = openai_chat.read_request({"model": model, "messages": list(messages), **fields})
    return json.loads(dialect.write_request(request, lost)), lost


def made_up():
    """A block of thinking as a client of this API got it from a host of another."""
    return json.loads(write(THOUGHT, False)[0])["content"][0]


# --- thinking this gateway made up


def test_made_up_thinking_bears_the_same_signature_in_both_forms():
    streamed = parse(write(THOUGHT, True)[0], True)
    kinds = [event.type for event in streamed if getattr(event, "index", None) == 0]
    assert kinds == ["content_block_start", "content_block_delta", "content_block_delta", "content_block_stop"]
    signature = [
        event.delta.signature
        for event in streamed
        if getattr(event, "delta", None) and hasattr(event.delta, "signature")
    ]
    assert signature == [made_up()["signature"]]
    assert signature[0].startswith("headgate:")


@pytest.mark.parametrize("stream", [True, False])
def test_a_real_signature_stays_alone(stream):
    events = [START, ev.Thinking(text="hm"), ev.Thinking(signature="c2ln"), ev.Stop(reason="stop")]
    written = write(events, stream)[0]
    assert b'"signature":"c2ln"' in written
    assert b"headgate:" not in written


@pytest.mark.parametrize("stream", [True, False])
def test_made_up_thinking_is_read_as_unsigned(stream):
    thoughts = [event for event in read(write(THOUGHT, stream)[0], stream) if isinstance(event, ev.Thinking)]
    assert "".join(thought.text for thought in thoughts) == "hm"
    assert not any(thought.signature for thought in thoughts)


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_a_body_with_made_up_thinking_is_foreign(separators):
    body = {"messages": [ASK, {"role": "assistant", "content": [made_up(), CALL]}, RESULT]}
    assert dialect.foreign(json.dumps(body, separators=separators).encode())
    assert not openai_chat.foreign(json.dumps(body).encode())


def test_a_body_with_real_thinking_is_not_foreign():
    body = {"messages": [ASK, {"role": "assistant", "content": [SIGNED, CALL]}, RESULT]}
    assert not dialect.foreign(json.dumps(body).encode())


@pytest.mark.parametrize("empty", [True, False])
def test_unsigned_thinking_does_not_go_to_claude_and_is_named(empty):
    block = {**made_up(), "signature": ""} if empty else made_up()
    fields, lost = own(ASK, {"role": "assistant", "content": [SIGNED, block, CALL]}, RESULT)
    assert fields["messages"] == [ASK, {"role": "assistant", "content": [SIGNED, CALL]}, RESULT]
    assert [loss.path for loss in lost] == ["messages[1].content[1]"]


def test_a_turn_of_nothing_but_unsigned_thinking_is_left_out():
    fields, lost = own({"role": "assistant", "content": [made_up()]}, ASK, system="s")
    assert fields["messages"] == [ASK]
    assert [loss.path for loss in lost] == ["messages[0].content[0]"]


def test_an_answer_under_way_that_began_unsigned_goes_on_without_thinking():
    thinking = {"type": "enabled", "budget_tokens": 2000}
    turns = [ASK, {"role": "assistant", "content": [made_up(), CALL]}, RESULT]
    fields, lost = own(*turns, thinking=thinking)
    assert "thinking" not in fields
    assert [loss.path for loss in lost] == ["messages[1].content[0]", "thinking"]
    assert own(*turns, {"role": "assistant", "content": "done"}, ASK, thinking=thinking)[0]["thinking"] == thinking
    assert own(*turns, thinking={"type": "adaptive"})[0]["thinking"] == {"type": "adaptive"}


@named(REQUESTS)
def test_nothing_else_goes_with_unsigned_thinking(path):
    given_ = json.loads(path.read_bytes())
    before = msgspec.json.decode(dialect.write_request(dialect.read_request(given_), []))
    unsigned = {"role": "assistant", "content": [made_up()]}
    given_["messages"].insert(1, unsigned)
    assert msgspec.json.decode(dialect.write_request(dialect.read_request(given_), [])) == before


# --- requests of Chat Completions


@pytest.mark.parametrize("blank", [" ", "\n\n", "\t"])
def test_blank_text_is_left_out(blank):
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    fields, lost = crossed(
        {"role": "system", "content": blank},
        {"role": "user", "content": [{"type": "text", "text": blank}, {"type": "text", "text": "hi"}]},
        {"role": "assistant", "content": blank, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": blank},
    )
    assert "system" not in fields
    user, assistant, result = (turn["content"] for turn in fields["messages"])
    assert user == [{"type": "text", "text": "hi"}]
    assert [block["type"] for block in assistant] == ["tool_use"]
    assert result == [{"type": "tool_result", "tool_use_id": "c"}]
    assert lost == []


@pytest.mark.parametrize("role", ["assistant", "user"])
def test_a_blank_message_alone_is_no_conversation(role):
    with pytest.raises(Unsupported) as caught:
        crossed({"role": role, "content": " \n"})
    assert caught.value.param == "messages"


def picture(url):
    return crossed({"role": "user", "content": [{**IMAGE, "image_url": {"url": url}}]})[0]["messages"][0]["content"][0]


@pytest.mark.parametrize(
    ("said", "media_type"),
    [("image/jpg", "image/jpeg"), ("image/png;charset=utf-8", "image/png"), ("IMAGE/WebP", "image/webp")],
)
def test_media_types_are_said_as_the_api_knows_them(said, media_type):
    assert picture(f"data:{said};base64,AAAA")["source"] == {
        "type": "base64",
        "media_type": media_type,
        "data": "AAAA",
    }


@pytest.mark.parametrize("url", ["data:image/svg+xml,%3Csvg%3E", "data:image/svg+xml;base64,AAAA", "DATA:image/png,x"])
def test_other_data_urls_are_refused(url):
    with pytest.raises(Unsupported) as caught:
        picture(url)
    assert caught.value.param == "messages[0].content[0]"


def test_a_pdf_is_known_by_its_type_alone():
    file = {"type": "file", "file": {"file_data": "data:application/pdf;name=x;base64,AAAA"}}
    source = crossed({"role": "user", "content": [file]})[0]["messages"][0]["content"][0]["source"]
    assert source == {"type": "base64", "media_type": "application/pdf", "data": "AAAA"}


@pytest.mark.parametrize("model", ["claude-3-5-haiku-latest", "claude-3-opus-20240229", "claude-2.1"])
def test_models_that_do_not_think_are_not_asked_to(model):
    fields, lost = crossed(ASK, model=model, reasoning_effort="high")
    assert fields == {"model": model, "max_tokens": 4096, "messages": [ASK]}
    assert [loss.path for loss in lost] == ["reasoning_effort"]
    assert crossed(ASK, model=model, reasoning_effort="none") == (fields, [])


def test_models_that_think_are_asked_to():
    for model in ("claude-3-7-sonnet-latest", "a-name-of-ours"):
        assert crossed(ASK, model=model, reasoning_effort="low")[0]["thinking"]["budget_tokens"] == 2048


def test_losses_of_one_kind_are_folded():
    named_ = [{"role": "user", "name": "bob", "content": "x"}] * 150
    lost = crossed(*named_, seed=1)[1]
    assert lost == [
        Loss("seed", "the Messages API has no such field"),
        Loss("messages[*].name", "the Messages API has no names of participants (150 times)"),
    ]
    assert [loss.path for loss in crossed(*named_[:3])[1]] == [f"messages[{i}].name" for i in range(3)]


# --- replies


def test_a_call_is_not_decoded_again_for_every_event_of_another(monkeypatch):
    asked = []
    monkeypatch.setattr(writing, "arguments_of", lambda text: asked.append(text) or {})
    begin = [START, ev.ToolCall(id="a", name="f"), ev.ToolInput(json='{"x":"')]
    more = [ev.ToolInput(json="y")] * 100
    other = [ev.ToolCall(id="b", name="g", block=1), *[ev.ToolInput(json="z", block=1)] * 100]
    write([*begin, *other, *more], True)
    assert asked == []
    write([*begin, *more, ev.ToolInput(json='"}'), *other], True)
    assert len(asked) <= 3


def test_interleaved_calls_are_complete_one_after_the_other():
    pieces = [("{", 0), ('"x":', 1), ('"a":{}', 0), ("}", 0), ("1}", 1), (" ", 0)]
    events = [START, ev.ToolCall(id="a", name="f"), ev.ToolCall(id="b", name="g", block=1)]
    events += [ev.ToolInput(json="{", block=1), *(ev.ToolInput(json=text, block=block) for text, block in pieces)]
    streamed = write([*events, ev.Stop(reason="tool_use")], True)[0]
    given_ = {}
    for event in read(streamed, True):
        if isinstance(event, ev.ToolInput):
            given_[event.block] = given_.get(event.block, "") + event.json
    assert [json.loads(text) for text in given_.values()] == [{"a": {}}, {"x": 1}]


def stream(*events):
    return b"".join(b"event: %b\ndata: %b\n\n" % (name, data) for name, data in events)


BEGIN = (b"message_start", b'{"type":"message_start","message":{"id":"m","usage":{"input_tokens":1}}}')
NOTE = (b"vendor_note", b"hello")
END = [
    (b"message_delta", b'{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":1}}'),
    (b"message_stop", b'{"type":"message_stop"}'),
]


def test_an_event_of_another_name_need_not_be_json():
    data = stream(BEGIN, NOTE, (b"vendor_list", b"[1]"), *END)
    relay = dialect.relay(True, {})
    assert relay.feed(data) + relay.end() == data
    assert relay.complete
    assert [type(event) for event in read(data, True)] == [ev.Start, ev.Used, ev.Used, ev.Stop]


@pytest.mark.parametrize("data", [stream(NOTE), stream(BEGIN, (b"message_delta", b"hello"))])
def test_broken_events_of_the_api_itself_are_not_passed_over(data):
    with pytest.raises(ProviderError):
        dialect.relay(True, {}).feed(data)
    with pytest.raises(ProviderError):
        read(data, True)


# --- whatever comes


@given(st.sampled_from(REQUESTS), changes)
@settings(max_examples=rounds(100, 3000))
def test_any_request_is_refused_or_can_be_written(path, changed):
    check_request(dialect, mutated(json.loads(path.read_bytes()), changed))


@given(st.sampled_from(WHOLE), changes)
@settings(max_examples=rounds(100, 3000))
def test_any_whole_reply_is_nonsense_or_can_be_written(path, changed):
    check_reply(dialect, json.dumps(mutated(json.loads(path.read_bytes()), changed)).encode(), False)


@given(st.sampled_from(STREAMS), st.integers(0, 10**6), changes)
@settings(max_examples=rounds(100, 3000))
def test_any_stream_is_nonsense_or_can_be_written(path, which, changed):
    check_stream(dialect, path.read_bytes(), which, changed)


def test_a_made_up_message_is_one_of_the_sdk():
    assert SdkMessage.model_validate_json(write(THOUGHT, False)[0]).content[0].thinking == "hm"
