"""Answers in memory: up to so many bytes, as long as they last, and those that are wanted before those that are not."""

import asyncio
import random

from headgate.core.cached import Entry, Which, hidden
from headgate.state.answers import BESIDE, Memory

ROOM = 100_000


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def entry(size=400, until=2000.0, time=1000.0, name="smart", key="k", team="", organisation=""):
    return Entry("openai_chat", False, b"x" * size, "up/m", time, until, "req_1", name, key, team, organisation)


def get(memory, key):
    return asyncio.run(memory.get(key))


def test_what_was_put_is_there_until_its_time_is_over():
    clock = Clock()
    memory = Memory(ROOM, clock)
    memory.put(b"a", entry())
    assert get(memory, b"a") == entry()
    assert get(memory, b"b") is None
    clock.now = 2000.0
    assert get(memory, b"a") is None
    assert (len(memory), memory.bytes) == (0, 0)


def test_a_second_takes_the_place_of_the_first():
    memory = Memory(ROOM, Clock())
    memory.put(b"a", entry(400))
    memory.put(b"a", entry(500))
    assert (len(memory), memory.bytes) == (1, 500 + BESIDE)


def test_it_holds_no_more_than_there_is_room_for_whatever_comes():
    luck = random.Random(7)
    memory = Memory(ROOM, Clock())
    for _ in range(5000):
        key = luck.randbytes(1)
        if luck.random() < 0.6:
            memory.put(key, entry(luck.randrange(12_000)))
        else:
            get(memory, key)
        assert memory.bytes <= ROOM
    held = [each for each in (get(memory, bytes([byte])) for byte in range(256)) if each is not None]
    assert len(held) == len(memory) > 0
    assert sum(len(each.body) + BESIDE for each in held) == memory.bytes


def test_what_is_wanted_outlives_a_scan():
    memory = Memory(ROOM, Clock())
    wanted = [b"wanted %d" % number for number in range(30)]
    for key in wanted:
        memory.put(key, entry())
        get(memory, key)
    for number in range(2000):
        memory.put(b"scan %d" % number, entry())
    assert all(get(memory, key) is not None for key in wanted)
    assert memory.evictions["room"] > 1800


def test_what_is_wanted_no_more_goes():
    memory = Memory(ROOM, Clock())
    for key in (old := [b"old %d" % number for number in range(50)]):
        memory.put(key, entry())
        get(memory, key)
    for number in range(2000):
        key = b"new %d" % (number // 2)
        memory.put(key, entry())
        get(memory, key)
    assert not any(get(memory, key) for key in old)


def test_too_large_for_it_pushes_nobody_out():
    memory = Memory(ROOM, Clock())
    memory.put(b"a", entry())
    memory.put(b"b", entry(ROOM))
    assert get(memory, b"b") is None
    assert get(memory, b"a") is not None
    memory.put(b"a", entry(ROOM))  # the older one is given no more
    assert get(memory, b"a") is None


def test_those_are_taken_out_of_which_all_is_so_that_is_said():
    def left(**said):
        memory = Memory(ROOM, Clock())
        memory.put(b"a", entry(name="smart", key="one", team="red", time=10.0))
        memory.put(b"b", entry(name="smart", key="two", team="red", organisation="acme", time=20.0))
        memory.put(b"c", entry(name="other", key="two", team="blue", time=30.0))
        count = asyncio.run(memory.clear(Which(**said)))
        there = [key for key in (b"a", b"b", b"c") if get(memory, key) is not None]
        assert (count, memory.bytes) == (3 - len(there), len(there) * (400 + BESIDE))
        return there

    assert left() == []
    assert left(name="smart") == [b"c"]
    assert left(name="smart", key="two") == [b"a", b"c"]
    assert left(team="red", before=15.0) == [b"b", b"c"]
    assert left(organisation="acme") == [b"a", b"c"]
    assert left(key="nobody") == [b"a", b"b", b"c"]
    assert left(team=hidden("red")) == [b"c"]
    assert left(team="sha256:") == [b"a", b"b", b"c"]
    assert left(id=b"b".hex()) == [b"a", b"c"]
    assert left(id=b"b".hex(), key="one") == [b"a", b"b", b"c"]


def test_others_have_their_turn_while_many_are_looked_at():
    async def walk():
        memory = Memory(1 << 24, Clock())
        for number in range(5000):
            memory.put(b"%d" % number, entry(0, time=1.0))
        clearing, turns = asyncio.ensure_future(memory.clear(Which(before=2.0))), 0
        while not clearing.done():
            await asyncio.sleep(0)
            memory.put(b"under way", entry(0, time=1.0))
            turns += 1
        assert turns >= 4
        assert (clearing.result(), len(memory), memory.bytes) == (5000, 0, 0)

    asyncio.run(walk())
