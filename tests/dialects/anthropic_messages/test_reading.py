"""Replies mean the same however they are cut, streamed or whole, and are passed on byte for byte."""

import contextlib
import json
import re

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialects.anthropic_messages.laws import (
    FAILS,
    FIXTURES,
    PAIRS,
    STREAMS,
    WHOLE,
    gist,
    less_reported,
    named,
    pieces,
    read,
    write,
)
from gateways import rounds
from headgate.core import events as ev
from headgate.core.errors import (
    ProviderError,
    ProviderNonsense,
    ProviderRefused,
)
from headgate.dialects import anthropic_messages as dialect
from together import together


@named(PAIRS)
def test_a_stream_says_what_the_whole_reply_says(path):
    whole = gist(read(path.read_bytes(), stream=False))
    streamed = gist(read((FIXTURES / "streams" / f"{path.stem}.sse").read_bytes(), stream=True))
    assert less_reported(streamed) == less_reported(whole)


@named(STREAMS)
@given(sizes=st.lists(st.integers(0, 4000), max_size=12))
@settings(max_examples=15, deadline=None)
def test_any_split_gives_the_same(path, sizes):
    data = path.read_bytes()
    assert gist(read(data, True, sizes)) == gist(read(data, True))
    relay, at_once = dialect.relay(True, {}), dialect.relay(True, {})
    passed = b"".join([*(relay.feed(piece) for piece in pieces(data, sizes)), relay.end()])
    assert passed == at_once.feed(data) + at_once.end()
    assert data.startswith(passed)
    if path.stem != "after_the_end":
        assert passed == data
    assert (relay.usage, relay.finish, relay.id, relay.started) == (
        at_once.usage,
        at_once.finish,
        at_once.id,
        at_once.started,
    )
    assert relay.complete == at_once.complete == (path.stem not in FAILS)
    assert (relay.failed is not None) == (path.stem in FAILS)


@named(STREAMS)
def test_byte_by_byte(path):
    data = path.read_bytes()
    assert gist(read(data, True, range(len(data)))) == gist(read(data, True))


@named(STREAMS)
def test_relay_and_reader_agree(path):
    relay = dialect.relay(True, {})
    relay.feed(path.read_bytes())
    relay.end()
    events = read(path.read_bytes(), True)
    assert relay.usage == next((e.usage for e in reversed(events) if isinstance(e, ev.Used)), None)
    assert relay.finish == next((e.vendor for e in events if isinstance(e, ev.Stop)), None)
    assert [e.id for e in events if isinstance(e, ev.Start)] == ([relay.id] if relay.id else [])
    assert relay.complete == isinstance(events[-1], ev.Stop)


@pytest.mark.parametrize("name", ["text", "tool_use", "web_search", "crlf", "thinking"])
def test_a_stream_cut_anywhere_is_known_as_cut(name):
    data = (FIXTURES / "streams" / f"{name}.sse").read_bytes()
    mark = data.index(b"event: message_delta")
    over = data.index(b"message_stop", mark) - len("event: ")
    for end in range(over):
        relay, events = dialect.relay(True, {}), read(data[:end], True)
        passed = relay.feed(data[:end]) + relay.end()
        ended = end > mark and relay.finish is not None  # only the last marker is missing
        assert relay.complete == ended
        assert (events[-1].reason == "cut") == (not ended)
        assert passed == b"" or passed.endswith((b"\n\n", b"\r\n\r\n", b"\r\n\r"))
        assert data.startswith(passed)


@named(WHOLE)
def test_a_whole_reply_cut_anywhere_is_nonsense(path):
    data = path.read_bytes().rstrip()
    for end in range(0, len(data), 3):
        with pytest.raises(ProviderNonsense):
            read(data[:end], False)
        with pytest.raises(ProviderNonsense):
            dialect.relay(False, {}).feed(data[:end])


@named(WHOLE)
def test_a_whole_reply_is_passed_as_it_is(path):
    relay = dialect.relay(False, {})
    assert relay.feed(path.read_bytes()) + relay.end() == path.read_bytes()
    fields = json.loads(path.read_bytes())
    assert (relay.complete, relay.started, relay.failed) == (True, True, None)
    assert (relay.id, relay.finish) == (fields["id"], fields["stop_reason"])
    assert relay.usage.reported == fields["usage"]


@together(
    "body",
    [b"", b"  ", b"<html>Bad gateway</html>", b"null", b"[]", b"{}", b'{"type":"message"}', b'{"id":1}', b"\xff"],
)
def test_what_is_no_reply_is_nonsense(body):
    with pytest.raises(ProviderNonsense):
        dialect.relay(False, {}).feed(body)
    with pytest.raises(ProviderNonsense):
        read(body, False)
    if body.strip():
        relay = dialect.relay(True, {})
        with pytest.raises(ProviderNonsense):
            relay.feed(body + b"\n\n")
        with pytest.raises(ProviderNonsense):
            read(body, True)


def test_an_error_that_came_as_a_200_is_the_providers():
    body = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
    for attempt in (lambda: dialect.relay(False, {}).feed(body), lambda: read(body, False), lambda: read(body, True)):
        with pytest.raises(ProviderRefused) as caught:
            attempt()
        assert (caught.value.status, caught.value.kind, caught.value.retryable) == (529, "overloaded_error", True)


@pytest.mark.parametrize("data", [b"{", b'{"type":"content_block_delta","index":0,"delta":{"text":1}}', b"[]"])
def test_a_broken_event_is_nonsense(data):
    with pytest.raises(ProviderNonsense):
        read(b"event: content_block_delta\ndata: " + data + b"\n\n", True)


def test_an_error_event_fails_the_reply():
    events = read((FIXTURES / "streams" / "error_in_stream.sse").read_bytes(), True)
    failed = events[-1]
    assert isinstance(failed, ev.Failed)
    assert isinstance(failed.error, ProviderError)
    assert (failed.error.status, failed.error.retryable) == (529, True)


LEAF = re.compile(rb'(?<=:)(?:"[^"\\]*"|[0-9]+|null|true|\{\}|\[\])(?=[,}\]])')
odd = st.sampled_from([b"null", b"1", b"[]", b"{}", b'"x"', b"[1]", b'{"a":[]}', b"-1", b"1.5", b"true"])


@given(st.sampled_from(STREAMS), st.lists(st.tuples(st.integers(0, 10**6), odd), min_size=1, max_size=4))
@settings(max_examples=rounds(100, 3000), deadline=None)
def test_whatever_an_event_holds_only_provider_errors_come_of_it(path, changes):
    data = path.read_bytes()
    for place, value in changes:
        leaves = list(LEAF.finditer(data))
        if not leaves:
            break
        leaf = leaves[place % len(leaves)]
        data = data[: leaf.start()] + value + data[leaf.end() :]
    relay = dialect.relay(True, {})
    with contextlib.suppress(ProviderError):
        relay.feed(data)
        relay.end()
    with contextlib.suppress(ProviderError):
        events = read(data, True)
        write(events, True)
        write(events, False)


@given(st.sampled_from(WHOLE), st.lists(st.tuples(st.integers(0, 10**6), odd), min_size=1, max_size=4))
@settings(max_examples=rounds(100, 3000), deadline=None)
def test_whatever_a_message_holds_only_provider_errors_come_of_it(path, changes):
    data = msgspec.json.encode(msgspec.json.decode(path.read_bytes()))
    for place, value in changes:
        leaves = list(LEAF.finditer(data))
        if not leaves:
            break
        leaf = leaves[place % len(leaves)]
        data = data[: leaf.start()] + value + data[leaf.end() :]
    with contextlib.suppress(ProviderError):
        dialect.relay(False, {}).feed(data)
    with contextlib.suppress(ProviderError):
        write(read(data, False), False)


@pytest.mark.parametrize("form", ["relay", "reader"])
@pytest.mark.parametrize("start", [b"<html><body>", b"Bad gateway", b"\n <!doctype html>"])
def test_what_is_no_stream_is_known_by_its_first_bytes(form, start):
    part = dialect.relay(True, {}) if form == "relay" else dialect.reader(True)
    with pytest.raises(ProviderNonsense):
        part.feed(start)


@together("start", [b"\xef", b"\n", b"e", b"event: mess", b"data: {", b": hello", b"id: 1", b"retry: 5"])
def test_a_stream_may_begin_with_any_of_its_lines(start):
    relay = dialect.relay(True, {})
    assert relay.feed(start) == b""
    assert dialect.reader(True).feed(start) == []


def test_json_instead_of_a_stream_is_waited_for_as_long_as_it_may_be_an_error():
    error = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
    relay = dialect.relay(True, {})
    assert relay.feed(error[:-1]) == b""
    with pytest.raises(ProviderRefused, match="Overloaded"):
        relay.feed(error[-1:])
    relay = dialect.relay(True, {})
    assert relay.feed(b'{"type":"message","content":[' + b" " * 60_000) == b""
    with pytest.raises(ProviderNonsense):
        relay.feed(b" " * 10_000)


@pytest.mark.parametrize("content", [b"[5]", b'["x"]', b"[null]", b"{}", b"null", b'"x"'])
def test_content_that_is_no_list_of_blocks_is_nonsense(content):
    body = (
        b'{"type":"message","id":"m","role":"assistant","model":"x","content":'
        + content
        + b',"stop_reason":"end_turn"}'
    )
    with pytest.raises(ProviderNonsense):
        dialect.relay(False, {}).feed(body)
    with pytest.raises(ProviderNonsense):
        read(body, False)
