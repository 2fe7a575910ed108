"""Who is told, when, and what comes of channels that do not answer; by a store that is there, away, or shared."""

import asyncio

import msgspec
import pytest

from headgate.alerts.alert import Alert
from headgate.alerts.book import GONE, TERM, Book
from headgate.alerts.channels.channel import Undelivered
from headgate.alerts.desk import Desk
from headgate.alerts.engine import Event
from headgate.alerts.rule import Channel, Rule, Silence
from headgate.store.database import connect
from postgres import new_database

NOW = 1_000_000.0
RULES = (Rule(name="r", measure="errors", above=1),)


class Wire:
    """Channels in memory: what each was sent; those that are `down` take nothing."""

    def __init__(self):
        self.sent = []
        self.down = set()

    def __call__(self, told):
        return _Channel(told.name, self)

    def titles(self, channel):
        return [
            [(item.what, item.alert.id) for item in message.items] for name, message in self.sent if name == channel
        ]


class _Channel:
    def __init__(self, name, wire):
        self.name, self.wire = name, wire

    async def send(self, message):
        if self.name in self.wire.down:
            raise Undelivered("down")
        self.wire.sent.append((self.name, message))


def alert(id="a1", **labels):
    return Alert(
        id=id, rule="r", of=labels, labels={"severity": "warning", "rule": "r", **labels}, severity="warning",
        state="firing", began=NOW, fired=NOW, summary="it is so",
    )  # fmt: skip


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request, tmp_path):
    """That of a database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/headgate.db"
    return await new_database(request.getfixturevalue("postgres_server"))


class Told:
    """A desk with its book and its wire."""

    def __init__(self, url, me="one", **settings):
        self.book = Book(connect(url), me)
        self.wire = Wire()
        self.desk = Desk(self.book, self.wire)
        self.configure(**settings)

    def configure(self, rules=RULES, channels=None, silences=(), **settings):
        given = {"group_wait": 0.0, "repeat": 3600.0, "url": None, **settings}
        self.desk.configure(rules, channels or [Channel(name="ops", kind="x")], silences, **given)

    async def turn(self, now, events=(), alerts=()):
        self.desk.told(events, alerts, now)
        await self.book.flush()
        self.desk.deliver(now)
        await self.desk.settle(5)


async def test_a_message_tells_of_all_that_has_begun_together_and_then_of_its_end(url):
    told = Told(url, group_wait=5.0)
    one, two = alert("a1"), alert("a2")
    await told.turn(NOW, [Event("firing", one)], [one])
    assert told.wire.sent == []
    await told.turn(NOW + 3, [Event("firing", two)], [one, two])
    await told.turn(NOW + 6, [], [one, two])
    assert told.wire.titles("ops") == [[("firing", "a1"), ("firing", "a2")]]
    one.state = "resolved"
    await told.turn(NOW + 9, [Event("resolved", one)], [two])
    await told.turn(NOW + 15, [], [two])
    assert told.wire.titles("ops")[1:] == [[("resolved", "a1")]]
    rows = await told.book._rows("SELECT what, detail FROM alert_events WHERE alert = 'a1' ORDER BY time")
    assert [tuple(row) for row in rows] == [
        ("firing", "it is so"), ("told", "ops: firing"), ("resolved", "it is so"), ("told", "ops: resolved"),
    ]  # fmt: skip
    await told.book.close()


async def test_a_restart_between_firing_and_delivery_loses_and_doubles_nothing(url):
    before = Told(url)
    before.wire.down.add("ops")
    there = alert()
    before.book.alert(there, NOW)
    await before.turn(NOW, [Event("firing", there)], [there])
    assert before.desk.waiting == 1
    await before.book.close()
    after = Told(url)
    alerts, notices = await after.book.mine()
    assert alerts == []  # it is shared, and nobody leads yet
    assert await after.book.lead(0.0)
    [found], notices = await after.book.mine()
    assert (found.id, found.told) == ("a1", ["ops"])
    after.desk.take(notices, NOW + 1)
    await after.turn(NOW + 1000, [], [found])
    await after.turn(NOW + 1001, [], [found])
    assert after.wire.titles("ops") == [[("firing", "a1")]]
    again = Told(url)
    assert (await again.book.mine())[1] == []
    await after.book.close()
    await again.book.close()


async def test_what_is_sent_again_goes_under_the_same_name_with_the_same_in_it(url):
    told = Told(url)
    told.wire.down.add("ops")
    one, two = alert("a1"), alert("a2")
    await told.turn(NOW, [Event("firing", one)], [one])
    await told.turn(NOW + 1, [Event("firing", two)], [one, two])
    told.wire.down.clear()
    for later in (300, 600):
        await told.turn(NOW + later, [], [one, two])
    assert told.wire.titles("ops") == [[("firing", "a1")], [("firing", "a2")]]
    assert told.desk.failed["ops"] >= 1
    await told.book.close()


async def test_silenced_alerts_are_told_of_when_the_silence_is_over(url):
    silence = Silence(name="night", match={"team": ["re*"]}, since=NOW, until=NOW + 100, reason="maintenance", by="ann")
    told = Told(url, silences=[silence])
    red, blue = alert("a1", team="red"), alert("a2", team="blue")
    await told.turn(NOW, [Event("firing", red), Event("firing", blue)], [red, blue])
    assert told.wire.titles("ops") == [[("firing", "a2")]]
    assert red.silence == "night"
    [(detail,)] = await told.book._rows("SELECT detail FROM alert_events WHERE what = 'silenced'")
    assert detail == "by ann: night (maintenance)"
    await told.turn(NOW + 101, [], [red, blue])
    assert told.wire.titles("ops")[1:] == [[("firing", "a1")]]
    assert red.silence is None
    await told.book.close()


async def test_what_is_over_before_anybody_was_told_is_not_told(tmp_path):
    told = Told(f"sqlite:///{tmp_path}/s.db", group_wait=10.0)
    one, two = alert("a1"), alert("a2")
    await told.turn(NOW, [Event("firing", one), Event("firing", two)], [one, two])
    await told.turn(NOW + 5, [Event("resolved", one)], [two])
    await told.turn(NOW + 11, [], [two])
    assert told.wire.titles("ops") == [[("firing", "a2")]]
    told.wire.down.add("ops")
    await told.turn(NOW + 12, [Event("resolved", two)], [])
    await told.turn(NOW + 30)
    told.wire.down.clear()
    await told.turn(NOW + 400)
    assert told.wire.titles("ops")[1:] == [[("resolved", "a2")]]
    await told.book.close()


async def test_channels_are_chosen_by_labels_and_rules(tmp_path):
    channels = [
        Channel(name="all", kind="x"),
        Channel(name="pager", kind="x", match={"severity": ["critical"]}),
        Channel(name="red", kind="x", match={"team": ["red"]}, resolved=False),
    ]
    told = Told(f"sqlite:///{tmp_path}/s.db", channels=channels)
    one = alert("a1", team="red")
    await told.turn(NOW, [Event("firing", one)], [one])
    assert {name for name, _ in told.wire.sent} == {"all", "red"}
    await told.turn(NOW + 1, [Event("resolved", one)], [])
    assert [name for name, message in told.wire.sent if message.resolved] == ["all"]
    told.configure(rules=[Rule(name="r", measure="errors", above=1, channels=["pager"])], channels=channels)
    two = alert("a2")
    await told.turn(NOW + 2, [Event("firing", two)], [two])
    assert [name for name, message in told.wire.sent if message.items[0].alert.id == "a2"] == ["pager"]
    await told.book.close()


async def test_what_lasts_is_told_again_after_a_while(tmp_path):
    told = Told(f"sqlite:///{tmp_path}/s.db", repeat=60.0)
    one = alert()
    for later in (0, 30, 59, 61, 100, 130):
        await told.turn(NOW + later, [Event("firing", one)] if not later else [], [one])
    assert [what for [(what, _)] in told.wire.titles("ops")] == ["firing", "repeated", "repeated"]
    await told.book.close()


async def test_a_store_that_is_away_keeps_nobody_from_being_told(tmp_path):
    nowhere = tmp_path / "not" / "there"
    told = Told(f"sqlite:///{nowhere}/s.db")
    one = alert()
    await told.turn(NOW, [Event("firing", one)], [one])
    assert told.wire.titles("ops") == [[("firing", "a1")]]
    assert told.book.why
    nowhere.mkdir(parents=True)
    await told.turn(NOW + 1)
    assert told.book.why is None
    assert len(await told.book._rows("SELECT what FROM alert_events")) == 2
    await told.book.close()


async def test_one_instance_leads_and_another_takes_its_place_when_it_is_gone(url):
    one, two = Book(connect(url), "one"), Book(connect(url), "two")
    steady = 0.0
    assert [await one.lead(steady), await two.lead(steady)] == [True, False]
    while steady < 3 * TERM:
        steady += TERM / 4
        assert [await one.lead(steady), await two.lead(steady)] == [True, False]
    taken = []
    for _ in range(6):
        steady += TERM / 4
        taken.append(await two.lead(steady))
    assert taken[0] is False
    assert taken[-1] is True
    assert await one.lead(steady) is False
    restarted = Book(connect(url), "two")
    assert await restarted.lead(0.0) is True, "who led before need not wait"
    for book in (one, two, restarted):
        await book.close()


async def test_what_an_instance_that_is_gone_has_left_is_looked_after(url):
    gone, leader = Told(url, "gone"), Told(url, "leader")
    gone.wire.down.add("ops")
    own = msgspec.structs.replace(alert(), owner="gone")
    gone.book.alert(own, NOW)
    await gone.turn(NOW, [Event("firing", own)], [own])
    assert await leader.book.orphans(NOW + GONE / 2) == ([], [])
    [left], notices = await leader.book.orphans(NOW + GONE + 10)
    assert left.id == "a1"
    leader.desk.take(notices, NOW + GONE + 10)
    await leader.turn(NOW + 2 * GONE)
    assert leader.wire.titles("ops") == [[("firing", "a1")]]
    await gone.book.close()
    await leader.book.close()


def test_a_channel_that_hangs_holds_up_no_other(tmp_path):
    class Hanging(_Channel):
        async def send(self, message):
            if self.name == "stuck":
                await asyncio.sleep(3600)
            await super().send(message)

    async def go():
        told = Told(f"sqlite:///{tmp_path}/s.db", channels=[Channel(name=each, kind="x") for each in ("stuck", "ops")])
        told.desk._connect = lambda each: Hanging(each.name, told.wire)
        one = alert()
        told.desk.told([Event("firing", one)], [one], NOW)
        told.desk.deliver(NOW)
        async with asyncio.timeout(10):
            while not told.wire.sent:
                await asyncio.sleep(0.01)
        assert told.wire.titles("ops") == [[("firing", "a1")]]
        for task in told.desk._busy.values():
            task.cancel()
        await told.book.close()

    asyncio.run(go())
