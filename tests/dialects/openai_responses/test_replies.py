"""Replies: any split gives the same events, a stream says what its whole says, and what broke off is never an end."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dialects import mutations
from dialects.openai_responses.laws import (
    FIXTURES,
    PAIRS,
    STREAMS,
    WHOLE,
    accumulated,
    gist,
    named,
    parse,
    pieces,
    read,
    write,
)
from headgate.core import events as ev
from headgate.core.errors import ProviderCut, ProviderError, ProviderNonsense, ProviderRefused
from headgate.dialects import openai_responses as dialect
from together import together

FAILS = {"failed", "failed_late", "error_flat"}
ENDS = [path for path in STREAMS if path.stem not in FAILS]
splits = st.lists(st.integers(0, 4000), max_size=8)


def relayed(data, stream, sizes=None):
    relay = dialect.relay(stream, {})
    passed = b"".join(relay.feed(piece) for piece in pieces(data, sizes))
    return passed + relay.end(), relay


@named(STREAMS)
@given(sizes=splits)
@settings(max_examples=40, deadline=None)
def test_any_split_gives_the_same(path, sizes):
    data = path.read_bytes()
    assert gist(read(data, True, sizes)) == gist(read(data, True))
    passed, relay = relayed(data, True, sizes)
    again, other = relayed(data, True)
    assert data.startswith(passed)
    assert (relay.usage, relay.finish, relay.complete) == (other.usage, other.finish, other.complete)
    assert str(relay.failed) == str(other.failed)
    assert passed == again or path.stem in FAILS


@named(PAIRS)
def test_a_stream_says_what_the_whole_says(path):
    stream = read((FIXTURES / "streams" / f"{path.stem}.sse").read_bytes(), True)
    assert gist(stream) == gist(read(path.read_bytes(), False))


@named(ENDS)
def test_a_stream_that_ends_early_is_cut(path):
    data = path.read_bytes()
    done = re.search(rb'"type": ?"response\.(completed|incomplete)"', data)
    end = data.index(b"\n\n", done.start()) + 1  # one short of the blank line that ends the last event
    for size in {*range(1, end, 97), end}:
        events = read(data[:size], True)
        assert events[-1] == ev.Stop(reason="cut"), size
        passed, relay = relayed(data[:size], True)
        assert not relay.complete
        assert data.startswith(passed)


@named([*WHOLE, *ENDS])
@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
def test_what_is_written_reads_the_same(path, stream):
    events = read(path.read_bytes(), path.suffix == ".sse")
    written, lost = write(events, stream)
    assert gist(read(written, stream)) == gist(events)
    assert lost == []
    if path.stem != "host_without_items":
        parse(written, stream)
        if stream:
            accumulated(written)


@named(WHOLE)
def test_a_whole_reply_passes(path):
    data = path.read_bytes()
    passed, relay = relayed(data, False)
    assert passed == data
    assert (relay.id, relay.complete, relay.started) == ("resp_abc", True, True)


@named(ENDS)
def test_a_stream_passes_and_is_accounted_for(path):
    data = path.read_bytes()
    passed, relay = relayed(data, True)
    assert data.removesuffix(b"data: [DONE]\n\n") == passed
    events = read(data, True)
    assert relay.usage == [event.usage for event in events if isinstance(event, ev.Used)][-1]
    assert (relay.id, relay.finish, relay.started) == ("resp_abc", events[-1].vendor, True)


def test_usage_is_split_into_disjoint_classes():
    usage = relayed((FIXTURES / "whole" / "text.json").read_bytes(), False)[1].usage
    assert (usage.input, usage.cache_read, usage.cache_write, usage.output, usage.reasoning) == (32, 64, 4, 15, 5)


def test_nothing_is_told_before_the_first_piece():
    """The provider may fail until then, and another one be asked."""
    data = (FIXTURES / "streams" / "failed.sse").read_bytes()
    created, error, _ = data.split(b"\n\n", 2)
    reader, relay = dialect.reader(True), dialect.relay(True, {})
    assert reader.feed(created + b"\n\n") == []
    assert relay.feed(created + b"\n\n") == created + b"\n\n"
    assert (relay.id, relay.started, relay.failed) == (None, False, None)
    [failed] = reader.feed(error + b"\n\n")
    relay.feed(error + b"\n\n")
    assert (failed.error.status, failed.error.message) == (429, "Too fast. Try again in 2s.")
    assert relay.failed.status == 429
    assert relay.failed.retryable


@pytest.mark.parametrize(("name", "status"), [("error_flat", 502), ("failed_late", 429)])
def test_errors_in_a_stream(name, status):
    data = (FIXTURES / "streams" / f"{name}.sse").read_bytes()
    failed = read(data, True)[-1]
    passed, relay = relayed(data, True)
    assert passed == data
    assert not relay.complete
    for error in (failed.error, relay.failed):
        assert isinstance(error, ProviderRefused)
        assert error.status == status


def test_an_error_in_mid_stream_waits_for_response_failed():
    """OpenAI sends both, and Codex listens to the second alone."""
    text = (FIXTURES / "streams" / "text.sse").read_bytes().split(b"\n\n")[:5]
    error, failed = (FIXTURES / "streams" / "failed.sse").read_bytes().split(b"\n\n")[1:3]
    relay = dialect.relay(True, {})
    relay.feed(b"\n\n".join(text) + b"\n\n")
    assert relay.started
    assert relay.feed(error + b"\n\n") == error + b"\n\n"
    assert relay.failed is None
    assert relay.feed(failed + b"\n\n") == failed + b"\n\n"
    assert relay.failed.status == 429
    relay = dialect.relay(True, {})
    relay.feed(b"\n\n".join([*text, error]) + b"\n\n")
    assert relay.end() == b""
    assert relay.failed.status == 429


@together("stream", [True, False])
@together(
    ("body", "error"),
    [
        (b"<html>", ProviderNonsense),
        (b'{"choices":[]}', ProviderNonsense),
        (b"[1]", ProviderNonsense),
        (b'{"error":{"message":"No.","code":"server_error"}}', ProviderRefused),
        (b'{"id":"r","status":"failed","error":{"code":"server_error","message":"x"},"output":[]}', ProviderRefused),
        (b'{"output":[3]}', ProviderNonsense),
    ],
)
def test_what_is_no_reply(body, error, stream):
    with pytest.raises(error):
        read(body, stream)
    with pytest.raises(error):
        relayed(body, stream)


def test_a_whole_reply_where_a_stream_was_asked_for():
    data = (FIXTURES / "whole" / "text.json").read_bytes()
    assert gist(read(data, True)) == gist(read(data, False))


@pytest.mark.parametrize("kind", [[], {}, 1, None])
def test_an_item_whose_kind_is_no_word_begins_no_answer(kind):
    relay = dialect.relay(True, {})
    event = {"type": "response.output_item.added", "sequence_number": 0, "output_index": 0, "item": {"type": kind}}
    relay.feed(f"event: response.output_item.added\ndata: {json.dumps(event)}\n\n".encode())
    assert not relay.started


@named([path for path in (*WHOLE, *STREAMS) if path.stem != "picture"])
@given(which=st.integers(0, 50), changes=mutations.changes)
@settings(max_examples=40, deadline=None)
def test_whatever_a_reply_holds_nothing_else_comes_of_it(path, which, changes):
    data = path.read_bytes()
    if path.suffix == ".json":
        mutations.check_reply(dialect, json.dumps(mutations.mutated(json.loads(data), changes)).encode(), False)
    else:
        mutations.check_stream(dialect, data, which, changes)


@named(WHOLE)
@given(which=st.integers(0, 50), changes=mutations.changes)
@settings(max_examples=30, deadline=None)
def test_what_is_read_of_odd_replies_can_be_written_here(path, which, changes):
    body = json.dumps(mutations.mutated(json.loads(path.read_bytes()), changes)).encode()
    try:
        events = read(body, False)
    except ProviderError:
        return
    for stream in (True, False):
        write(events, stream)


@pytest.mark.parametrize("last", [ev.Stop(reason="cut"), ev.Failed(error=ProviderCut("x"))])
def test_a_reply_that_broke_off_gets_no_end(last):
    events = [ev.Start(id="r"), ev.Text(text="x"), last]
    assert b"response.completed" not in write(events, True)[0]
    with pytest.raises(ProviderError):
        write(events, False)
