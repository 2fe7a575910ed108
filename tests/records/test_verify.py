"""Whatever is changed, taken away, moved or put in by somebody who can write to the database is found, and named."""

import asyncio
import contextlib
import json
import math
import random
import shutil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.core.chain import Link, digests, link
from headgate.records.drain import opened
from headgate.records.row import read
from headgate.records.statements import APPEND_ONLY
from headgate.records.verify import verify_records
from headgate.store import database as store
from headgate.store.checkpoints import AUDIT, RECORDS, known, take
from headgate.store.database import Taken, connect
from headgate.store.migrations import migrate
from headgate.store.objects import Actor, Change, Objects
from headgate.store.sealing import OwnKey, Seal
from headgate.store.signing import own, signer
from headgate.store.verify import verify_audit
from made_records import made

ANN = Actor("ann", "10.0.0.1", "req_1")
SEAL = Seal([OwnKey(b"k" * 32)])
BATCHES, SIZE = 4, 5
COLUMN = {
    "lines": ("line", "number"), "requests": ("team", "status", "cost", "time", "id", "number"),
    "tags": ("tag", "time", "number"),
    "record_chain": ("time", "first", "last", "digest", "body", "hash", "kind", "number", "digests"),
    "record_checkpoints": ("hash", "number", "time", "signature", "key", "sequence"),
    "audit": ("time", "actor", "after", "name", "number"),
    "audit_chain": ("time", "first", "last", "digest", "body", "hash", "kind", "number"),
    "audit_checkpoints": ("hash", "number", "time", "signature", "key", "sequence"),
}  # fmt: skip


class Both:
    """A database with records and an audit, as they would be after some time."""

    def __init__(self, url, records):
        self.url = url
        drain = opened(url)
        entries = [read(json.dumps(line).encode()) for line in _lines(records)]
        for at in range(0, len(entries), SIZE):
            drain.add("s", entries[at : at + SIZE], {"seg": at})
            if at == SIZE:
                self.asked(self._checkpoint)
        drain.close()
        self.asked(self._checkpoint)
        self.ids = [entry.row.id for entry in entries]

    def asked(self, what, *more):
        async def ask():
            database = connect(self.url)
            try:
                return await what(database, *more)
            finally:
                await database.close()

        return asyncio.run(ask())

    async def _checkpoint(self, database):
        await migrate(database)
        objects, signing = Objects(database), await signer(database, SEAL)
        for number in range(4):
            await objects.note("login", "sessions", f"ann{number}", ANN, {"n": number})
        await objects.apply([Change("create", "teams", f"t{await objects.revision()}", {"models": []})], ANN)
        assert await take(database, AUDIT, signing, 1)
        assert await take(database, RECORDS, signing, 1)
        assert await take(database, RECORDS, signing, 1) is None

    def verified(self, elsewhere=()):
        async def verify(database):
            keys = await own(database, SEAL)
            return (
                await verify_audit(database, keys, None, elsewhere),
                await verify_records(database, keys, None, elsewhere),
            )

        return self.asked(verify)

    def problems(self, elsewhere=()):
        return [problem for told in self.verified(elsewhere) for problem in told.problems]

    def tampered(self, *statements):
        """As who owns the database does it: without its triggers."""

        async def run(database):
            for table in (*APPEND_ONLY, *store.APPEND_ONLY):
                if self.url.startswith("sqlite"):
                    for done in ("changed", "removed"):
                        await database.run(f"DROP TRIGGER IF EXISTS {table}_not_{done}")
                else:
                    await database.run(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            return [await database.run(*statement) for statement in statements]

        return self.asked(run)


def _lines(records):
    for number, record in enumerate(records):
        tags = ["a", f"t{number % 3}"][: number % 3]
        yield {"id": record.id, "time": record.time, "team": f"t-{number}", "status": 200, "cost": "0.5", "tags": tags}


@pytest.fixture
def both(url, records):
    return Both(url, records(BATCHES * SIZE))


def test_what_nobody_touched_is_whole(both):
    audit, records = both.verified()
    assert (audit.problems, records.problems) == ([], [])
    assert (records.links, records.rows, records.checkpoints, records.signed.number) == (
        BATCHES,
        BATCHES * SIZE,
        2,
        BATCHES,
    )
    assert (audit.links, audit.rows, audit.checkpoints) == (10, 10, 2)


def test_each_way_to_tamper_is_called_by_its_name(both):
    ids = both.ids
    both.tampered(("UPDATE lines SET line = replace(line, '200', '429') WHERE number = 3",))
    both.tampered(("DELETE FROM lines WHERE number = 4",), ("DELETE FROM requests WHERE number = 4",))
    both.tampered(
        ("UPDATE lines SET number = 100 WHERE number = 6",), ("UPDATE lines SET number = 6 WHERE number = 14",),
        ("UPDATE lines SET number = 14 WHERE number = 100",),
    )  # fmt: skip
    both.tampered(("INSERT INTO lines VALUES (21, '{}')",), ("UPDATE requests SET team = 'other' WHERE number = 9",))
    both.tampered(("UPDATE audit SET actor = 'bob' WHERE revision = 0 AND number = 1",))
    found = {(each.what, each.where): each.message for each in both.problems()}
    assert set(found) == {
        ("changed", ids[2]), ("removed", "row 4"), ("moved", ids[5]), ("moved", ids[13]),
        ("added", "row 21 of `lines`"), ("changed", ids[8]), ("changed", "0.1"),
    }  # fmt: skip
    assert f"behind {ids[2]}, in front of {ids[4]}" in found["removed", "row 4"]
    assert "`team` in `requests`" in found["changed", ids[8]]


def test_a_tail_that_was_cut_off_shows_by_the_checkpoints(both):
    cut = [(f"DELETE FROM {table} WHERE number > 15",) for table in ("lines", "requests", "tags")]
    both.tampered(*cut, ("DELETE FROM record_chain WHERE number = 4",))
    assert [(each.what, each.where) for each in both.problems()] == [("cut", "link 4")]


def test_a_tail_that_was_cut_off_with_its_checkpoints_shows_by_those_kept_elsewhere(both):
    elsewhere = both.asked(known, RECORDS)
    cut = [(f"DELETE FROM {table} WHERE number > 15",) for table in ("lines", "requests", "tags")]
    chain = ("DELETE FROM record_chain WHERE number = 4",), ("DELETE FROM record_checkpoints WHERE sequence = 2",)
    both.tampered(*cut, *chain)
    assert both.problems() == []
    assert [(each.what, each.where) for each in both.problems(elsewhere)] == [("cut", "link 4")]


def test_a_chain_that_was_made_anew_is_not_the_one_that_was_signed(both):
    """Somebody changes a record and reckons all hashes behind it again; without the key he cannot sign them."""
    both.tampered(("UPDATE lines SET line = replace(line, '200', '429') WHERE number = 1",))
    both.tampered(("UPDATE requests SET status = 429 WHERE number = 1",))

    async def again(database):
        before = None
        for row in await database.rows(f"SELECT {', '.join(Link._fields)} FROM record_chain ORDER BY number"):
            old = Link._make(row)
            text = "SELECT line FROM lines WHERE number BETWEEN ? AND ? ORDER BY number"
            said = digests(line.encode() for (line,) in await database.rows(text, old.first, old.last))
            before = link(before, old.time, "rows", (old.first, old.last), said)
            text = "UPDATE record_chain SET digest = ?, hash = ?, digests = ? WHERE number = ?"
            await database.run(text, before.digest, before.hash, said, old.number)

    both.asked(again)
    assert [(each.what, each.where) for each in both.problems()] == [("changed", "link 2"), ("changed", "link 4")]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    chance = random.Random(1)
    folder = tmp_path_factory.mktemp("verify")
    Both(f"sqlite:///{folder}/records.db", [made(number, chance) for number in range(BATCHES * SIZE)])
    return folder


@settings(deadline=None)
@given(data=st.data())
def test_any_single_change_of_a_row_is_found(whole, data):
    copy = whole / "copy.db"
    copy.unlink(missing_ok=True)
    shutil.copy(whole / "records.db", copy)
    both = object.__new__(Both)
    both.url = f"sqlite:///{copy}"
    table = data.draw(st.sampled_from(sorted(COLUMN)))
    column = data.draw(st.sampled_from(COLUMN[table]))
    key = "tag || '/' || number" if table == "tags" else "rowid"
    there = both.asked(lambda database: database.rows(f"SELECT {key}, {column} FROM {table}"))
    row, old = data.draw(st.sampled_from(there))
    if data.draw(st.booleans()):
        both.tampered((f"DELETE FROM {table} WHERE {key} = ?", row))
        last = table.endswith("checkpoints") and row == there[-1][0]
        assert both.problems() or last, "of the last checkpoint nothing here knows that it is missing"
        return
    new = other(data, old)
    with contextlib.suppress(Taken):  # some the table itself does not take
        both.tampered((f"UPDATE {table} SET {column} = ? WHERE {key} = ?", new, row))
        assert both.problems(), f"{table}.{column}: {old!r} became {new!r}"


def other(data, old):
    """Another value of the same kind, often one that is near."""
    if isinstance(old, bytes):
        at = data.draw(st.integers(0, len(old) - 1))
        return old[:at] + bytes([old[at] ^ 1]) + old[at + 1 :]
    if isinstance(old, float):
        return math.nextafter(old, math.inf)
    if isinstance(old, int):
        return old + data.draw(st.sampled_from([-1, 1, 1000]))
    return (old or "") + "x" if data.draw(st.booleans()) or not old else old[:-1]
