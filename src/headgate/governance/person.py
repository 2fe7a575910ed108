"""All that is kept about one person, given out or deleted: an end user, or a user whose keys ask."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from headgate.config.retention import Hold
from headgate.config.schema import Config
from headgate.core.record import Record
from headgate.governance import removing
from headgate.governance.conditions import Condition, equal, held, holds, joined
from headgate.governance.databases import Databases
from headgate.governance.purging import all_of
from headgate.journal.blank import blank
from headgate.journal.read import Filter
from headgate.records import statements as sql
from headgate.records.payloads.keeper import FOLDER, STATUS
from headgate.records.row import TEXTS
from headgate.records.statements import LOCK
from headgate.records.status import FILE, behind, load
from headgate.records.sums import GROUPS, SUMS
from headgate.store.database import Database, SQLite
from headgate.store.objects import Actor, Objects

WAIT = 10.0
"""Seconds that records on their way into the database are waited for."""
STEP = 200
GROUPED = ("hour", *GROUPS)
ADD = sql.adding("sums", GROUPED, SUMS)


class Person(NamedTuple):
    """`what`: as whom requests know the name."""

    what: Literal["user", "end_user"]
    name: str

    @property
    def filter(self) -> Filter:
        return Filter(user=self.name) if self.what == "user" else Filter(end_user=self.name)

    @property
    def mark(self) -> str:
        """By which blocks of requests are found."""
        return f"{self.what}={self.name[:TEXTS]}"

    @property
    def digest(self) -> str:
        """What the audit calls a person who was deleted."""
        return hashlib.sha256(f"{self.what}\0{self.name}".encode("utf-8", "replace")).hexdigest()[:32]


class Held(Exception):
    """Some of it is held, by the holds of these names."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(f"held by {', '.join(names)}")
        self.names = names


class Erased(NamedTuple):
    """What went; `waiting` are bytes of the journal that were not in the database in time: ask again."""

    records: int
    payloads: int
    sums: int
    journal: int
    waiting: int
    digest: str


async def erase(databases: Databases, config: Config, person: Person, actor: Actor) -> Erased:
    """Delete all of it, and say so in the audit, with the name's digest alone. Raises Held, StoreAway, OSError."""
    database, which = await databases.records(), equal(person.what, person.name)
    waiting = await _drained(config) if database is not None else 0
    records = payloads = sums = 0
    if database is not None:
        names = await _holding(database, config.holds, person, which)
    else:
        names = await asyncio.to_thread(_holding_lines, config, person)
    if names:
        raise Held(names)
    if database is not None:
        there = await removing.tables(database)
        await removing.prepare(database)
        payloads = await removing.count(database, which, payloads=True, mark=person.mark) if there.payloads else 0
        why = {"why": "erased", "of": person.digest}
        records = await all_of(database, which, why, there, mark=person.mark)
        sums = await _unnamed(database, person) if person.what in GROUPS else 0
    positions = load(config.data_dir).positions if database is not None else None
    journal = await asyncio.to_thread(
        blank, config.data_dir / "journal", positions, lambda record: getattr(record, person.what) == person.name
    )
    done = Erased(records, payloads, sums, journal, waiting, person.digest)
    told = {name: value for name, value in done._asdict().items() if name != "digest"}
    await Objects(await databases.store()).note("erase", "data", person.digest, actor, told)
    if database is not None:
        await removing.tidy(database, await removing.tables(database))
    return done


async def _holding(database: Database, said: Mapping[str, Hold], person: Person, which: Condition) -> list[str]:
    """Holds that some of it fits."""
    return [
        name
        for name, hold in said.items()
        if await removing.count(database, joined([which, held(hold)]), mark=person.mark)
    ]


def _holding_lines(config: Config, person: Person) -> list[str]:
    """The same of the journal, where there is no database. Raises OSError."""
    found = set[str]()

    def look(record: Record) -> bool:
        if getattr(record, person.what) == person.name:
            found.update(name for name, hold in config.holds.items() if holds(hold, record))
        return False

    blank(config.data_dir / "journal", None, look)
    return sorted(found)


async def _drained(config: Config) -> int:
    """Wait until what is in the journal now is in the database; how many bytes are not."""
    until = time.monotonic() + WAIT
    while True:
        left = sum(
            behind(config.data_dir / folder, load(config.data_dir, file).positions, time.time())[0]
            for folder, file in (("journal", FILE), (FOLDER, STATUS))
        )
        if not left or time.monotonic() >= until:
            return left
        await asyncio.sleep(0.1)


async def _unnamed(database: Database, person: Person) -> int:
    """The hourly sums of a user become nobody's, so that the totals stay what they are; how many there were."""
    column, place, gone = sql.quoted([person.what]), GROUPED.index(person.what), 0
    names = (*GROUPED, *SUMS)
    if not person.name:
        return 0
    while True:
        async with database.transaction() as statements:
            if not isinstance(database, SQLite):
                await statements.rows(LOCK)
            rows = await statements.rows(
                f"SELECT {sql.quoted(names)} FROM sums WHERE {column} = ? LIMIT {STEP}",  # noqa: S608 - our names
                person.name,
            )
            for row in rows:
                nobodys: list[Any] = [*row[:place], "", *row[place + 1 :]]
                await statements.run(ADD, *nobodys)
                which = " AND ".join(f"{sql.quoted([name])} = ?" for name in GROUPED)
                await statements.run(f"DELETE FROM sums WHERE {which}", *row[: len(GROUPED)])  # noqa: S608 - ours
        gone += len(rows)
        if len(rows) < STEP:
            return gone
