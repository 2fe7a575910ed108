"""Answers in a real Valkey, whatever becomes of it."""

import asyncio
import time

import pytest

from headgate.core.cached import Entry, Which
from headgate.state.connection import connect
from headgate.state.shared_answers import SharedAnswers
from valkeys import valkey


@pytest.fixture(scope="module")
def server():
    with valkey() as started:
        yield started


def entry(name="smart", seconds=60.0, **more):
    now = time.time()
    given = {"key": "k", "team": "", "organisation": "", **more}
    return Entry("openai_chat", True, b"\0answer\xff", "up/m", now, now + seconds, "req_1", name, *given.values())


async def connected(server, prefix):
    made = SharedAnswers(server.url, prefix, patience=1.0)
    assert await made.get(b"nothing") is None  # it is connected to beside
    async with asyncio.timeout(10):
        while made._connection is None:
            await asyncio.sleep(0.01)
    return made


def test_what_one_has_put_another_gets(server):
    async def walk():
        one, other = await connected(server, "a"), await connected(server, "a")
        alone = await connected(server, "b")
        kept = entry()
        one.put(b"\0key", kept)
        assert await one.get(b"\0key") == kept
        assert await other.get(b"\0key") == kept
        assert await alone.get(b"\0key") is None
        one.put(b"short", entry(seconds=0.05))
        async with asyncio.timeout(5):
            while await other.get(b"short") is not None:
                await asyncio.sleep(0.02)
        for each in (one, other, alone):
            each.close()

    asyncio.run(walk())


def test_what_is_no_entry_is_none(server):
    async def walk():
        one = await connected(server, "c")
        beside = await connect(one._address, None)
        await beside.ask("SET", one.prefix + b"key", b"\x93poison")
        await beside.ask("LPUSH", one.prefix + b"list", b"x")
        assert await one.get(b"key") is None
        assert await one.get(b"list") is None
        assert one.failures == 1
        beside.close()
        one.close()

    asyncio.run(walk())


def test_those_are_taken_out_of_which_all_is_so_that_is_said(server):
    async def walk():
        one, other = await connected(server, "d*"), await connected(server, "da")
        for number in range(500):
            one.put(b"%d" % number, entry("smart" if number % 2 else "other"))
        other.put(b"1", entry())
        await other.get(b"1")
        assert await one.clear(Which(name="smart")) == 250
        assert await one.get(b"1") is None
        assert await one.get(b"2") is not None
        assert await other.get(b"1") is not None
        for each in (one, other):
            each.close()

    asyncio.run(walk())


def test_where_it_is_away_or_hangs_there_is_nothing_and_soon():
    async def walk(server):
        one = await connected(server, "e")
        one.patience = one._connection.patience = 0.05
        one.put(b"a", entry())
        assert await one.get(b"a") is not None
        server.hang()
        async with asyncio.timeout(2):
            assert await one.get(b"a") is None
            assert await one.get(b"a") is None
        assert one.why is not None
        one.put(b"b", entry())
        server.go_on()
        async with asyncio.timeout(10):
            while await one.get(b"a") is None:
                await asyncio.sleep(0.05)
        assert one.why is None
        server.kill()
        async with asyncio.timeout(2):
            assert await one.get(b"a") is None
        one.close()

    with valkey() as server:
        asyncio.run(walk(server))


def test_taking_out_waits_longer_than_a_request_and_says_where_it_cannot():
    async def walk(server):
        one = await connected(server, "f")
        one.put(b"a", entry())
        assert await one.get(b"a") is not None
        one.patience = one._connection.patience = 0.01
        server.hang()
        clearing = asyncio.create_task(one.clear(Which()))
        await asyncio.sleep(0.1)
        server.go_on()
        assert await clearing == 1
        server.kill()
        with pytest.raises(OSError, match=r"."):
            await one.clear(Which())
        one.close()

    with valkey() as server:
        asyncio.run(walk(server))
