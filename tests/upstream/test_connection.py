"""One connection against every way a reply can be framed, cut, slow or wrong."""

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.errors import ProviderCut, ProviderNonsense, ProviderTimeout
from headgate.core.target import Timeouts
from headgate.upstream.connection import Connection, Limits
from headgate.upstream.deadlines import Deadlines
from upstreams import (
    LAST_CHUNK,
    Close,
    Drip,
    Reset,
    ScriptedUpstream,
    Sleep,
    Stall,
    as_chunk,
    broken,
    chunked_head,
    cut,
    json_reply,
    reply,
    sse_event,
    sse_reply,
)

OK = json_reply({"ok": True})
LIMIT = 1 << 20
H = b"HTTP/1.1 200 OK\r\n"
CHUNKED = H + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;name=value\r\n world\r\n0\r\nx-trailer: v\r\n\r\n"
LENGTH = H + b"Content-Length: 11\r\n\r\nhello world"


async def answer(client, endpoint):
    return await (await client.post(endpoint, b"{}")).read(LIMIT)


@pytest.mark.parametrize(
    ("whole", "status", "body", "kept"),
    [
        (LENGTH, 200, b"hello world", True),
        (CHUNKED, 200, b"hello world", True),
        (H + b"content-length: 0\r\n\r\n", 200, b"", True),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b"", True),
        (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n", 304, b"", True),
        (H + b"connection: close\r\ncontent-length: 2\r\n\r\nhi", 200, b"hi", False),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi", 200, b"hi", False),
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + LENGTH,
            200,
            b"hello world",
            True,
        ),
        (reply(b"<html>no</html>", status=502, content_type="text/html"), 502, b"<html>no</html>", True),
    ],
    ids=["length", "chunked", "empty", "204", "304", "close", "1.0", "interim", "html"],
)
async def test_framings(client, to, whole, status, body, kept):
    with ScriptedUpstream(whole) as upstream:
        for _ in range(2):
            response = await client.post(to(upstream), b"{}")
            assert (response.status, await response.read(LIMIT)) == (status, body)
        assert upstream.connections == (1 if kept else 2)
        assert b"link" not in dict(response.headers)
        assert b"x-trailer" not in dict(response.headers)


async def test_a_reply_without_length_ends_with_the_connection(client, to):
    with ScriptedUpstream((H + b"\r\nhello", Sleep(0.05), b" world", Close())) as upstream:
        assert await answer(client, to(upstream)) == b"hello world"


async def test_a_reset_is_no_end_of_a_reply_without_length(client, to):
    with (
        ScriptedUpstream((H + b"\r\nhello", Sleep(0.05), Reset())) as upstream,
        pytest.raises(ProviderCut, match="reset the connection before the end"),
    ):
        await answer(client, to(upstream))


NONSENSE = {
    "length and chunked": H + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunked and length": H + b"transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n",
    "two lengths": H + b"content-length: 5\r\ncontent-length: 6\r\n\r\nhello",
    "list of lengths": H + b"content-length: 5, 6\r\n\r\nhello",
    "signed length": H + b"content-length: +5\r\n\r\nhello",
    "huge length": H + b"content-length: 99999999999999999999999\r\n\r\nhello",
    "bad chunk size": H + b"transfer-encoding: chunked\r\n\r\n0_5\r\nhello\r\n0\r\n\r\n",
    "hex chunk size": H + b"transfer-encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
    "huge chunk size": H + b"transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "chunk too long": H + b"transfer-encoding: chunked\r\n\r\n5\r\nhello!!\r\n0\r\n\r\n",
    "bare line feeds": H + b"transfer-encoding: chunked\r\n\r\n5\nhello\n0\n\n",
    "gzip as transfer-encoding": H + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "unknown transfer-encoding": H + b"transfer-encoding: identity\r\n\r\nhello",
    "folded header": H + b"x-a: 1\r\n 2\r\ncontent-length: 0\r\n\r\n",
    "space before colon": H + b"content-length : 0\r\n\r\n",
    "NUL in header": H + b"x-a: \0\r\ncontent-length: 0\r\n\r\n",
    "html": b"<html><body>502 Bad Gateway</body></html>",
    "garbage": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "http 2": b"HTTP/2.0 200 OK\r\ncontent-length: 0\r\n\r\n",
    "status 99": b"HTTP/1.1 099 No\r\ncontent-length: 0\r\n\r\n",
    "status 999": b"HTTP/1.1 999 No\r\ncontent-length: 0\r\n\r\n",
    "status 2000": b"HTTP/1.1 2000 No\r\ncontent-length: 0\r\n\r\n",
    "switching protocols": b"HTTP/1.1 101 Switch\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nabc",
    "flood of interim replies": b"HTTP/1.1 100 Continue\r\n\r\n" * 50,
    "large head": H + b"x-large: " + b"x" * 70_000 + b"\r\n\r\n",
    "many headers": H + b"x: y\r\n" * 300 + b"content-length: 0\r\n\r\n",
    "unknown content-encoding": H + b"content-encoding: snappy\r\ncontent-length: 1\r\n\r\nx",
    "encoded twice": H + b"content-encoding: gzip\r\ncontent-encoding: br\r\ncontent-length: 1\r\n\r\nx",
}


@pytest.mark.parametrize("whole", NONSENSE.values(), ids=NONSENSE)
@pytest.mark.parametrize("size", [None, 7], ids=["at once", "in pieces"])
async def test_what_is_not_http_is_refused(client, to, whole, size):
    with ScriptedUpstream((Drip(whole, size or len(whole)), Stall())) as upstream:
        with pytest.raises(ProviderNonsense) as caught:
            await answer(client, to(upstream))
        assert f"127.0.0.1:{upstream.port}" in caught.value.message or "encoded" in caught.value.message
        await asyncio.to_thread(upstream.wait_for_close)


async def test_a_head_without_end_is_cut_off(client, to):
    async def endless(asked):
        await asked.send(H)
        while True:
            await asked.send(b"x-header: value\r\n" * 100)

    with ScriptedUpstream(endless) as upstream, pytest.raises(ProviderNonsense, match="65536 bytes of headers"):
        await answer(client, to(upstream))


@pytest.mark.parametrize("start", [b"0\r\nx-trailer: ", b"5;extension="], ids=["trailer", "extension"])
async def test_lines_without_end_in_the_body_are_cut_off(client, to, start):
    async def endless(asked):
        await asked.send(chunked_head() + start)
        while True:
            await asked.send(b"x" * 10_000)

    with ScriptedUpstream(endless) as upstream, pytest.raises(ProviderNonsense):
        await answer(client, to(upstream))


async def test_long_streams_of_small_chunks_are_no_endless_lines(made, to):
    client = made(max_header_bytes=200)
    steps = [step for number in range(60) for step in (b"5\r\n", b"hello", b"\r\n")]
    with ScriptedUpstream((H + b"transfer-encoding: chunked\r\n\r\n", *steps, LAST_CHUNK)) as upstream:
        assert await answer(client, to(upstream)) == b"hello" * 60


@pytest.mark.parametrize("extra", [b"x", LENGTH, b"HTTP/1.1 200"], ids=["a byte", "a reply", "half a reply"])
async def test_bytes_after_a_reply_end_the_connection_not_the_reply(client, to, extra):
    with ScriptedUpstream(LENGTH + extra) as upstream:
        for _ in range(2):
            assert await answer(client, to(upstream)) == b"hello world"
        assert upstream.connections == 2


async def test_bytes_on_an_idle_connection_end_it(client, to):
    with ScriptedUpstream((LENGTH, Sleep(0.05), LENGTH)) as upstream:
        assert await answer(client, to(upstream)) == b"hello world"
        await asyncio.sleep(0.15)
        assert all(stats.open == 0 for stats in client.stats().values())


@pytest.mark.parametrize("whole", [CHUNKED, LENGTH], ids=["chunked", "length"])
async def test_a_cut_at_any_byte_is_a_cut(client, to, whole):
    with ScriptedUpstream([cut(whole, after) for after in range(len(whole))]) as upstream:
        for after in range(len(whole)):
            with pytest.raises(ProviderCut) as caught:
                await answer(client, to(upstream))
            in_head = after <= whole.index(b"\r\n\r\n") + 3
            assert ("before the end" in caught.value.message) is not in_head
        assert upstream.connections == len(whole)


@pytest.mark.parametrize("after", [0, 5, 60, 68])
async def test_a_reset_at_any_point_is_a_cut(client, to, after):
    with ScriptedUpstream(broken(CHUNKED, after)) as upstream, pytest.raises(ProviderCut, match="reset the connection"):
        await answer(client, to(upstream))


async def test_what_came_before_a_cut_is_given_first(client, to):
    with ScriptedUpstream((chunked_head(), as_chunk(b"one"), Close())) as upstream:
        response = await client.post(to(upstream), b"{}")
        assert await response.chunk() == b"one"
        for _ in range(2):
            with pytest.raises(ProviderCut):
                await response.chunk()


async def test_events_come_as_they_are_sent(client, to):
    events = [sse_event({"n": number}) for number in range(5)]
    with ScriptedUpstream(sse_reply(events, pause=0.03)) as upstream:
        response = await client.post(to(upstream), b"{}")
        chunks = []
        while chunk := await response.chunk():
            chunks.append(chunk)
        assert chunks == events
        assert await response.chunk() == b""


@pytest.mark.parametrize(
    ("script", "timeouts", "setting"),
    [
        ((Stall(),), {"first_byte": 0.2}, "within 0.2 s.*first_byte"),
        ((Drip(OK, 1, 0.05),), {"first_byte": 0.2}, "first_byte"),
        ((chunked_head(), as_chunk(b"a"), Stall()), {"idle": 0.2}, "nothing more.*idle"),
        ((chunked_head(), Drip(as_chunk(b"x" * 500), 1, 0.05)), {"idle": 0.4, "total": 0.5}, "within 0.5 s.*total"),
        ((Stall(),), {"total": 0.2}, "total"),
    ],
    ids=["silent", "slow head", "stops", "a byte at a time", "total"],
)
async def test_each_timeout_names_itself(client, to, script, timeouts, setting):
    with ScriptedUpstream(script) as upstream:
        with pytest.raises(ProviderTimeout, match=f"(?s){setting}"):
            await answer(client, to(upstream, **timeouts))
        await asyncio.to_thread(upstream.wait_for_close)


async def test_a_slow_reader_is_no_slow_provider(client, to):
    with ScriptedUpstream((chunked_head(), as_chunk(b"a"), Sleep(0.4), as_chunk(b"b"), LAST_CHUNK)) as upstream:
        response = await client.post(to(upstream, idle=0.3, first_byte=0.3), b"{}")
        assert await response.chunk() == b"a"
        await asyncio.sleep(0.35)
        assert await response.chunk() == b"b"
        assert await response.chunk() == b""


async def test_a_reader_that_does_not_read_holds_the_provider_back(client, to):
    sent = 0

    async def flood(asked):
        nonlocal sent
        await asked.send(H + b"content-length: 100000000\r\n\r\n")
        for _ in range(1000):
            await asked.send(b"x" * 100_000)
            sent += 100_000

    with ScriptedUpstream(flood) as upstream:
        response = await client.post(to(upstream), b"{}")
        held = -1
        while held != sent:
            held = sent
            await asyncio.sleep(0.3)
        assert response.waiting < 1_000_000
        assert 0 < held < 20_000_000  # what the kernel's socket buffers take
        for _ in range(20):
            assert len(await response.chunk()) < 1_000_000
        await asyncio.sleep(0.1)
        assert sent > held
        response.close()


async def test_a_held_back_reply_arrives_whole(client, to):
    body = bytes(range(256)) * 20_000
    with ScriptedUpstream(reply(body)) as upstream:
        response = await client.post(to(upstream), b"{}")
        await asyncio.sleep(0.1)
        assert await response.read(10_000_000) == body
        assert upstream.connections == 1


async def test_a_large_request_arrives_whole_and_no_faster_than_it_is_taken(client, to):
    body = bytes(range(256)) * 40_000

    with ScriptedUpstream(OK) as upstream:
        for _ in range(2):
            response = await client.post(to(upstream), body)
            assert response.status == 200
        assert [each.body == body for each in upstream.requests] == [True, True]
        assert upstream.connections == 1


async def test_a_provider_that_takes_nothing_is_timed_out(client, to):
    async def deaf(asked):
        asked.writer.transport.pause_reading()
        await asyncio.sleep(5)

    with (
        ScriptedUpstream(deaf, read_requests=False, receive_buffer=4096) as upstream,
        pytest.raises(ProviderTimeout, match=r"took nothing more of the request within 0\.2 s"),
    ):
        await client.post(to(upstream, idle=0.2), bytes(50_000_000))


async def test_an_answer_before_the_requests_end_is_taken(client, to):
    async def early(asked):
        await asked.reader.readexactly(100)
        await asked.send(json_reply({"error": "too large"}, status=413))
        await asyncio.sleep(0.3)

    with ScriptedUpstream(early, read_requests=False, receive_buffer=4096) as upstream:
        response = await client.post(to(upstream), bytes(50_000_000))
        assert (response.status, await response.read(LIMIT)) == (413, b'{"error": "too large"}')
        assert all(stats.open == 0 for stats in client.stats().values())


@pytest.mark.parametrize("whole", [reply(b"x" * 1001), chunked_head() + as_chunk(b"x" * 1001) + LAST_CHUNK])
async def test_replies_over_the_limit_are_refused(client, to, whole):
    with ScriptedUpstream(whole) as upstream:
        response = await client.post(to(upstream), b"{}")
        assert len(await response.read(1001)) == 1001
        response = await client.post(to(upstream), b"{}")
        with pytest.raises(ProviderNonsense, match="larger than the 1000 bytes"):
            await response.read(1000)


class Wire(asyncio.Transport):
    """A transport to nowhere."""

    def write(self, data):
        pass

    def get_extra_info(self, name, default=None):
        return default

    def is_closing(self):
        return False

    def abort(self):
        pass

    def get_write_buffer_size(self):
        return 0

    def pause_reading(self):
        pass

    def resume_reading(self):
        pass


@given(
    whole=st.sampled_from([CHUNKED, LENGTH, b"HTTP/1.1 100 Continue\r\n\r\n" + CHUNKED]),
    cuts=st.lists(st.integers(0, len(CHUNKED) + 25), max_size=12),
)
def test_any_split_of_the_bytes_gives_the_same_reply(whole, cuts):
    async def receive():
        loop = asyncio.get_running_loop()
        connection = Connection(loop, Deadlines(loop), Limits(55.0, 65536, 256, 262144), "wire:1")
        connection.opened(Wire())
        asking = asyncio.ensure_future(connection.ask(b"", b"", Timeouts(), loop.time(), loop.time() + 9))
        await asyncio.sleep(0)
        edges = sorted({0, *(each for each in cuts if each < len(whole)), len(whole)})
        for start, end in pairwise(edges):
            connection.data_received(whole[start:end])
        response = await asking
        assert connection.response is None
        assert connection.served == 1
        return response.status, len(response.headers), await response.read(LIMIT)

    assert asyncio.run(receive()) == (200, 1, b"hello world")
