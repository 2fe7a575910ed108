"""Replies of Cohere's chat: read from any split of their bytes, written again, passed on as they came."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialects.cohere_chat.laws import (
    BEYOND_SDK,
    FAILS,
    FIXTURES,
    PAIRS,
    STREAMS,
    WHOLE,
    gist,
    named,
    needs_recordings,
    parse,
    read,
    recorded,
    write,
)
from dialects.mutations import changes, check_reply, check_stream, mutated
from headgate.core import events as ev
from headgate.core.errors import ProviderError, ProviderNonsense, ProviderRefused
from headgate.dialects import cohere_chat as dialect

TEXT = (FIXTURES / "streams" / "text.sse").read_bytes()
START = ev.Start(id="x")


def stream_of(path):
    return (FIXTURES / "streams" / f"{path.stem}.sse").read_bytes()


# --- the laws


@named(STREAMS)
@given(sizes=st.lists(st.integers(0, 4000), max_size=12))
def test_any_split_gives_the_same_events(path, sizes):
    data = path.read_bytes()
    assert gist(read(data, True, sizes)) == gist(read(data, True))


@named(STREAMS)
def test_byte_by_byte_gives_the_same_events_and_bytes(path):
    data = path.read_bytes()
    assert gist(read(data, True, range(len(data)))) == gist(read(data, True))
    relay = dialect.relay(True, {})
    passed = b"".join(relay.feed(data[i : i + 1]) for i in range(len(data))) + relay.end()
    assert data.startswith(passed)


@named(PAIRS)
def test_a_stream_says_what_the_whole_says(path):
    assert gist(read(stream_of(path), True)) == gist(read(path.read_bytes(), False))


@named([path for path in STREAMS if path.stem not in FAILS])
def test_a_stream_written_again_says_the_same(path):
    events = read(path.read_bytes(), True)
    written, lost = write(events, True)
    assert lost == []
    assert gist(read(written, True)) == gist(events)
    if path.stem not in BEYOND_SDK:
        parse(written, True)


@named(WHOLE)
def test_a_whole_reply_written_again_is_the_same(path):
    body = path.read_bytes()
    written, lost = write(read(body, False), False)
    assert lost == []
    assert json.loads(written) == json.loads(body)
    assert parse(written, False)[0].finish_reason


@named(WHOLE)
def test_a_whole_reply_passes_as_it_came(path):
    body = path.read_bytes()
    relay = dialect.relay(False, {})
    assert relay.feed(body) + relay.end() == body
    agree(relay, read(body, False))


@named(STREAMS)
def test_a_stream_passes_as_it_came(path):
    data = path.read_bytes()
    relay = dialect.relay(True, {})
    passed = relay.feed(data) + relay.end()
    if path.stem == "after_the_end":
        assert passed + b"data: more\n\n" == data
    else:
        assert passed == data
    agree(relay, read(data, True))


def agree(relay, events):
    """What the relay tells is what the reader says."""
    used = [event.usage for event in events if isinstance(event, ev.Used)]
    assert relay.usage == (used[-1] if used else None)
    assert relay.id == events[0].id
    assert relay.started == any(isinstance(event, ev.Text | ev.Thinking | ev.ToolCall) for event in events)
    last = events[-1]
    if isinstance(last, ev.Failed):
        assert not relay.complete
        assert (relay.failed.message, relay.failed.kind) == (last.error.message, last.error.kind)
    else:
        assert relay.complete
        assert relay.finish == last.vendor


@given(st.integers(8, len(TEXT) - 1))
def test_a_cut_stream_is_known_as_cut(at):
    relay = dialect.relay(True, {})
    assert TEXT.startswith(relay.feed(TEXT[:at]) + relay.end())
    assert relay.complete == (b'"cached_tokens":192}}}\n\n' in TEXT[:at])
    assert (read(TEXT[:at], True)[-1].reason != "cut") == relay.complete


@named(PAIRS)
@given(data=st.data())
def test_odd_replies_are_the_providers_fault_or_understood(path, data):
    made = data.draw(changes)
    check_reply(dialect, json.dumps(mutated(json.loads(path.read_bytes()), made)).encode(), False)
    check_stream(dialect, stream_of(path), data.draw(st.integers(0, 20)), made)


# --- what a reply says


def test_the_plan_is_text_before_the_calls():
    events = read((FIXTURES / "streams" / "tool_calls.sse").read_bytes(), True)
    kinds = [type(event).__name__ for event in events]
    assert kinds == [
        "Start",
        "Native",
        "Text",
        "Text",
        *["ToolCall", "ToolInput", "ToolInput"],
        "ToolCall",
        "ToolInput",
        "Used",
        "Stop",
    ]
    assert events[-1] == ev.Stop(reason="tool_use", vendor="TOOL_CALL")


def test_the_bill_counts():
    whole = read((FIXTURES / "whole" / "thinking.json").read_bytes(), False)
    usage = next(event.usage for event in whole if isinstance(event, ev.Used))
    assert (usage.input, usage.output, usage.reasoning, usage.cache_read) == (8, 10, 40, 0)
    images = read((FIXTURES / "whole" / "usage_of_images.json").read_bytes(), False)
    usage = next(event.usage for event in images if isinstance(event, ev.Used))
    assert (usage.input, usage.input_image) == (6, 259)
    tokens = read((FIXTURES / "whole" / "usage_of_tokens_only.json").read_bytes(), False)
    usage = next(event.usage for event in tokens if isinstance(event, ev.Used))
    assert (usage.input, usage.cache_read) == (36, 64)


def test_an_error_at_the_end_is_a_failure():
    events = read((FIXTURES / "streams" / "error_at_the_end.sse").read_bytes(), True)
    failed = events[-1]
    assert isinstance(failed, ev.Failed)
    assert (failed.error.status, failed.error.kind) == (400, "INVALID_TOOL_GENERATION")
    written, _ = write(events, True)
    assert b'"finish_reason":"ERROR"' in written
    assert b"[DONE]" not in written


def test_a_whole_reply_that_failed_is_the_providers_error():
    body = {"id": "x", "message": {"role": "assistant", "content": []}, "finish_reason": "ERROR"}
    with pytest.raises(ProviderRefused):
        read(json.dumps(body).encode(), False)
    with pytest.raises(ProviderRefused):
        dialect.relay(False, {}).feed(json.dumps(body).encode())


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("body", "kind"),
    [(b"<html>no</html>", ProviderNonsense), (b'{"x":1}', ProviderNonsense), (b'{"message":"no"}', ProviderRefused)],
)
def test_what_is_no_reply_is_said(body, kind, stream):
    with pytest.raises(kind):
        read(body, stream)
    relay = dialect.relay(stream, {})
    with pytest.raises(kind):
        assert relay.feed(body) + relay.end() == b""


def test_calls_that_interleave_are_said_with_their_own_numbers():
    events = read((FIXTURES / "streams" / "calls_interleaved.sse").read_bytes(), True)
    written, _ = write(events, True)
    ends = [frame for frame in written.split(b"\n\n") if b"tool-call-end" in frame]
    assert [b'"index":0' in end for end in ends] == [True, False]
    assert gist(read(written, True)) == gist(events)


def test_a_call_ends_where_the_next_piece_begins():
    events = [
        START,
        ev.ToolCall(id="a", name="f"),
        ev.ToolInput(json='{"x":1}'),
        ev.ToolCall(id="b", name="g", block=1),
    ]
    written, _ = write([*events, ev.Stop(reason="tool_use")], True)
    names = [event.type for event in parse(written, True)]
    assert names == [
        "message-start",
        *["tool-call-start", "tool-call-delta", "tool-call-end"],
        *["tool-call-start", "tool-call-delta", "tool-call-end"],
        "message-end",
    ]


@pytest.mark.parametrize("stream", [True, False])
def test_a_citation_of_a_web_page_is_said(stream):
    page = {"url": "https://example.com/", "title": "Weather", "start_index": 6, "end_index": 11}
    cited = ev.Citation(dialect="openai_chat", value={"type": "url_citation", "url_citation": page})
    written, lost = write([START, ev.Text(text="It is sunny."), cited, ev.Stop(reason="stop")], stream)
    assert lost == []
    (found,) = [event.value for event in read(written, stream) if isinstance(event, ev.Citation)]
    document = {"url": "https://example.com/", "title": "Weather"}
    source = {"type": "document", "id": "https://example.com/", "document": document}
    assert found == {"start": 6, "end": 11, "text": "sunny", "sources": [source], "type": "TEXT_CONTENT"}


@pytest.mark.parametrize("stream", [True, False])
def test_what_cannot_be_said_is_named(stream):
    events = [
        START,
        ev.Thinking(text="hm", signature="c2ln"),
        ev.Thinking(redacted="xx", block=1),
        ev.Text(text="a", block=2, logprobs=[{"token": "a", "logprob": -1.0, "top_logprobs": [{"token": "b"}]}]),
        ev.Citation(dialect="other", value={"page": 3}, block=2),
        ev.Native(dialect="other", name="audio", value={}),
        ev.Text(text="b", choice=1),
        ev.Stop(reason="refusal", sequence="x", native={"more": 1}),
    ]
    paths = {loss.path for loss in write(events, stream)[1]}
    assert paths == {
        "reply.thinking.signature",
        "reply.redacted_thinking",
        "reply.logprobs.top_logprobs",
        "reply.citations",
        "reply.audio",
        "reply.choices[1]",
        "reply.stop_sequence",
        "reply.finish_reason",
        "reply.choices[0].more",
    }


# --- recorded traffic


@needs_recordings
def test_recorded_replies_pass_and_are_read():
    whole = streams = 0
    for exchange in recorded():
        reply = exchange["response"]
        if reply["status"] != 200:
            error = dialect.read_error(reply["status"], json.dumps(reply["body"]).encode())
            assert error.message == reply["body"]["message"]
            assert error.kind
            continue
        stream = "sse" in reply
        data = reply["sse"].encode() if stream else json.dumps(reply["body"]).encode()
        relay = dialect.relay(stream, {})
        assert relay.feed(data) + relay.end() == data or relay.failed
        events = read(data, stream)
        agree(relay, events)
        if relay.failed:
            continue
        written, lost = write(events, stream)
        assert lost == []
        assert gist(read(written, stream)) == gist(events), exchange["id"]
        parse(written, stream)
        billed = relay.usage.reported["billed_units"]
        assert (relay.usage.prompt, relay.usage.completion) == (billed["input_tokens"], billed["output_tokens"])
        whole, streams = whole + (not stream), streams + stream
    assert whole > 70
    assert streams > 20


def test_a_cut_reply_has_no_end():
    with pytest.raises(ProviderError):
        write([START, ev.Text(text="a"), ev.Stop(reason="cut")], False)
    assert b"message-end" not in write([START, ev.Text(text="a"), ev.Stop(reason="cut")], True)[0]
