"""The client as its callers see it: connections kept, shared and given back."""

import asyncio
import gc
import threading
import time

import pytest

from headgate.core.errors import InvalidRequest, Overloaded, ProviderCut, ProviderTimeout, ProviderUnreachable
from headgate.upstream.connection import Connection
from upstreams import Close, ScriptedUpstream, Sleep, Stall, as_chunk, chunked_head, json_reply

OK = json_reply({"ok": True})
LIMIT = 1 << 20


def only(client):
    return next(iter(client.stats().values()))


async def test_sequential_requests_share_one_connection(client, to):
    with ScriptedUpstream(OK) as upstream:
        for number in range(20):
            response = await client.post(to(upstream), b"{%d}" % number)
            assert (response.status, await response.read(LIMIT)) == (200, b'{"ok": true}')
        assert upstream.connections == 1
        assert [each.body for each in upstream.requests] == [b"{%d}" % number for number in range(20)]
        assert (only(client).opened, only(client).idle) == (1, 1)


async def test_connections_may_be_counted_while_more_are_asked_for(client, to):
    counted: list[int] = []
    with ScriptedUpstream(OK) as one, ScriptedUpstream(OK) as other:
        await (await client.post(to(one), b"{}")).read(LIMIT)
        pool = client._pools[to(one).origin]
        before = pool.stats

        def stats():  # the loop goes on while a thread counts
            counted.append(len(client._pools))
            client._open_pool(to(other).origin)
            return before()

        pool.stats = stats
        assert len(client.stats()) == 1
        del pool.stats
        assert counted == [1]
        assert len(client.stats()) == 2


async def test_the_request_is_written_as_the_endpoint_says(client, to):
    with ScriptedUpstream(OK) as upstream:
        response = await client.post(to(upstream), b"{}", [(b"x-one", b"1"), (b"x-two", b"")])
        assert response.header(b"content-type") == b"application/json"
        assert response.header(b"x-absent") is None
        request = upstream.requests[0]
        assert request.raw_head == (
            b"POST /v1/chat HTTP/1.1\r\nhost: provider.test\r\nx-one: 1\r\nx-two: \r\ncontent-length: 2\r\n\r\n"
        )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"x-a", b"1\r\nx-b: 2"),
        (b"x-a", b"1\n"),
        (b"x-a", b"\0"),
        (b"x-a\r\nx-b", b"1"),
        (b"", b"1"),
        (b"x a", b"1"),
        (b"Content-Length", b"0"),
        (b"transfer-encoding", b"chunked"),
    ],
)
async def test_headers_that_would_smuggle_are_refused(client, to, name, value):
    with ScriptedUpstream(OK) as upstream:
        with pytest.raises(InvalidRequest, match="header") as caught:
            await client.post(to(upstream), b"{}", [(name, value)])
        assert "\r" not in caught.value.message
        assert upstream.requests == []


async def test_concurrent_requests_each_have_a_connection_which_is_used_again(client, to):
    async def slow(asked):
        await asyncio.sleep(0.05)
        await asked.send(OK)

    with ScriptedUpstream(slow) as upstream:
        for _ in range(2):
            await asyncio.gather(*(client.post(to(upstream), b"{}") for _ in range(10)))
        assert upstream.connections == 10
        assert only(client).idle == 10


async def test_the_last_used_connection_is_taken_first(client, to):
    async def slow(asked):
        await asyncio.sleep(0.05 * int(asked.request.body))
        await asked.send(OK)

    with ScriptedUpstream(slow) as upstream:
        await asyncio.gather(*(client.post(to(upstream), b"%d" % number) for number in (1, 2, 3)))
        last = next(each.connection for each in upstream.requests if each.body == b"3")
        await client.post(to(upstream), b"0")
        assert upstream.requests[-1].connection == last


async def test_over_the_limit_requests_wait_their_turn(made, to):
    client = made(max_connections_per_origin=2)

    async def slow(asked):
        await asyncio.sleep(0.02)
        await asked.send(OK)

    with ScriptedUpstream(slow) as upstream:
        posts = [asyncio.ensure_future(client.post(to(upstream), b"%02d" % number)) for number in range(12)]
        await asyncio.sleep(0)
        assert only(client).waiting == 10
        await asyncio.gather(*posts)
        assert upstream.connections == 2
        bodies = [int(each.body) for each in upstream.requests]
        assert all(abs(place - number) <= 1 for place, number in enumerate(bodies)), bodies


async def test_waiting_too_long_for_a_connection_says_so(made, to):
    client = made(max_connections_per_origin=1)
    with ScriptedUpstream((Stall(),)) as upstream:
        first = asyncio.ensure_future(client.post(to(upstream), b"{}"))
        await asyncio.sleep(0.05)
        with pytest.raises(ProviderTimeout, match=r"upstream\.max_connections"):
            await client.post(to(upstream, connect=0.1), b"{}")
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        assert only(client).open == 0


async def test_cancelled_waiters_do_not_keep_a_slot(made, to):
    client = made(max_connections_per_origin=1)

    released = threading.Event()

    async def held(asked):
        while not released.is_set():
            await asyncio.sleep(0.005)
        await asked.send(OK)

    with ScriptedUpstream(held) as upstream:
        posts = [asyncio.ensure_future(client.post(to(upstream), b"{}")) for _ in range(5)]
        await asyncio.sleep(0.03)
        for post in posts[1:4]:
            post.cancel()
        released.set()
        results = await asyncio.gather(*posts, return_exceptions=True)
        assert [isinstance(each, asyncio.CancelledError) for each in results] == [False, True, True, True, False]
        assert upstream.connections == 1


async def test_a_connection_closed_while_idle_is_replaced_unseen(client, to):
    """The provider closes exactly when the next request reaches it: the request goes out again, once."""
    seen = []

    async def reply(asked):
        seen.append(asked.request.connection)
        if len(seen) == 2:
            asked.close()
        await asked.send(OK)

    with ScriptedUpstream(reply) as upstream:
        for _ in range(2):
            response = await client.post(to(upstream), b"{}")
            assert await response.read(LIMIT) == b'{"ok": true}'
        assert seen == [1, 1, 2]


async def test_a_reset_of_an_idle_connection_is_replaced_too(client, to):
    async def reply(asked):
        if len(upstream.requests) == 2:
            asked.reset()
        await asked.send(OK)

    with ScriptedUpstream(reply) as upstream:
        await client.post(to(upstream), b"{}")
        assert (await client.post(to(upstream), b"{}")).status == 200
        assert upstream.connections == 2


@pytest.mark.parametrize("size", [10, 5_000_000])
async def test_a_reset_while_the_request_is_written_is_replaced_too(client, to, size):
    async def reply(asked):
        await asked.send(OK)
        if upstream.connections == 1:
            await asked.reader.read(10)
            asked.reset()

    with ScriptedUpstream(reply) as upstream:
        await client.post(to(upstream), b"{}")
        response = await client.post(to(upstream), bytes(size))
        assert await response.read(LIMIT) == b'{"ok": true}'
        assert (upstream.connections, len(upstream.requests[-1].body)) == (2, size)


async def test_an_idle_connection_whose_end_is_known_is_not_used(client, to):
    async def reply(asked):
        await asked.send(OK)
        asked.close()

    with ScriptedUpstream(reply) as upstream:
        await client.post(to(upstream), b"{}")
        await asyncio.sleep(0.05)
        assert only(client).open == 0
        await client.post(to(upstream), b"{}")
        assert [each.connection for each in upstream.requests] == [1, 2]


async def test_a_request_is_sent_again_only_once(client, to):
    async def reply(asked):
        if len(upstream.requests) > 1:
            asked.close()
        await asked.send(OK)

    with ScriptedUpstream(reply) as upstream:
        await client.post(to(upstream), b"{}")
        with pytest.raises(ProviderCut, match="closed the connection before answering"):
            await client.post(to(upstream), b"{}")
        assert len(upstream.requests) == 3


async def test_a_request_that_was_worked_on_is_not_sent_again(client, to):
    """The connection has served before, but the close comes long after the request: it may have cost money."""
    with ScriptedUpstream([OK, (Sleep(1.2), Close())]) as upstream:
        await client.post(to(upstream), b"{}")
        with pytest.raises(ProviderCut, match="before answering"):
            await client.post(to(upstream), b"{}")
        assert len(upstream.requests) == 2


async def test_nothing_is_sent_again_once_a_byte_has_come(client, to):
    with ScriptedUpstream([OK, (b"HTTP", Close())]) as upstream:
        await client.post(to(upstream), b"{}")
        with pytest.raises(ProviderCut, match="middle of its reply's head"):
            await client.post(to(upstream), b"{}")
        assert len(upstream.requests) == 2


async def test_a_fresh_connection_that_closes_is_an_error(client, to):
    with ScriptedUpstream((Close(),)) as upstream:
        with pytest.raises(ProviderCut, match="closed the connection before answering"):
            await client.post(to(upstream), b"{}")
        assert len(upstream.requests) == 1


async def test_hosts_that_nobody_is_asking_are_forgotten(made, to):
    client = made(max_origins=2)
    with ScriptedUpstream(OK) as a, ScriptedUpstream([OK, (Stall(),)]) as b, ScriptedUpstream(OK) as c:
        for upstream in (a, b):
            await (await client.post(to(upstream), b"")).read(LIMIT)
        busy = asyncio.create_task(client.post(to(b), b""))
        while len(b.requests) < 2:
            await asyncio.sleep(0.001)
        await (await client.post(to(c), b"")).read(LIMIT)
        assert {origin.port for origin in client.stats()} == {b.port, c.port}
        busy.cancel()
        await asyncio.to_thread(a.wait_for_close)


async def test_idle_connections_are_closed_in_time(made, to):
    client = made(keep_alive=0.1)
    with ScriptedUpstream(OK) as upstream:
        await client.post(to(upstream), b"{}")
        assert only(client).idle == 1
        await asyncio.sleep(0.25)
        assert only(client).open == 0
        await asyncio.to_thread(upstream.wait_for_close)


@pytest.mark.parametrize("script", [(Stall(),), (chunked_head(), as_chunk(b"a"), Stall())], ids=["head", "body"])
async def test_cancelling_closes_the_connection_at_once(client, to, script):
    async def call():
        response = await client.post(to(upstream), b"{}")
        await response.read(LIMIT)

    with ScriptedUpstream(script) as upstream:
        task = asyncio.ensure_future(call())
        await asyncio.sleep(0.1)
        cancelled = time.monotonic()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert only(client).open == 0
        assert await asyncio.to_thread(upstream.wait_for_close) - cancelled < 1


async def test_closing_an_unread_reply_closes_the_connection(client, to):
    with ScriptedUpstream((chunked_head(), as_chunk(b"a"), Stall())) as upstream:
        response = await client.post(to(upstream), b"{}")
        response.close()
        response.close()
        await asyncio.to_thread(upstream.wait_for_close)
        with pytest.raises(ProviderCut):
            await response.chunk()


async def test_closing_a_complete_reply_keeps_the_connection(client, to):
    with ScriptedUpstream(OK) as upstream:
        (await client.post(to(upstream), b"{}")).close()
        (await client.post(to(upstream), b"{}")).close()
        assert upstream.connections == 1


async def test_finishing_reads_the_rest_and_keeps_the_connection(client, to):
    rest = (chunked_head(), as_chunk(b"data: [DONE]\n\n"), Sleep(0.05), as_chunk(b"tail"), b"0\r\n\r\n")
    with ScriptedUpstream([rest, OK]) as upstream:
        response = await client.post(to(upstream), b"{}")
        while b"DONE" not in await response.chunk():
            pass
        response.finish()
        await asyncio.sleep(0.15)
        assert only(client).idle == 1
        await client.post(to(upstream), b"{}")
        assert upstream.connections == 1


@pytest.mark.parametrize("tail", [(as_chunk(b"x" * 200_000), Stall()), (Stall(),)], ids=["too much", "too late"])
async def test_finishing_gives_up_on_a_reply_without_end(client, to, tail):
    with ScriptedUpstream((chunked_head(), as_chunk(b"a"), Sleep(0.05), *tail)) as upstream:
        response = await client.post(to(upstream), b"{}")
        await response.chunk()
        response.finish()
        await asyncio.to_thread(upstream.wait_for_close)
        assert only(client).open == 0


async def test_close_waits_for_requests_under_way(client, to):
    async def slow(asked):
        await asyncio.sleep(0.1)
        await asked.send(OK)

    with ScriptedUpstream(slow) as upstream:
        post = asyncio.ensure_future(client.post(to(upstream), b"{}"))
        await asyncio.sleep(0.03)
        await client.close(grace=2)
        assert (await post).status == 200
        assert only(client).open == 0
        with pytest.raises(Overloaded):
            await client.post(to(upstream), b"{}")


async def test_close_ends_what_outlasts_the_grace(client, to):
    with ScriptedUpstream((Stall(),)) as upstream:
        post = asyncio.ensure_future(client.post(to(upstream), b"{}"))
        await asyncio.sleep(0.05)
        await client.close(grace=0.05)
        with pytest.raises(Overloaded):
            await post


async def test_a_refused_connection_names_the_place(client, to):
    with ScriptedUpstream(OK) as upstream:
        endpoint = to(upstream)
    with pytest.raises(ProviderUnreachable, match=rf"127\.0\.0\.1:{endpoint.origin.port}: connecting was refused"):
        await client.post(endpoint, b"{}")
    assert only(client).open == 0


async def test_a_connection_that_did_not_come_about_is_freed_without_the_garbage_collector(client, to):
    with ScriptedUpstream(OK) as upstream:
        endpoint = to(upstream)
    gc.collect()
    gc.disable()
    before = sum(type(found) is Connection for found in gc.get_objects())
    try:
        with pytest.raises(ProviderUnreachable) as told:
            await client.post(endpoint, b"{}")
        told.value.__traceback__ = None
        del told
        await asyncio.sleep(0)
        assert sum(type(found) is Connection for found in gc.get_objects()) == before
    finally:
        gc.enable()


async def test_an_unknown_name_is_told(client, to):
    with ScriptedUpstream(OK) as upstream, pytest.raises(ProviderUnreachable, match="cannot be resolved"):
        await client.post(to(upstream, host="no-such-host.invalid"), b"{}")


async def test_an_impossible_name_is_told(client, to):
    with ScriptedUpstream(OK) as upstream, pytest.raises(ProviderUnreachable, match=r"No connection to a\.\.b"):
        await client.post(to(upstream, host="a..b"), b"{}")


async def test_redirects_are_given_back_not_followed(client, to):
    moved = json_reply({}, status=307, headers=[("Location", "http://127.0.0.1:1/")])
    with ScriptedUpstream(moved) as upstream:
        response = await client.post(to(upstream), b"{}")
        assert (response.status, response.header(b"location")) == (307, b"http://127.0.0.1:1/")
        assert len(upstream.requests) == 1
