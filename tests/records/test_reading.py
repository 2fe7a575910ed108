"""What a search finds in the database is what a look at each record finds, in order, page by page, on both engines."""

import asyncio
import contextlib
import random

import msgspec
import pytest

from clickhouses import PASSWORD, clickhouse
from headgate.config.sinks import read
from headgate.journal.read import Filter
from headgate.records.delivery import Delivery
from headgate.records.drain import Drain, opened
from headgate.records.reading import Records, place, source
from headgate.records.search import Scope, Search
from headgate.records.sinks.clickhouse import ClickHouse
from made_records import START, made, written

COUNT, REST, BATCH = 400, 20, 19


@pytest.fixture(scope="module")
def everything():
    chance = random.Random(3)
    return [made(number, chance) for number in range(COUNT)]


@pytest.fixture(scope="module", params=["sqlite", "postgresql", "clickhouse"])
def filled(request, tmp_path_factory, everything):
    """A data directory and its database, in which the last few records are not yet; or where else is searched."""
    data = tmp_path_factory.mktemp("filled")
    if request.param == "clickhouse":
        with sent(data, everything) as found:
            yield found
        return
    url = f"sqlite:///{data}/records.db" if request.param == "sqlite" else request.getfixturevalue("server")
    drain = Drain(data, opened(url), lambda *_: None, now=0.0)
    for at in range(0, COUNT - REST, BATCH):  # blocks of so many, whose times overlap
        written(data / "journal", everything[at : at + BATCH])
        drain.turn(0.0)
    drain.database.close()
    assert drain.status.drained == COUNT - REST
    written(data / "journal", everything[-REST:])
    yield data, url, None


@contextlib.contextmanager
def sent(data, everything):
    """The same in ClickHouse, where some have come twice and are not merged yet."""
    with clickhouse(data / "engine") as url:
        settings = read({"kind": "clickhouse", "url": url, "password": PASSWORD, "batch_bytes": 30_000})
        written(data / "journal", everything[: COUNT - REST])
        before = Delivery(data, "clickhouse", ClickHouse(settings), lambda *_: None)
        before.turn(0.0, last=True)
        before.sink.close()
        (data / "sinks" / "clickhouse.json").unlink()
        sending = Delivery(data, "clickhouse", ClickHouse(settings), lambda *_: None)
        while sending.turn(0.0, last=True):
            pass
        sending.sink.close()
        assert sending.progress.delivered == COUNT - REST
        written(data / "journal", everything[-REST:])
        yield data, None, settings


def asked(filled, question):
    async def ask():
        records = Records(*filled)
        try:
            return await question(records)
        finally:
            await records.close()

    return asyncio.run(ask())


def names(stored):
    return [each.record.id for each in stored]


def newest_first(records):
    return [record.id for record in sorted(records, key=lambda each: (each.time, each.id), reverse=True)]


CHOICES = {
    "key": ["k1", "nobody"], "model": ["chat", "größer", "x" * 300],
    "target": ["openai", "openai/a", "groq/a", "op_nai"],
    "statuses": [(200, 200), (400, 499), (429, 429), (0, 0)], "ending": ["complete", "refused"],
    "since": [START + 5000.0], "until": [START + 15000.0], "error": ["provider_failed"],
    "origin": ["gateway", "provider"],
    "client": ["10.0.0.1"], "organisation": ["acme"], "team": ["red"], "application": ["app"], "user": ["ann"],
    "end_user": ["e"], "tag": ["a", "b", "c"], "min_cost": [0, 1, 123_456, 10**9, 10**13],
    "min_seconds": [0.0, 0.001, 1.5, 700.0, 10000.0],
}  # fmt: skip
SCOPES = [
    None,
    None,
    Scope(frozenset({"red"}), None),
    Scope(frozenset(), "bob"),
    Scope(frozenset({"red", "blue"}), "ann"),
    Scope(frozenset({"red", *map(str, range(29))}), "ann"),
    Scope(frozenset({"red", *map(str, range(60))}), None),
    Scope(frozenset({"blue", *map(str, range(60))}), "ann"),
]


def some(chance):
    """A filter of one to three fields."""
    fields = chance.sample(sorted(CHOICES), chance.choice((1, 1, 2, 3)))
    return Filter(**{name: chance.choice(CHOICES[name]) for name in fields})


def test_a_search_finds_what_a_look_at_each_record_finds(filled, everything):
    chance = random.Random(11)
    searches = [Filter(**{name: value}) for name, values in CHOICES.items() for value in values]
    searches = [Filter(), *searches, *(some(chance) for _ in range(60))]

    async def compare(records):
        wrong = []
        for want in searches:
            scope = chance.choice(SCOPES)
            wanted = [each for each in everything if want.passes(each) and (scope is None or scope.holds(each))]
            found = await records.page(Search(want, COUNT, scope))
            if names(found.items) != newest_first(wanted):
                wrong.append((want, scope, len(found.items), len(wanted)))
        return wrong

    assert asked(filled, compare) == []


@pytest.mark.parametrize("newest", [True, False])
def test_pages_leave_nothing_out_and_give_nothing_twice(filled, everything, newest):
    want = Filter(min_seconds=0.001)

    async def pages(records):
        found, behind = [], None
        while page := (await records.page(Search(want, 7, None, behind, newest))).items:
            found += names(page)
            behind = place(page[-1])
        return found

    wanted = newest_first(each for each in everything if want.passes(each))
    assert asked(filled, pages) == (wanted if newest else wanted[::-1])


def test_lines_are_as_they_were_written(filled, everything):
    lines = {record.id: msgspec.json.encode(record) for record in everything}
    page = asked(filled, lambda records: records.page(Search(Filter(), COUNT)))
    assert {each.record.id: each.raw for each in page.items} == lines
    assert page.behind == 0


def test_of_a_large_rest_the_newest_is_looked_at_and_the_others_told(filled):
    page = asked(filled, lambda records: records.page(Search(Filter(), COUNT), most=2000))
    assert COUNT - REST < len(page.items) < COUNT
    assert page.behind > 0


@pytest.mark.parametrize("at", [0, COUNT - 1])
def test_an_id_is_found_whole_or_by_a_part(filled, everything, at):
    id = everything[at].id
    for part in (id, id[:-1] if at else id, id[-5:]):
        found = asked(filled, lambda records, part=part: records.find(Filter(part), COUNT))
        assert id in names(found)
        assert all(part in name for name in names(found))
    assert names(asked(filled, lambda records: records.find(Filter(id), 2))) == [id]
    assert asked(filled, lambda records: records.find(Filter("req%_"), 2)) == []
    nobody = Scope(frozenset(), "nobody")
    assert asked(filled, lambda records: records.find(Filter(id), 2, nobody)) == []


def test_commands_read_both_in_order(filled, everything):
    told = []
    with source(*filled, told.append) as found:
        wanted = newest_first(everything)[::-1]
        assert names(found.read(Filter())) == wanted
        assert names(found.latest(25, Filter())) == wanted[-25:]
        reds = [record.id for record in everything if record.team == "red"]
        assert set(names(found.read(Filter(team="red")))) == set(reds)
        following = found.follow(Filter(), 3)
        assert [next(following).record.id for _ in range(3)] == wanted[-3:]
        following.close()
        assert names(found.find(Filter(wanted[0]), 2)) == wanted[:1]
    assert told == []


def test_without_a_database_the_journal_is_read(tmp_path, everything):
    written(tmp_path / "journal", everything[:5])
    for url in (None, f"sqlite:///{tmp_path}/records.db", "postgresql://u:secret@127.0.0.1:1/x"):
        told = []
        with source(tmp_path, url, None, told.append) as found:
            assert len(list(found.read(Filter()))) == len(found.latest(9, Filter())) == 5
            assert names(found.find(Filter(everything[2].id), 2)) == [everything[2].id]
        assert ("away" in "".join(told)) == ((url or "").startswith("postgres"))
        assert "secret" not in "".join(told)
    assert not (tmp_path / "records.db").exists()
