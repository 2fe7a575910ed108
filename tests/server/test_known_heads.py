"""Requests whose head differs from the last one by its content-length alone are read without the parser, and alike."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.server.connections import Connections
from headgate.server.refusals import Limits
from server.rawhttp import Echo, everything, held_back, serving, statuses
from server.test_heads import Wire, outcome
from waiting import until

HEADS = (
    b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n",
    b"POST /echo HTTP/1.1\r\ncontent-length:%03d\r\nhost: a\r\nx: content-length: 3\r\nconnection: keep-alive\r\n\r\n",
    b"POST /echo?content-length:1 HTTP/1.1\r\nHost: a\r\nX-Content-Length: 7\r\nContent-LENGTH: \t%d\r\n\r\n",
)
BARE = (b"GET /echo HTTP/1.1\r\nHost: a\r\n\r\n", b"HEAD /echo?x HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n")
PARTICULAR = (
    b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n",
    b"GET /echo HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 2\r\n\r\nab",
    b"POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab",
    b"\r\n" + HEADS[0] % 2 + b"ab",
)
BODIES = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([BARE[0], HEADS[0] % 5 + b"hello", b"\r\n\r\n", b"0\r\n\r\n", b"HTTP/1.1", HEADS[0][:20]]),
)
POSTS = st.builds(lambda head, body: (head % len(body) + body, body), st.sampled_from(HEADS), BODIES)
OTHERS = st.one_of(
    st.sampled_from(BARE).map(lambda head: (head, b"")), st.sampled_from(PARTICULAR).map(lambda sent: (sent, b"ab"))
)


def post(body: bytes, path: str = "/echo", length: int | None = None) -> bytes:
    head = b"POST %b HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
    return head % (path.encode(), len(body) if length is None else length) + body


@contextlib.asynccontextmanager
async def warm(box, path: str = "/echo"):
    """A connection on which the head of `post` is known."""
    reader, writer = await box.connect()
    try:
        writer.write(post(b"hello", path))
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(2 if path == "/early" else 5)
        yield reader, writer
    finally:
        writer.transport.abort()


@given(
    st.lists(st.one_of(POSTS, POSTS, OTHERS), min_size=1, max_size=6),
    st.lists(st.integers(1, 60), max_size=8),
    st.booleans(),
    st.integers(1, 3),
)
async def test_whatever_is_sent_and_however_it_is_cut_its_bodies_are_its_own(sent, cuts, at_once, times):
    sent = [each for each in sent for _ in range(times)]
    data = [request for request, _ in sent]
    pieces = []
    for request in [b"".join(data)] if at_once else data:
        for size in cuts:
            pieces.append(request[:size])
            request = request[size:]
        pieces.append(request)
    requests, answers = await outcome([piece for piece in pieces if piece])
    assert [body for _, _, body in requests] == [body for _, body in sent]
    assert [status for status in answers if status != 100] == [200] * len(sent)


async def test_the_parser_is_not_asked_about_a_head_that_is_known():
    app = Echo()
    connections = Connections(app)
    protocol, wire = connections.protocol(), Wire()
    protocol.connection_made(wire)
    protocol.data_received(post(b"first"))
    await asyncio.sleep(0.01)
    parser, protocol.parser = protocol.parser, None
    protocol.data_received(post(b"the second")[:-3])
    protocol.data_received(b"ond")
    await asyncio.sleep(0.01)
    protocol.parser = parser
    protocol.data_received(post(b"third", "/echo/"))
    await asyncio.sleep(0.01)
    assert [body for _, _, body in app.seen.requests] == [b"first", b"the second", b"third"]
    assert statuses(wire.out) == [200] * 3
    protocol.connection_lost(None)
    connections.stop()


NO_LENGTHS = b"-1", b"+5", b"0x5", b"5 5", b"5;", b"", b" ", b"1" * 19, b"\xb2", b"5\x00", b"1_0"


@pytest.mark.parametrize("length", NO_LENGTHS)
async def test_no_other_length_is_taken_for_one(length):
    bad = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %b\r\n\r\nhello" % length
    assert await outcome([post(b"hello"), bad]) == ([("POST", "/echo", b"hello")], [200, 400])


async def test_a_second_length_is_not_hidden_by_the_first():
    twice = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello"
    assert await outcome([post(b"hello"), twice]) == ([("POST", "/echo", b"hello")], [200, 400])


async def test_a_slow_body_is_answered_408():
    async with serving(Limits(body_idle_timeout=0.2, min_body_rate=1000)) as box, warm(box) as (reader, writer):
        writer.write(post(b"x", length=100_000))
        assert statuses(await everything(reader)) == [408]


async def test_a_body_beyond_the_limit_is_413():
    async with serving(Limits(max_body_bytes=100_000)) as box, warm(box) as (reader, writer):
        writer.write(post(b"x" * 100_001))
        assert statuses(await everything(reader)) == [413]
        assert len(box.seen.requests) == 1


async def test_a_client_that_leaves_in_its_body_cancels_its_request():
    async with serving() as box, warm(box, "/early") as (_, writer):
        box.app.early = box.app.hold
        writer.write(post(b"x", "/early", length=10))
        await until(lambda: box.connections.cycles)
        writer.transport.abort()
        await until(lambda: not box.connections.open)
        await until(lambda: box.seen.cancelled)
        assert box.seen.cancelled[0][2] == "client"


async def test_an_unread_body_holds_the_client_back():
    async with serving() as box, warm(box, "/early") as (reader, writer):
        box.app.early = box.app.hold
        assert await held_back(box, reader, writer, post(b"x" * 20_000_000, "/early"))


async def test_an_answer_before_the_end_of_a_body():
    async with serving() as box, warm(box, "/early") as (reader, writer):
        writer.write(post(b"hello", "/early")[:-3])
        assert statuses(await reader.readuntil(b"no")) == [401]
        writer.write(b"llo" + post(b"after") + post(b"x" * 9, "/early", length=90_000_000))
        assert statuses(await everything(reader)) == [200, 401]
        assert [body for *_, body in box.seen.requests] == [None, None, b"after", None]


async def test_many_requests_behind_one_that_is_known():
    """Each of these is answered at once."""
    options = b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"
    for each in (options, options.replace(b"\r\n\r\n", b"\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n")):
        assert (await outcome([each, each * 1500]))[1] == [204] * 1501


async def test_an_empty_line_behind_a_body_begins_no_request():
    async with serving(Limits(header_timeout=0.2, keep_alive=5)) as box, warm(box) as (reader, writer):
        writer.write(post(b"again") + b"\r\n")
        assert (await reader.readuntil(b"again")).startswith(b"HTTP/1.1 200")
        await asyncio.sleep(0.6)
        assert not box.seen.refusals
        writer.write(post(b"later"))
        assert (await reader.readuntil(b"later")).startswith(b"HTTP/1.1 200")
