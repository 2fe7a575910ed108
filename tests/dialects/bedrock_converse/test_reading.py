"""Replies mean the same however they are cut, streamed or whole, and are passed on byte for byte."""

import contextlib
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialects.bedrock_converse.laws import (
    FAILS,
    FIXTURES,
    PAIRS,
    STREAMS,
    WHOLE,
    framed,
    gist,
    messages_of,
    named,
    pieces,
    read,
    write,
)
from dialects.mutations import changes, mutated
from gateways import rounds
from headgate.core import events as ev
from headgate.core.errors import ProviderError, ProviderNonsense, ProviderRefused
from headgate.core.usage import Usage
from headgate.dialects import bedrock_converse as dialect
from headgate.dialects.event_stream import write_event, write_message
from together import together


@named(PAIRS)
def test_a_stream_says_what_the_whole_reply_says(path):
    whole = gist(read(path.read_bytes(), stream=False))
    assert gist(read(framed(FIXTURES / "streams" / path.name), stream=True)) == whole


@named(STREAMS)
@given(sizes=st.lists(st.integers(0, 3000), max_size=12))
@settings(max_examples=15, deadline=None)
def test_any_split_gives_the_same(path, sizes):
    data = framed(path)
    assert gist(read(data, True, sizes)) == gist(read(data, True))
    relay, at_once = dialect.relay(True, {}), dialect.relay(True, {})
    passed = b"".join([*(relay.feed(piece) for piece in pieces(data, sizes)), relay.end()])
    assert passed == at_once.feed(data) + at_once.end()
    assert data.startswith(passed)
    if path.stem != "after_the_end":
        assert passed == data
    told = [(one.usage, one.finish, one.started, one.complete) for one in (relay, at_once)]
    assert told[0] == told[1]
    assert relay.complete == (path.stem not in FAILS)
    assert (relay.failed is not None) == (path.stem in FAILS)


@named(STREAMS)
def test_byte_by_byte(path):
    data = framed(path)
    assert gist(read(data, True, range(len(data)))) == gist(read(data, True))


@named(STREAMS)
def test_relay_and_reader_agree(path):
    relay = dialect.relay(True, {})
    relay.feed(framed(path))
    relay.end()
    events = read(framed(path), True)
    assert relay.usage == next((e.usage for e in reversed(events) if isinstance(e, ev.Used)), None)
    assert relay.finish == next((e.vendor for e in events if isinstance(e, ev.Stop)), None)
    assert relay.complete == isinstance(events[-1], ev.Stop)


@pytest.mark.parametrize("name", ["text", "tool_use", "system_tool", "reasoning", "image"])
def test_a_stream_cut_anywhere_is_known_as_cut(name):
    path = FIXTURES / "streams" / f"{name}.json"
    data, messages = framed(path), list(messages_of(json.loads(path.read_bytes())))
    over = len(data) - len(messages[-1])  # the stop reason is there; only the usage is not
    for end in range(len(data)):
        relay, events = dialect.relay(True, {}), read(data[:end], True)
        passed = relay.feed(data[:end]) + relay.end()
        assert relay.complete == (end >= over)
        assert (events[-1].reason == "cut") == (end < over)
        assert data.startswith(passed)
        assert passed == b"".join(messages)[: len(passed)]


@named(WHOLE)
def test_a_whole_reply_cut_anywhere_is_nonsense(path):
    data = path.read_bytes().rstrip()
    for end in range(0, len(data), 7):
        with pytest.raises(ProviderNonsense):
            read(data[:end], False)
        with pytest.raises(ProviderNonsense):
            dialect.relay(False, {}).feed(data[:end])


@named(WHOLE)
def test_a_whole_reply_is_passed_as_it_is(path):
    relay = dialect.relay(False, {})
    assert relay.feed(path.read_bytes()) + relay.end() == path.read_bytes()
    fields = json.loads(path.read_bytes())
    assert (relay.complete, relay.started, relay.failed, relay.finish) == (True, True, None, fields["stopReason"])
    assert relay.usage.reported == fields["usage"]


def test_usage_is_in_disjoint_classes():
    events = read((FIXTURES / "whole" / "cache_usage.json").read_bytes(), False)
    [usage] = [event.usage for event in events if isinstance(event, ev.Used)]
    expected = Usage(input=16, output=9, cache_read=1000, cache_write=1000, cache_write_1h=387, reported=usage.reported)
    assert usage == expected
    assert usage.prompt + usage.completion == usage.reported["totalTokens"]


def test_pieces_of_an_image_are_joined():
    [image] = [
        event for event in read(framed(FIXTURES / "streams" / "image.json"), True) if isinstance(event, ev.Image)
    ]
    whole = json.loads((FIXTURES / "whole" / "image.json").read_bytes())["output"]["message"]["content"][1]["image"]
    assert (image.base64, image.media_type) == (whole["source"]["bytes"], "image/png")


NO_REPLY = [b"", b"  ", b"<html>Bad gateway</html>", b"null", b"[]", b"{}", b'{"output":{}}', b'{"id":1}', b"\xff"]


@together("body", NO_REPLY)
def test_what_is_no_reply_is_nonsense(body):
    with pytest.raises(ProviderNonsense):
        dialect.relay(False, {}).feed(body)
    with pytest.raises(ProviderNonsense):
        read(body, False)


@pytest.mark.parametrize(
    "body", [b"<html>Bad gateway</html>", b'data: {"a":1}\n\n', b'{"message":"Too many requests"}']
)
def test_what_is_no_stream_is_nonsense(body):
    with pytest.raises(ProviderNonsense):
        dialect.relay(True, {}).feed(body)
    with pytest.raises(ProviderNonsense):
        read(body, True)


def test_an_error_that_came_as_a_200_is_the_providers():
    body = b'{"__type":"com.amazon.coral.service#ThrottlingException","message":"Slow down"}'
    for attempt in (lambda: dialect.relay(False, {}).feed(body), lambda: read(body, False)):
        with pytest.raises(ProviderRefused, match="Slow down") as caught:
            attempt()
        assert (caught.value.status, caught.value.kind, caught.value.retryable) == (429, "ThrottlingException", True)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("contentBlockDelta", b"{"),
        ("contentBlockDelta", b"[]"),
        ("contentBlockDelta", b'{"contentBlockIndex":0}'),
        ("contentBlockStart", b'{"contentBlockIndex":0,"start":[]}'),
        ("messageStop", b"\xff"),
        ("metadata", b"null"),
    ],
)
def test_a_broken_event_is_nonsense(name, data):
    with pytest.raises(ProviderNonsense):
        read(write_event(name, data), True)


@pytest.mark.parametrize(
    ("headers", "status", "message"),
    [
        ({":message-type": "exception", ":exception-type": "throttlingException"}, 429, "Too fast"),
        ({":message-type": "exception", ":exception-type": "modelTimeoutException"}, 408, "Too fast"),
        ({":message-type": "error", ":error-code": "InternalServerException", ":error-message": "Oh"}, 500, "Too fast"),
        ({":message-type": "exception"}, 500, "Too fast"),
    ],
)
def test_an_exception_fails_the_reply(headers, status, message):
    data = write_event("messageStart", b'{"role":"assistant"}') + write_message(headers, b'{"message":"Too fast"}')
    [_, failed] = read(data, True)
    relay = dialect.relay(True, {})
    assert relay.feed(data) == data
    for error in (failed.error, relay.failed):
        assert (error.status, error.message) == (status, message)
        assert error.retryable


def test_an_error_message_without_a_payload_is_read_of_its_headers():
    headers = {":message-type": "error", ":error-code": "InternalServerException", ":error-message": "Oh"}
    [failed] = read(write_message(headers, b""), True)
    assert (failed.error.message, failed.error.kind) == ("Oh", "InternalServerException")


@given(st.sampled_from(STREAMS), st.integers(0, 100), changes)
@settings(max_examples=rounds(100, 3000), deadline=None)
def test_whatever_an_event_holds_only_provider_errors_come_of_it(path, which, changed):
    events = json.loads(path.read_bytes())
    event = events[which % len(events)]
    event["data"] = mutated(event["data"], changed)
    data = b"".join(messages_of(events))
    relay = dialect.relay(True, {})
    with contextlib.suppress(ProviderError):
        relay.feed(data)
        relay.end()
    with contextlib.suppress(ProviderError):
        events = read(data, True)
        write(events, True)
        write(events, False)


@given(st.sampled_from(WHOLE), changes)
@settings(max_examples=rounds(100, 3000), deadline=None)
def test_whatever_a_reply_holds_only_provider_errors_come_of_it(path, changed):
    data = json.dumps(mutated(json.loads(path.read_bytes()), changed)).encode()
    with contextlib.suppress(ProviderError):
        dialect.relay(False, {}).feed(data)
    with contextlib.suppress(ProviderError):
        write(read(data, False), False)
