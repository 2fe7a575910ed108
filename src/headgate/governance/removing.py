"""Takes records out of the database for good, a few at a time: lines, what is searched, tags, payloads.

Their digests stay in the chain, as does a link that says which rows went and why. SQLite overwrites what it deletes
(`secure_delete`), gives the room back and empties its write-ahead log; PostgreSQL gives it back to the tables (VACUUM).
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from headgate.core import chain
from headgate.core.chain import Link
from headgate.governance.conditions import Condition
from headgate.records.chain import APPEND, LAST
from headgate.records.marks import marks as marked
from headgate.records.row import Entry, read
from headgate.records.statements import LOCK, quoted
from headgate.store.database import Database, Postgres, SQLite, Statements, StoreAway

STEP = 200
"""Records in a transaction: a few hundredths of a second, in which the drain waits."""
PAGES = 500
"""Of SQLite, that are given back at once."""


class Tables(NamedTuple):
    """What there is in this database, beside records."""

    columns: frozenset[str]
    """Of `requests`."""
    payloads: bool
    words: bool
    """Whether words of payloads are in a table of their own, in which they are searched."""


class Found(NamedTuple):
    """A record that is to go."""

    number: int
    id: str
    time: float


async def tables(database: Database) -> Tables:
    columns = {"data_class"} if await _there(database, "SELECT data_class FROM requests WHERE 1 = 0") else set()
    payloads = await _there(database, "SELECT id FROM payloads WHERE 1 = 0")
    words = payloads and await _there(database, "SELECT rowid FROM payload_words WHERE 1 = 0")
    return Tables(frozenset(columns), payloads, words)


async def _there(database: Database, text: str) -> bool:
    try:
        await database.rows(text)
    except StoreAway as away:
        if "no such" in str(away) or "does not exist" in str(away):
            return False
        raise
    return True


async def prepare(database: Database) -> None:
    """For deleting: what is deleted is overwritten."""
    if isinstance(database, SQLite):
        await database.rows("PRAGMA secure_delete = ON")


def ordered(mark: str | None) -> str:
    """By what records are found, so that those behind some can be asked for."""
    return "requests.time" if mark is None else "requests.number"


async def found(
    database: Database, which: Condition, *, payloads: bool = False, mark: str | None = None
) -> list[Found]:
    """Some of those that are meant, the first ones: fewer than STEP, where there are no more. Nobody waits for it."""
    rows = await database.rows(
        f"SELECT requests.number, requests.id, requests.time FROM {_from(payloads, mark)} "  # noqa: S608 - our names
        f"WHERE {_marked(mark)} {which.text} ORDER BY {ordered(mark)} LIMIT {STEP}",
        *_value(mark), *which.values,
    )  # fmt: skip
    return [Found(int(number), id, time) for number, id, time in rows]


async def remove(database: Database, which: Sequence[Found], why: Mapping[str, Any], there: Tables) -> int:
    """Records, with all that there is of them; how many there were still: another machine may purge, too."""
    async with database.transaction() as statements:
        await _lock(database, statements)
        marks = ", ".join("?" * len(which))
        rows = await statements.rows(
            f"SELECT number FROM requests WHERE number IN ({marks})",  # noqa: S608 - marks
            *[each.number for each in which],
        )
        still = {int(number) for (number,) in rows}
        which = [each for each in which if each.number in still]
        if not which:
            return 0
        numbers, times = [each.number for each in which], [each.time for each in which]
        marks = ", ".join("?" * len(which))
        await statements.run("INSERT INTO record_purging (number) VALUES (1)")
        lines = await statements.rows(f"SELECT line FROM lines WHERE number IN ({marks})", *numbers)  # noqa: S608
        entries = [entry for (line,) in lines if (entry := read(line.encode())) is not None]
        await _remove_tags(statements, entries, numbers, (min(times), max(times)))
        for table in ("lines", "requests"):
            await statements.run(f"DELETE FROM {table} WHERE number IN ({marks})", *numbers)  # noqa: S608 - marks
        await _remove_marks(statements, entries, (min(times), max(times)))
        if there.payloads:
            await _remove_payloads(statements, [each.id for each in which], there)
        await _tell(statements, numbers, why)
        await statements.run("DELETE FROM record_purging")
    return len(which)


async def remove_payloads(database: Database, which: Sequence[Found], there: Tables) -> int:
    """Those of records that stay; how many there were still."""
    if not which:
        return 0
    async with database.transaction() as statements:
        await _lock(database, statements)
        return await _remove_payloads(statements, [each.id for each in which], there)


async def count(database: Database, which: Condition, *, payloads: bool = False, mark: str | None = None) -> int:
    ((found,),) = await database.rows(
        f"SELECT COUNT(*) FROM {_from(payloads, mark)} WHERE {_marked(mark)} {which.text}",  # noqa: S608 - our names
        *_value(mark), *which.values,
    )  # fmt: skip
    return int(found)


def _from(payloads: bool, mark: str | None) -> str:
    requests = "requests" if mark is None else "marks JOIN requests ON requests.number BETWEEN first AND last"
    return f"{requests} JOIN payloads ON payloads.id = requests.id" if payloads else requests


def _marked(mark: str | None) -> str:
    return "mark = ? AND" if mark is not None else ""


def _value(mark: str | None) -> Sequence[str]:
    return () if mark is None else (mark,)


async def tidy(database: Database, there: Tables) -> None:
    """Give the room back, and leave nothing of what went where the database keeps what it was about to write."""
    if isinstance(database, Postgres):
        payloads = ("payloads", "payload_words") if there.payloads else ()
        for table in ("lines", "requests", "tags", "marks", "sums", "spreads", *payloads):
            await database.vacuum(table)
        return
    assert isinstance(database, SQLite)
    if there.words:
        await _merge_words(database)
    left = await _free(database)
    while left:
        await database.do(_vacuumed)
        before, left = left, await _free(database)
        if left == before:
            break  # made by a version that did not ask for it
    await database.rows("PRAGMA wal_checkpoint(TRUNCATE)")


async def _free(database: Database) -> int:
    ((pages,),) = await database.rows("PRAGMA freelist_count")
    return int(pages)


def _vacuumed(connection: sqlite3.Connection) -> None:
    """`execute` would end after one page."""
    connection.executescript(f"PRAGMA incremental_vacuum({PAGES})")


async def _merge_words(database: SQLite) -> None:
    """What is deleted of an index of words stays in it until its parts become one (https://sqlite.org/fts5.html)."""
    merge = "INSERT INTO payload_words(payload_words, rank) VALUES ('merge', ?)"
    await database.run(merge, -16)
    while True:
        before = await database.do(lambda connection: connection.total_changes)
        await database.run(merge, PAGES)
        if await database.do(lambda connection: connection.total_changes) - before < 2:
            return


async def _lock(database: Database, statements: Statements) -> None:
    """Who writes records waits, and is waited for; SQLite's transactions do so by themselves."""
    if not isinstance(database, SQLite):
        await statements.rows(LOCK)


async def _remove_tags(
    statements: Statements, entries: Sequence[Entry], numbers: Sequence[int], span: tuple[float, float]
) -> None:
    """They stand in the order of tag and time."""
    marks = ", ".join("?" * len(numbers))
    for tag in sorted({tag for entry in entries for tag in entry.tags}):
        await statements.run(
            f"DELETE FROM tags WHERE tag = ? AND time BETWEEN ? AND ? AND number IN ({marks})",  # noqa: S608 - marks
            tag, *span, *numbers,
        )  # fmt: skip


async def _remove_marks(statements: Statements, entries: Sequence[Entry], span: tuple[float, float]) -> None:
    """Those of values that no request of their block has any more; they may be names."""
    gone: dict[str, set[str]] = {}
    for mark, *_ in marked(entries, 1) if entries else ():
        gone.setdefault(mark.partition("=")[0], set()).add(mark)
    for name, marks in gone.items():
        if name == "tag":
            has = "SELECT 1 FROM tags WHERE 'tag=' || tag = mark AND time BETWEEN oldest AND newest AND number"
        else:
            value = "(status / 100)" if name == "status" else quoted([name])
            has = f"SELECT 1 FROM requests WHERE '{name}=' || {value} = mark AND requests.number"  # noqa: S608 - ours
        await statements.run(
            f"DELETE FROM marks WHERE mark IN ({', '.join('?' * len(marks))}) AND newest >= ? AND oldest <= ? "  # noqa: S608
            f"AND NOT EXISTS ({has} BETWEEN marks.first AND marks.last)",
            *sorted(marks), *span,
        )  # fmt: skip


async def _remove_payloads(statements: Statements, ids: Sequence[str], there: Tables) -> int:
    marks = ", ".join("?" * len(ids))
    if there.words:
        await statements.run(
            f"DELETE FROM payload_words WHERE rowid IN (SELECT number FROM payloads WHERE id IN ({marks}))",  # noqa: S608
            *ids,
        )
    return await statements.run(f"DELETE FROM payloads WHERE id IN ({marks})", *ids)  # noqa: S608 - marks


async def _tell(statements: Statements, numbers: Sequence[int], why: Mapping[str, Any]) -> None:
    """In the chain. Digests of a batch of which nothing is left are of no use any more."""
    rows = await statements.rows(LAST)
    previous = Link._make(rows[0]) if rows else None
    body = json.dumps({**why, "ranges": chain.ranges(sorted(numbers))}, separators=(",", ":"))
    place = (0, previous.last if previous is not None else 0)
    link = chain.link(previous, time.time_ns() // 1000, "purge", place, b"", body)
    await statements.run(APPEND, *link, b"")
    await statements.run(
        "UPDATE record_chain SET digests = ? WHERE kind = 'rows' AND last >= ? AND first <= ? AND NOT EXISTS "
        "(SELECT 1 FROM lines WHERE lines.number BETWEEN record_chain.first AND record_chain.last)",
        b"", min(numbers), max(numbers),
    )  # fmt: skip
