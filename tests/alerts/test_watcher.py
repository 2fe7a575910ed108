"""Processes that watch: one leads, another takes its place, and what was begun is ended by whoever is there."""

import pytest

from headgate.alerts.book import GONE, TERM
from headgate.alerts.channels.channel import Channel
from headgate.alerts.hearing import Begin, Sample
from headgate.alerts.rule import Channel as OfChannel
from headgate.alerts.rule import Rule, Told
from headgate.alerts.saying import load
from headgate.alerts.watcher import Watcher
from headgate.core.record import Record
from made_records import written

RULES = [
    Rule(name="budget", measure="limit_used", above=0.8),
    Rule(name="memory", measure="memory", above=100.0),
    Rule(name="busy", measure="requests", above=5.0, window=60.0),
]


class World:
    """Some processes with a store and a clock in common; what their channel was sent."""

    def __init__(self, folder):
        self.folder, self.now, self.sent, self.there = folder, 2_000_000_000.0, [], {}

    async def start(self, name):
        data = self.folder / name
        data.mkdir(exist_ok=True)
        begin = Begin(str(data), f"sqlite:///{self.folder}/store.db", None, name, f"host-{name}")
        watcher = self.there[name] = Watcher(begin, lambda: self.now, lambda: self.now)
        watcher.desk._connect = lambda told: Note(self, name)
        await watcher.now(Told(rules=RULES, channels=[OfChannel(name="n", kind="x")], every=1.0, group_wait=0.0))

    async def turn(self, *names, seconds=2.0, used=0.1, memory=1.0):
        """Each looks, having been told its metrics; afterwards what was sent since."""
        self.now += seconds
        for name in names:
            samples = [Sample("limit_used", {"limit": "x"}, used), Sample("memory", {"worker": "0"}, memory)]
            self.there[name].engine.sample(samples, self.now)
            await self.there[name].look()
            await self.there[name].tidy(self.now)
            await self.there[name].desk.settle(5)
        sent, self.sent = self.sent, []
        return sent


class Note(Channel):
    def __init__(self, world, name):
        self.world, self.name = world, name

    async def send(self, message):
        self.world.sent += [(self.name, item.what, item.alert.rule) for item in message.items]


@pytest.fixture
async def world(tmp_path):
    made = World(tmp_path)
    yield made
    for watcher in made.there.values():
        await watcher.end()


async def test_one_speaks_for_all_and_another_goes_on_when_it_is_gone(world):
    await world.start("a")
    await world.start("b")
    assert await world.turn("a", "b") == []
    assert await world.turn("a", "b", used=0.9) == [("a", "firing", "budget")]
    assert await world.turn("a", "b", used=0.9) == []
    sent = []
    for _ in range(5):
        sent += await world.turn("b", used=0.9, seconds=TERM / 2)
    assert sent == [], "it was told by a, and b knows"
    assert await world.turn("b") == [("b", "resolved", "budget")]
    assert await world.turn("a", "b") == []


async def test_each_looks_after_its_own_processes(world):
    await world.start("a")
    await world.start("b")
    await world.turn("a", "b")
    sent = await world.turn("a", "b", memory=200.0)
    assert sorted(sent) == [("a", "firing", "memory"), ("b", "firing", "memory")]
    assert await world.turn("b") == [("b", "resolved", "memory")]
    assert await world.turn("a", seconds=GONE / 2) == [("a", "resolved", "memory")]


async def test_what_an_instance_that_is_gone_has_begun_is_ended_by_the_leader(world):
    await world.start("a")
    await world.start("b")
    await world.turn("a", "b")
    assert await world.turn("b", memory=200.0) == [("b", "firing", "memory")]
    sent = []
    for _ in range(40):
        sent += await world.turn("a", seconds=GONE / 20)
    assert sent == [("a", "resolved", "memory")]


async def test_requests_before_a_restart_still_count_and_nobody_is_told_twice(world):
    await world.start("a")
    made = [Record(id=f"r{n}", time=world.now, status=200) for n in range(6)]
    written(world.folder / "a" / "journal", made[:3], segments=1)
    assert await world.turn("a") == []
    await world.there["a"].end()
    written(world.folder / "a" / "journal", made[3:], segments=1)
    await world.start("a")
    assert await world.turn("a") == [("a", "firing", "busy")]
    await world.there["a"].end()
    await world.start("a")
    assert await world.turn("a") == []
    assert load(world.folder / "a").firing == [("busy", "warning", 1)]
    assert await world.turn("a", seconds=70.0) == [("a", "resolved", "busy")]


async def test_a_rule_that_goes_ends_its_alert(world):
    await world.start("a")
    await world.turn("a")
    assert await world.turn("a", used=0.9) == [("a", "firing", "budget")]
    await world.there["a"].now(Told(rules=RULES[1:], channels=[OfChannel(name="n", kind="x")], every=1.0, group_wait=0))
    assert await world.turn("a", used=0.9) == [("a", "resolved", "budget")]
