"""The drain brings each record into the database once, whatever befalls it, and the sums are those of the rows."""

import asyncio
import os
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.journal.segments import segments
from headgate.records import drain as draining
from headgate.records import status
from headgate.records.drain import KEPT, Drain, opened, source
from headgate.records.statements import Away, Unfit, quoted
from headgate.records.sums import GROUPS, SUMS
from headgate.store.database import connect
from headgate.store.migrations import migrate
from made_records import made, written

NOW = 2_000_000_000.0
COUNTED = "CASE WHEN kind = 'request' {} THEN {} ELSE 0 END"
OF_ROWS = {
    "requests": COUNTED.format("", 1),
    "answered": COUNTED.format("AND ending = 'complete'", 1),
    "errors_gateway": COUNTED.format("AND origin = 'gateway'", 1),
    "errors_provider": COUNTED.format("AND origin = 'provider'", 1),
    "duration": COUNTED.format("AND ending = 'complete'", "duration"),
    "first_tokens": COUNTED.format("AND ending = 'complete' AND first_token IS NOT NULL", 1),
    "first_token": COUNTED.format("AND ending = 'complete' AND first_token IS NOT NULL", "first_token"),
    "cost": "COALESCE(cost, 0)",
    "retries": COUNTED.format("", "retries"),
}
"""What a sum adds up of each row, said once more in SQL; else it is the column of its name."""


def drained(data, url, *, told=None, now=NOW):
    drain = Drain(data, opened(url), lambda *said: told.append(said) if told is not None else None, now=now)
    try:
        while drain.turn(now):
            pass
    finally:
        drain.database.close()
    return drain


def asked(url, text, run=False):
    """The rows of a query, or what comes of a statement."""

    async def ask():
        database = connect(url)
        try:
            return await database.run(text) if run else [tuple(row) for row in await database.rows(text)]
        finally:
            await database.close()

    return asyncio.run(ask())


def assert_whole(url, records):
    """Each record is there once with its line, and the sums of every group and hour are those of its rows."""
    lines = asked(url, "SELECT requests.id, lines.line FROM requests JOIN lines ON lines.number = requests.number")
    assert sorted(lines) == sorted((record.id, msgspec.json.encode(record).decode()) for record in records)
    groups = ", ".join(f"COALESCE(CAST({quoted([name])} AS TEXT), '')" for name in GROUPS)
    totals = ", ".join(f"SUM({OF_ROWS.get(name, name)})" for name in SUMS)
    hours = "(CAST(time AS BIGINT) - CAST(time AS BIGINT) % 3600) / 3600"
    if url.startswith("postgres"):
        hours = "CAST(FLOOR(time / 3600) AS BIGINT)"
    rows = asked(url, f"SELECT {hours}, {groups}, {totals} FROM requests GROUP BY {hours}, {groups}")
    sums = asked(url, f"SELECT hour, {quoted(GROUPS)}, {', '.join(SUMS)} FROM sums")
    first = len(GROUPS) + 1
    assert sorted((*row[:first], *map(int, row[first:])) for row in rows) == sorted(sums)
    [spread] = asked(url, "SELECT COALESCE(SUM(durations), 0), COALESCE(SUM(first_tokens), 0) FROM spreads")
    assert list(spread) == [sum(row[first + SUMS.index(name)] for row in sums) for name in ("answered", "first_tokens")]
    wanted = sorted((tag, record.id) for record in records for tag in set(record.tags))
    assert sorted(asked(url, "SELECT tag, id FROM tags JOIN requests USING (number)")) == wanted


def test_all_comes_over_once_in_batches(tmp_path, url, records, monkeypatch):
    monkeypatch.setattr(draining, "BATCH", 5000)
    wanted = records(150)
    written(tmp_path / "journal", wanted[:100])
    drain = drained(tmp_path, url)
    assert drain.status.drained == 100
    written(tmp_path / "journal", wanted[100:])
    assert drained(tmp_path, url).status.drained == 50
    assert drained(tmp_path, url).status.drained == 0
    assert_whole(url, wanted)


def test_a_line_larger_than_a_batch_comes_over_alone(tmp_path, records, monkeypatch):
    monkeypatch.setattr(draining, "BATCH", 10)
    wanted = records(9)
    written(tmp_path / "journal", wanted)
    drained(tmp_path, f"sqlite:///{tmp_path}/records.db")
    assert_whole(f"sqlite:///{tmp_path}/records.db", wanted)


def test_what_is_read_again_counts_once(tmp_path, url, records):
    wanted = records(60)
    written(tmp_path / "journal", wanted)
    drained(tmp_path, url)
    written(tmp_path / "journal", wanted[:20])
    (tmp_path / "drain.id").unlink()  # as of another data directory, with nothing of it in the database yet
    assert drained(tmp_path, url).status.drained == 0
    assert_whole(url, wanted)


class Failing:
    """A database that fails now and then: before it has taken records, or after."""

    def __init__(self, database, chance):
        self.database = database
        self.chance = chance

    def __getattr__(self, name):
        return getattr(self.database, name)

    def add(self, *given):
        if self.chance.random() < 0.3:
            raise Away("before")
        added = self.database.add(*given)
        if self.chance.random() < 0.3:
            raise Away("after")
        return added


@given(seed=st.integers(0, 10**9), count=st.integers(0, 40), pieces=st.integers(1, 4))
@settings(max_examples=12, deadline=None)
def test_sums_are_those_of_the_rows_whatever_fails(tmp_path_factory, seed, count, pieces):
    data, chance = tmp_path_factory.mktemp("law"), random.Random(seed)
    url = f"sqlite:///{data}/records.db"
    wanted = [made(number, chance) for number in range(count)]
    chance.shuffle(wanted)
    for part in range(pieces):
        written(data / "journal", wanted[part::pieces], segments=chance.randrange(1, 4))
        drain = Drain(data, Failing(opened(url), chance), lambda *_: None, now=NOW)
        for _ in range(chance.randrange(20)):
            try:
                drain.turn(NOW)
            except Away as error:
                drain.failed(error)
        drain.database.close()
    drained(data, url)
    assert_whole(url, wanted)


def test_what_the_database_never_takes_keeps_nothing_else_out(tmp_path, url, records):
    wanted, told = records(9), []

    class Picky(Failing):
        def add(self, name, entries, reached):
            if any(entry.row.id == wanted[4].id for entry in entries):
                raise Unfit("too odd")
            return self.database.add(name, entries, reached)

    written(tmp_path / "journal", wanted)
    with next((tmp_path / "journal").iterdir()).open("ab") as file:
        file.write(b'{"id": torn}\n')
    drain = Drain(tmp_path, Picky(opened(url), None), lambda *said: told.append(said), now=NOW)
    while drain.turn(NOW):
        pass
    drain.database.close()
    assert drain.status.unfit == 2
    assert any(wanted[4].id in message for _, message in told)
    assert any("1 damaged line" in message for _, message in told)
    assert_whole(url, [record for record in wanted if record.id != wanted[4].id])


def test_a_torn_end_waits_for_its_rest(tmp_path, url, records):
    [one, other] = records(2)
    written(tmp_path / "journal", [one], segments=1)
    [segment] = segments(tmp_path / "journal")
    line = msgspec.json.encode(other) + b"\n"
    with segment.path.open("ab") as file:
        file.write(line[:50])
    assert drained(tmp_path, url).status.drained == 1
    with segment.path.open("ab") as file:
        file.write(line[50:])
    assert drained(tmp_path, url).status.drained == 1
    assert_whole(url, [one, other])


def test_a_segment_goes_when_it_is_in_the_database_and_old(tmp_path, records):
    """Also while new records come in all the time."""
    *wanted, more = records(7)
    written(tmp_path / "journal", wanted)
    url = f"sqlite:///{tmp_path}/records.db"
    first, torn, last = segments(tmp_path / "journal")
    with torn.path.open("ab") as file:
        file.write(b'{"id":"torn')
    for segment in (first, torn):
        os.utime(segment.path, (NOW - KEPT - 1, NOW - KEPT - 1))
    drained(tmp_path, url, now=NOW)
    drain = Drain(tmp_path, opened(url), lambda *_: None, now=NOW - KEPT)
    with last.path.open("ab") as file:
        file.write(msgspec.json.encode(more) + b"\n")
    os.utime(last.path, (NOW, NOW))
    assert not drain.turn(NOW)
    assert drain.status.drained == 1
    assert [segment.path for segment in segments(tmp_path / "journal")] == [last.path]
    assert set(drain.database.positions(source(tmp_path))) == {last.path.name}
    drain.database.close()


def test_a_segment_stays_while_a_gateway_may_reckon_from_it(tmp_path, records):
    written(tmp_path / "journal", records(6))
    for segment in segments(tmp_path / "journal"):
        os.utime(segment.path, (0, 0))
    drain = drained(tmp_path, f"sqlite:///{tmp_path}/records.db")
    drain.turn(NOW + KEPT - 1)
    assert len(segments(tmp_path / "journal")) == 3


def test_how_far_behind_it_is(tmp_path, records):
    wanted = records(6)
    written(tmp_path / "journal", wanted, segments=1)
    [segment] = segments(tmp_path / "journal")
    size = segment.path.stat().st_size
    age = NOW - wanted[0].time - wanted[0].duration
    assert status.behind(tmp_path / "journal", {}, NOW) == (size, pytest.approx(age))
    drain = drained(tmp_path, f"sqlite:///{tmp_path}/records.db")
    status.save(tmp_path, drain.status)
    assert status.behind(tmp_path / "journal", status.load(tmp_path).positions, NOW) == (0, 0.0)


def test_a_database_of_a_newer_version_is_left_alone(tmp_path, url, records):
    written(tmp_path / "journal", records(1))
    drained(tmp_path, url)
    asked(url, "INSERT INTO record_steps VALUES (9999)", run=True)
    with pytest.raises(Away, match="newer version"):
        drained(tmp_path, url)


def test_what_cannot_be_reached_is_told_once_and_without_a_password(tmp_path, records):
    told = []
    written(tmp_path / "journal", records(1))
    drain = Drain(
        tmp_path, opened("postgresql://u:hunter2secret@127.0.0.1:1/x"), lambda *said: told.append(said), now=NOW
    )
    for _ in range(2):
        with pytest.raises(Away) as caught:
            drain.turn(NOW)
        drain.failed(caught.value)
    assert drain.status.failures == 2
    assert len(told) == 1
    assert "hunter2secret" not in str(told)
    drain.worked()
    assert told[1] == ("info", "the database takes records again")


def test_records_share_a_database_with_the_store(tmp_path, url, records):
    async def prepared():
        database = connect(url)
        await migrate(database)
        await database.close()

    asyncio.run(prepared())
    written(tmp_path / "journal", records(5))
    assert drained(tmp_path, url).status.drained == 5
