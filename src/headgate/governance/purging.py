"""Purges what retention says is old, and says in the audit what went."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from headgate.config.retention import Hold
from headgate.config.schema import Config
from headgate.governance import removing
from headgate.governance.conditions import DAY, Condition, Kind, Rule, free, joined, keeps, old, rules
from headgate.governance.databases import Databases
from headgate.governance.removing import STEP, Tables
from headgate.journal.blank import blank
from headgate.records.status import load
from headgate.records.sums import HOUR
from headgate.store.database import Database, SQLite
from headgate.store.objects import Actor, Objects

PAUSE = 0.02
"""Seconds between two steps at least, in which others write: as long as the step took."""
GATEWAY = Actor("the gateway")


class Purged(NamedTuple):
    """How many went of a kind of data, by which rule."""

    kind: str
    why: str
    rows: int


class Purge:
    """One run, of one configuration, at one time (Unix seconds)."""

    def __init__(self, databases: Databases, config: Config, now: float, *, dry: bool = False) -> None:
        """`dry`: only count what would go."""
        self._databases = databases
        self._config = config
        self._now = now
        self._dry = dry

    async def run(self, actor: Actor = GATEWAY) -> list[Purged]:
        """Raises StoreAway, OSError."""
        if not keeps(self._config.retention, self._config):
            return []
        done = [each for each in await self._all() if each.rows]
        if done and not self._dry:
            objects = Objects(await self._databases.store(), lambda: self._now)
            for kind in dict.fromkeys(each.kind for each in done if each.kind != "audit"):
                counts = {each.why: each.rows for each in done if each.kind == kind}
                await objects.note("purge", kind, "", actor, {"counts": counts, "at": self._now})
            await self._tidy(done)
        return done

    async def _all(self) -> list[Purged]:
        done: list[Purged] = []
        records = await self._databases.records()
        if records is not None:
            done += await self._of_records(records)
        done += await self._of_journal()
        if self._config.retention.audit_days is not None and self._databases.has_store and not self._dry:
            done.append(Purged("audit", "general", await self._of_audit(self._config.retention.audit_days)))
        return done

    async def _of_records(self, database: Database) -> list[Purged]:
        there = await removing.tables(database)
        await removing.prepare(database)
        done = []
        kinds: tuple[Kind, ...] = ("payloads", "records") if there.payloads else ("records",)
        for kind in kinds:
            of_kind = rules(self._config, kind, self._now, there.columns)
            done += [Purged(kind, rule.why, await self._by_rule(database, kind, rule, there)) for rule in of_kind]
        if self._config.retention.sums_days is not None and not self._dry:
            done.append(Purged("sums", "general", await self._of_sums(database, self._config.retention.sums_days)))
        return done

    async def _tidy(self, done: Sequence[Purged]) -> None:
        """Last of all, as it may take long or fail."""
        records = await self._databases.records()
        if records is not None and any(each.kind in ("records", "payloads", "sums") for each in done):
            await removing.tidy(records, await removing.tables(records))

    async def _by_rule(self, database: Database, kind: Kind, rule: Rule, there: Tables) -> int:
        which = joined([rule.condition, free(self._config.holds)])
        if self._dry:
            return await removing.count(database, which, payloads=kind == "payloads")
        why = {"why": f"older than {rule.days} days", "of": rule.why}
        return await all_of(database, which, why, there, payloads=kind == "payloads")

    async def _of_sums(self, database: Database, days: int) -> int:
        """Whole hours, but for those in the time of a hold."""
        before = int((self._now - days * DAY) // HOUR)
        gone = 0
        for (hour,) in await database.rows("SELECT DISTINCT hour FROM sums WHERE hour < ?", before):
            if not _holds_time(self._config.holds, hour * HOUR, (hour + 1) * HOUR):
                gone += await database.run("DELETE FROM sums WHERE hour = ?", hour)
                await database.run("DELETE FROM spreads WHERE hour = ?", hour)
                await asyncio.sleep(PAUSE)
        return gone

    async def _of_audit(self, days: int) -> int:
        """Up to what a hold's time begins with."""
        before = self._now - days * DAY
        for hold in self._config.holds.values():
            if hold.until is None or hold.until.timestamp() > 0:
                before = min(before, hold.since.timestamp() if hold.since is not None else 0.0)
        store = await self._databases.store()
        if isinstance(store, SQLite):
            await store.rows("PRAGMA secure_delete = ON")
        gone, objects = 0, Objects(store, lambda: self._now)
        while count := await objects.forget(before, GATEWAY, most=STEP):
            gone += count
            await asyncio.sleep(PAUSE)
        if gone and isinstance(store, SQLite):
            await store.rows("PRAGMA wal_checkpoint(TRUNCATE)")
        return gone

    async def _of_journal(self) -> list[Purged]:
        """Lines of the journal: where there is a database, of those that are in it."""
        config = self._config
        days = [config.retention.records_days, *(team.retention.records_days for team in config.teams.values())]
        days += [each.records_days for each in config.retention.data_classes.values()]
        known = [each for each in days if each is not None]
        if not known or self._dry:
            return []
        begun = self._now - min(known) * DAY
        folder, which = config.data_dir / "journal", old(config, self._now)
        return [Purged("journal", "", await asyncio.to_thread(blank, folder, self._positions(), which, begun))]

    def _positions(self) -> Mapping[str, int] | None:
        """How far the journal is in the database; None: it is nowhere else."""
        return load(self._config.data_dir).positions if self._config.records.store else None


def _holds_time(holds: Mapping[str, Hold], since: float, until: float) -> bool:
    return any(
        (hold.since is None or hold.since.timestamp() < until)
        and (hold.until is None or hold.until.timestamp() > since)
        for hold in holds.values()
    )


async def all_of(
    database: Database, which: Condition, why: Mapping[str, Any], there: Tables, *,
    payloads: bool = False, mark: str | None = None,
) -> int:  # fmt: skip
    """Remove records, or their payloads alone, step by step; how many. `mark`: they are in blocks that have it."""
    gone, order = 0, removing.ordered(mark)
    last: float | None = None
    while True:
        began = time.monotonic()
        left = joined([which, Condition(f"{order} >= ?", [last])]) if last is not None else which
        found = await removing.found(database, left, payloads=payloads, mark=mark)
        if payloads:
            gone += await removing.remove_payloads(database, found, there)
        elif found:
            gone += await removing.remove(database, found, why, there)
        if len(found) < STEP:
            return gone
        last = found[-1].number if mark is not None else found[-1].time
        await asyncio.sleep(max(time.monotonic() - began, PAUSE))
