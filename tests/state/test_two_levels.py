"""Memory in front of what others share: asked first, for so long, and cleared with it."""

import asyncio

import msgspec

from headgate.core.cached import Which
from headgate.state.answers import Memory
from headgate.state.two_levels import TwoLevels
from state.test_answers import Clock, entry


class Counted(Memory):
    asked = 0

    async def get(self, key):
        self.asked += 1
        return await super().get(key)


def test_it_is_asked_for_once_in_so_many_seconds():
    async def walk():
        clock = Clock()
        back = Counted(100_000, clock)
        one, other = (TwoLevels(Memory(100_000, clock), back, 10.0) for _ in range(2))
        one.put(b"a", entry())
        assert [await each.get(b"a") for each in (one, other, other)] == [entry()] * 3
        assert back.asked == 1
        newer = entry(500)
        one.put(b"a", newer)
        assert await other.get(b"a") == entry()  # for now
        back.put(b"b", entry(600))
        assert await other.get_many([b"b", b"a", b"c"]) == [entry(600), entry(), None]
        clock.now += 10
        assert await other.get(b"a") == newer
        assert back.asked == 4

    asyncio.run(walk())


def test_what_is_stale_is_looked_for_behind():
    async def walk():
        clock = Clock()
        back = Memory(100_000, clock)
        one = TwoLevels(Memory(100_000, clock), back, 100.0)
        stale = msgspec.structs.replace(entry(until=1010.0), last=2000.0)
        one.put(b"a", stale)
        clock.now += 10
        assert await one.get(b"a") == stale
        assert len(one.front) == 0
        back.put(b"a", entry(500))
        assert await one.get(b"a") == entry(500)

    asyncio.run(walk())


def test_what_is_taken_out_is_gone_from_both_also_where_it_was_on_its_way():
    async def walk():
        clock = Clock()
        back = Memory(100_000, clock)
        one = TwoLevels(Memory(100_000, clock), back, 10.0)
        one.put(b"a", entry())
        assert await one.clear(Which(before=1001.0)) == 1
        assert await one.get(b"a") is None
        one.front.put(b"a", entry(), 10.0)  # was read before
        assert await one.get(b"a") is None

    asyncio.run(walk())
