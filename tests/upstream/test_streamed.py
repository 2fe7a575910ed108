"""Bodies that are read as they are sent: framing, back-pressure, early replies, and what is sent twice."""

import asyncio

import pytest

from headgate.core.body import Said
from headgate.core.errors import InternalError, ProviderCut, ProviderTimeout, TooLarge
from headgate.core.target import Endpoint, Origin, Timeouts
from upstreams import Close, ScriptedUpstream, Sleep, Stall, json_reply

OK = json_reply({"ok": True})


class Pieces:
    """A body of this many pieces of 10,000 bytes."""

    content_type = None
    path = None

    def __init__(self, count, *, length=None, again=True, error=None, wait=0.0):
        self.count, self.length, self.again, self.error, self.wait = count, length, again, error, wait
        self.read = 0
        self.begun = 0
        self.ended = 0

    async def pieces(self):
        self.begun += 1
        try:
            for number in range(self.count):
                await asyncio.sleep(self.wait)
                self.read += 1
                yield bytes([number % 256]) * 10_000
            if self.error is not None:
                raise self.error
        finally:
            self.ended += 1


async def over(upstream):
    """The provider has seen its one connection come and go."""
    async with asyncio.timeout(5):
        while upstream.connections != 1 or upstream.open:  # it lives in another thread
            await asyncio.sleep(0.01)


def whole(count):
    return b"".join(bytes([number % 256]) * 10_000 for number in range(count))


async def read(response):
    return await response.read(1 << 20)


@pytest.mark.parametrize("known", [True, False])
async def test_a_body_arrives_as_it_is(client, to, known):
    with ScriptedUpstream(OK) as upstream:
        for _ in range(2):
            body = Pieces(300, length=3_000_000 if known else None)
            assert await read(await client.post(to(upstream), body)) == b'{"ok": true}'
        assert [request.body for request in upstream.requests] == [whole(300)] * 2
        headers = upstream.requests[0].headers
        assert headers.get("content-length") == ("3000000" if known else None)
        assert headers.get("transfer-encoding") == (None if known else "chunked")
        assert upstream.connections == 1


async def test_a_body_in_memory_says_its_length(client, to):
    with ScriptedUpstream(OK) as upstream:
        await read(await client.post(to(upstream), Said(b"hello", b"text/plain")))
        assert (upstream.requests[0].body, upstream.requests[0].headers["content-length"]) == (b"hello", "5")


async def test_a_provider_that_takes_nothing_holds_the_reader_back(client, to):
    body = Pieces(5000, length=50_000_000)

    async def deaf(asked):
        await asyncio.sleep(5)
        asked.reset()

    with ScriptedUpstream(deaf, read_requests=False, receive_buffer=4096) as upstream:
        with pytest.raises(ProviderTimeout, match="took nothing more"):
            await client.post(to(upstream, idle=0.3), body)
        assert body.read * 10_000 < 8_000_000
        assert body.ended == body.begun == 1


async def test_a_slow_client_is_not_the_providers_fault(client, to):
    with ScriptedUpstream(OK) as upstream:
        response = await client.post(to(upstream, idle=0.1, first_byte=0.1), Pieces(4, wait=0.15))
        assert await read(response) == b'{"ok": true}'


async def test_a_reply_before_the_bodys_end_ends_it(client, to):
    body = Pieces(10_000, wait=0.01)

    async def refuse(asked):
        await asked.reader.read(1000)
        await asked.send(json_reply({"no": 1}, status=413))
        await asked.stall()

    with ScriptedUpstream(refuse, read_requests=False) as upstream:
        response = await client.post(to(upstream), body)
        assert (response.status, await read(response)) == (413, b'{"no": 1}')
        assert body.ended == 1
        assert body.read < 1000
        response.close()
        assert client.stats()[Origin("http", "127.0.0.1", upstream.port)].open == 0


async def test_what_the_client_does_wrong_is_told_and_the_connection_closed(client, to):
    with ScriptedUpstream(OK) as upstream:
        with pytest.raises(TooLarge, match="too much"):
            await client.post(to(upstream), Pieces(3, length=90_000, error=TooLarge("too much")))
        await over(upstream)
        assert [stats.open for stats in client.stats().values()] == [0]
        assert upstream.requests == []


@pytest.mark.parametrize("length", [10_000, 50_000])
async def test_a_body_of_another_length_than_it_says_is_a_fault(client, to, length):
    with ScriptedUpstream(OK) as upstream:
        with pytest.raises(InternalError):
            await client.post(to(upstream), Pieces(3, length=length))
        await over(upstream)


async def test_cancelling_closes_body_and_connection(client, to):
    body = Pieces(10_000, length=100_000_000, wait=0.01)
    with ScriptedUpstream(OK) as upstream:
        asking = asyncio.create_task(client.post(to(upstream), body))
        while not body.begun:
            await asyncio.sleep(0.01)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert body.ended == body.begun == 1
        assert [stats.open for stats in client.stats().values()] == [0]


@pytest.mark.parametrize("again", [True, False])
async def test_a_stale_connection_is_replaced_only_for_what_can_be_sent_again(client, to, again):
    async def once(asked):
        await asked.send(OK)
        if asked.request.connection == 1:
            asked.reader._transport.pause_reading()  # what comes next is not read, and then the connection is gone
            await asyncio.sleep(0.05)
            asked.close()

    with ScriptedUpstream(once) as upstream:
        await read(await client.post(to(upstream), b"{}"))
        body = Pieces(3, wait=0.05, again=again)
        if again:
            assert await read(await client.post(to(upstream), body)) == b'{"ok": true}'
            assert (body.begun, upstream.requests[-1].body) == (2, whole(3))
        else:
            with pytest.raises(ProviderCut):
                await client.post(to(upstream), body)
            assert body.begun == 1


def at(upstream, method):
    head = f"{method} /v1/files HTTP/1.1\r\nhost: provider.test\r\n".encode()
    return Endpoint(Origin("http", "127.0.0.1", upstream.port), head, Timeouts())


@pytest.mark.parametrize("method", ["GET", "DELETE", "OPTIONS"])
async def test_a_request_without_a_body_has_no_length(client, method):
    with ScriptedUpstream(OK) as upstream:
        for _ in range(2):
            assert await read(await client.post(at(upstream, method), None)) == b'{"ok": true}'
        assert [request.method for request in upstream.requests] == [method] * 2
        assert not {"content-length", "transfer-encoding"} & set(upstream.requests[0].headers)
        assert upstream.connections == 1


async def test_a_reply_to_head_has_a_length_and_no_body(client):
    with ScriptedUpstream((b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n", Sleep(0))) as upstream:
        for _ in range(2):
            response = await client.post(at(upstream, "HEAD"), None)
            assert (response.header(b"content-length"), await response.chunk()) == (b"1000", b"")


@pytest.mark.parametrize("ending", [Close(), Stall()])
async def test_a_provider_that_goes_away_in_the_middle_is_told(client, to, ending):
    async def leave(asked):
        await asked.reader.read(1000)
        await asked.play([ending] if isinstance(ending, Close) else [Sleep(0)])
        asked.reset()

    with ScriptedUpstream(leave, read_requests=False) as upstream, pytest.raises(ProviderCut):
        await client.post(to(upstream), Pieces(2000, length=20_000_000, again=False))
