"""Requests are heard of once, from the journal and from the database that machines share, over restarts."""

import asyncio
import random

import pytest

from headgate.alerts.feed import OfDatabase, OfJournal
from headgate.records import status
from headgate.records.drain import Drain, opened
from made_records import made, written
from postgres import new_database


def records(count, seed=1):
    chance = random.Random(seed)
    return [made(number, chance) for number in range(seed * 10_000, seed * 10_000 + count)]


async def all_of(feed):
    found = []
    for _ in range(100):
        found += [seen.id for seen in await feed.read(2e9)]
        if feed.fresh:
            return found
    raise AssertionError("there is no end of it")


async def test_the_journal_is_heard_once_over_a_restart(tmp_path):
    first, second = records(300), records(200, seed=2)
    written(tmp_path, first)
    feed = OfJournal(tmp_path)
    assert sorted(await all_of(feed)) == [record.id for record in first]
    written(tmp_path, second)
    again = OfJournal(tmp_path)
    again.reached = dict(feed.reached)
    assert sorted(await all_of(again)) == [record.id for record in second]
    assert await all_of(again) == []
    segment = sorted(tmp_path.iterdir())[0]
    with segment.open("ab") as file:
        file.write(b'{"id": half\nnothing\n{"id":"torn')
    assert await all_of(again) == []


async def test_a_long_journal_is_heard_from_its_end_on_and_in_parts(tmp_path):
    there = records(300)
    written(tmp_path, there, segments=1)
    size = next(tmp_path.iterdir()).stat().st_size
    feed = OfJournal(tmp_path, back=size // 2, block=4096)
    assert [seen.id for seen in await feed.read(2e9)]
    assert not feed.fresh
    found = await all_of(feed)
    assert 50 < len(found) < 200
    assert found[-1] == there[-1].id


@pytest.fixture(params=["sqlite", "postgresql"])
async def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/records.db"
    return await new_database(request.getfixturevalue("postgres_server"))


async def drained(data_dir, url):
    def drain():
        made = Drain(data_dir, opened(url), lambda *_: None, now=2e9)
        while made.turn(2e9):
            pass
        made.database.close()
        status.save(data_dir, made.status)

    await asyncio.to_thread(drain)


async def test_the_database_that_machines_share_tells_of_the_requests_of_all(tmp_path, url):
    here, there = records(200), records(100, seed=2)
    for name, some in (("one", here), ("two", there)):
        written(tmp_path / name / "journal", some)
        await drained(tmp_path / name, url)
    feed = OfDatabase(tmp_path / "one", url)
    assert sorted(await all_of(feed)) == sorted(record.id for record in here + there)
    more = records(50, seed=3)
    written(tmp_path / "two" / "journal", more)
    await drained(tmp_path / "two", url)
    again = OfDatabase(tmp_path / "one", url)
    again.reached = dict(feed.reached)
    assert sorted(await all_of(again)) == sorted(record.id for record in more)
    await feed.close()
    await again.close()
