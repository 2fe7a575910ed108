"""What is written of events reads the same and is what Anthropic's SDK takes."""

import msgspec
import pytest
from anthropic.types import Message as SdkMessage
from hypothesis import given, settings
from hypothesis import strategies as st

from dialects.anthropic_messages.laws import (
    BEYOND_SDK,
    FAILS,
    STREAMS,
    WHOLE,
    gist,
    named,
    parse,
    read,
    write,
)
from headgate.core import events as ev
from headgate.core.errors import (
    ProviderTimeout,
)
from headgate.core.usage import Usage
from headgate.dialects.anthropic_messages.words import safe_id


@named([*WHOLE, *(path for path in STREAMS if path.stem not in FAILS)])
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_what_is_written_reads_the_same(path, stream):
    events = read(path.read_bytes(), path.suffix == ".sse")
    written, lost = write(events, stream)
    unknown_event = path.stem == "unknown_events" and not stream
    assert [loss.path for loss in lost] == (["reply.event_of_tomorrow"] if unknown_event else [])
    again = read(written, stream)
    if unknown_event:
        events = [event for event in events if not isinstance(event, ev.Native)]
    assert gist(again) == gist(events)
    if path.stem not in BEYOND_SDK:
        parse(written, stream)


START = ev.Start(id="chatcmpl-1", model="gpt", created=1)


def blocks_of(events):
    """The written stream, put together as a client does it: one block open at a time, indexes in order."""
    blocks, opened = [], None
    for event in parse(write(events, True)[0], True):
        if event.type == "content_block_start":
            assert opened is None
            assert event.index == len(blocks)
            opened = event.index
            blocks.append([event.content_block, ""])
        elif event.type == "content_block_delta":
            assert event.index == opened
            delta = event.delta
            blocks[-1][1] += getattr(delta, "text", "") or getattr(delta, "partial_json", "")
        elif event.type == "content_block_stop":
            assert event.index == opened
            opened = None
    assert opened is None
    return blocks


def test_interleaved_tool_calls_are_written_one_after_the_other():
    events = [
        START,
        ev.ToolCall(block=0, id="call_a", name="f"),
        ev.ToolCall(block=1, id="call_b", name="g"),
        ev.ToolInput(block=1, json='{"b":'),
        ev.ToolInput(block=0, json='{"a":'),
        ev.Text(block=2, text="and "),
        ev.ToolInput(block=0, json="1}"),
        ev.ToolInput(block=1, json="2}"),
        ev.Text(block=2, text="so"),
        ev.Used(usage=Usage(input=3, output=4)),
        ev.Stop(reason="tool_use"),
    ]
    blocks = blocks_of(events)
    assert [text for _, text in blocks] == ['{"a":1}', '{"b":2}', "and so"]
    assert [block.id for block, _ in blocks[:2]] == ["call_a", "call_b"]
    whole = SdkMessage.model_validate_json(write(events, False)[0])
    assert [block.input for block in whole.content[:2]] == [{"a": 1}, {"b": 2}]
    assert (whole.id, whole.usage.input_tokens, whole.usage.output_tokens) == ("msg_chatcmpl-1", 3, 4)


pieces_of_calls = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 3)), max_size=30)


@given(pieces_of_calls)
@settings(deadline=None)
def test_any_interleaving_is_put_in_order(steps):
    wanted = ['{"a": [1, 2]}', "just text", '{"b": {"c": "}"}}', '{"d": null}']
    left = dict(enumerate(wanted))
    events, begun = [START], set()
    for block, size in [*steps, *((block, 99) for block in range(4))]:
        if block not in begun and block != 1:
            events.append(ev.ToolCall(block=block, id=f"call_{block}", name="f"))
        begun.add(block)
        text, left[block] = left[block][:size], left[block][size:]
        if text:
            events.append(ev.Text(block=1, text=text) if block == 1 else ev.ToolInput(block=block, json=text))
    blocks = blocks_of([*events, ev.Stop(reason="stop")])
    calls = {block.id: text for block, text in blocks if block.type == "tool_use"}
    assert calls == {f"call_{block}": wanted[block] for block in (0, 2, 3)}
    assert "".join(text for block, text in blocks if block.type == "text") == "just text"


def test_usage_known_late_stands_in_message_delta():
    events = [START, ev.Text(text="x"), ev.Used(usage=Usage(input=3, cache_read=4, reasoning=5, output=6)), END]
    parsed = parse(write(events, True)[0], True)
    assert parsed[0].message.usage.input_tokens == 0
    usage = parsed[-2].usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (3, 4, 11)
    assert usage.output_tokens_details.thinking_tokens == 5


END = ev.Stop(reason="stop", vendor="stop")


def test_what_a_reply_cannot_say_is_named():
    events = [
        msgspec.structs.replace(START, native={"service_tier": "default"}),
        ev.Text(text="x", logprobs=[{"token": "x"}]),
        ev.Text(choice=1, text="y"),
        ev.Citation(dialect="other", value={}),
        ev.Native(dialect="other", name="audio", value={}),
        END,
        ev.Stop(choice=1, reason="stop"),
    ]
    for stream in (True, False):
        written, lost = write(events, stream)
        assert {loss.path for loss in lost} == {
            "reply.service_tier",
            "reply.choices[0].logprobs",
            "reply.choices[1]",
            "reply.choices[0].message.annotations",
            "reply.audio",
        }
        assert [e.text for e in read(written, stream) if isinstance(e, ev.Text)] == ["x"]


@pytest.mark.parametrize(
    ("piece", "stop", "reason"),
    [
        (ev.Refusal(text="No."), "stop", "refusal"),
        (ev.ToolCall(id="c", name="f"), "stop", "tool_use"),
        (ev.Text(text="x"), "length", "max_tokens"),
        (ev.Text(text="x"), "context", "model_context_window_exceeded"),
        (ev.Text(text="x"), "pause", "pause_turn"),
    ],
)
def test_stop_reasons(piece, stop, reason):
    events = [START, piece, ev.Stop(reason=stop, vendor="other")]
    assert SdkMessage.model_validate_json(write(events, False)[0]).stop_reason == reason
    assert parse(write(events, True)[0], True)[-2].delta.stop_reason == reason


def test_thinking_without_a_signature_has_one_this_gateway_knows_again():
    events = [START, ev.Thinking(text="hm"), ev.Text(block=1, text="x"), END]
    thinking = SdkMessage.model_validate_json(write(events, False)[0]).content[0]
    assert (thinking.type, thinking.thinking, thinking.signature) == ("thinking", "hm", "headgate:unsigned")


@pytest.mark.parametrize(("text", "given"), [("", {}), ("{}", {}), ("{oops", {"invalid_json": "{oops"})])
def test_arguments_of_any_kind_are_written(text, given):
    events = [START, ev.ToolCall(id="a b", name="f"), ev.ToolInput(json=text), END]
    written, lost = write(events, False)
    call = SdkMessage.model_validate_json(written).content[0]
    assert call.input == given
    assert call.id == safe_id("a b") != "a b"
    assert [loss.path for loss in lost] == (["reply.content.input"] if "invalid_json" in given else [])
    assert blocks_of(events)[0][1] == text


@pytest.mark.parametrize("last", [ev.Stop(reason="cut"), ev.Failed(error=ProviderTimeout("late"))])
def test_a_reply_that_broke_off_gets_no_end(last):
    written, _ = write([START, ev.Text(text="x"), last], True)
    assert b"message_stop" not in written
    assert write([START, ev.Text(text="x"), last], False)[0] == b""
