"""Objects of the configuration that stand in no file, their versions, and who changed what."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal, NamedTuple

from headgate.store import chain
from headgate.store.database import Database, Statements, Taken

Action = Literal["create", "replace", "delete"]
Body = dict[str, Any]
UNTOLD = {"users": frozenset({"password_hash", "totp"})}
"""What of an object is no part of its history, by kind: whoever gets hold of that has no old passwords to try."""


class Stored(NamedTuple):
    """An object; times are Unix seconds."""

    kind: str
    """The section of the configuration in which it would stand: `keys`, `teams`, `providers` …"""
    name: str
    body: Body
    version: int
    """From 1, one more with each change."""
    created: float
    changed: float
    changed_by: str
    place: int
    """In the order in which they count, where that matters: that of their making, but for those that were put last."""


class Change(NamedTuple):
    """What is to become of an object; `version` is the one that it is to be made of (None: whichever, or none)."""

    action: Action
    kind: str
    name: str
    body: Body | None = None
    version: int | None = None
    last: bool = False
    """From now on its place is behind all others; that of a new one is, anyway."""
    called: str | None = None
    """What it is called in the audit, where `action` says less than is so."""


class Actor(NamedTuple):
    """Who changes something, from where, by which request."""

    name: str
    address: str | None = None
    request: str | None = None


class Audited(NamedTuple):
    """A change that was made."""

    revision: int
    number: int
    time: float
    actor: str
    address: str | None
    request: str | None
    action: str
    kind: str
    name: str
    before: Body | None
    after: Body | None


class Conflict(Exception):
    """The object is not what it was taken for: another version, there already, or not there any more."""

    def __init__(self, change: Change, current: Stored | None) -> None:
        super().__init__(f"{change.kind}/{change.name}")
        self.change = change
        self.current = current


class Moved(Exception):
    """The store has another revision than the plan was made of."""


PURGE = ("purge", "audit", "")
COLUMNS = "kind, name, body, version, created, changed, changed_by, place"
LAST = "(SELECT COALESCE(MAX(place), 0) + 1 FROM objects)"
AUDITED = ", ".join(chain.ENTRY)


class Objects:
    """Secrets in bodies are sealed by whoever writes them: what is given here is written as it is."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    async def revision(self) -> int:
        """Of the store as a whole: another number after each change."""
        ((value,),) = await self._database.rows("SELECT value FROM revisions WHERE id = 1")
        return int(value)

    async def all(self) -> tuple[int, list[Stored]]:
        """Everything, and the revision at which it was so."""
        rows = await self._database.rows(  # one statement: what is committed in between is not half of it
            f"SELECT value, {COLUMNS} FROM revisions LEFT JOIN objects ON 1 = 1 ORDER BY kind, name"  # noqa: S608  # ours
        )
        return int(rows[0][0]), [_stored(row[1:]) for row in rows if row[1] is not None]

    async def get(self, kind: str, name: str) -> Stored | None:
        return await _get(self._database, kind, name)

    async def apply(self, changes: Sequence[Change], actor: Actor, *, at: int | None = None) -> int:
        """Make all of them, or none; gives the new revision. `at`: only if the store has this revision still.

        Raises Conflict, or Moved.
        """
        async with self._database.transaction() as statements:
            await statements.run("UPDATE revisions SET value = value + 1 WHERE id = 1")  # others wait from here on
            ((value,),) = await statements.rows("SELECT value FROM revisions WHERE id = 1")
            revision = int(value)
            if at is not None and revision != at + 1:
                raise Moved
            for number, change in enumerate(changes):
                before = await _get(statements, change.kind, change.name)
                await self._change(statements, change, before, actor)
                action = change.called or change.action
                told = (
                    _told(change.kind, before.body if before is not None else None),
                    _told(change.kind, change.body),
                )
                await self._audit(statements, (revision, number), actor, (action, change.kind, change.name), told)
            return revision

    async def note(self, action: str, kind: str, name: str, actor: Actor, told: Body) -> None:
        """Put into the audit what changes no object: beside the last change, as the revision stays what it is."""
        async with self._locked() as (statements, revision):
            place = (revision, await _free(statements, revision))
            await self._audit(statements, place, actor, (action, kind, name), (None, _text(told)))

    @asynccontextmanager
    async def _locked(self) -> AsyncIterator[tuple[Statements, int]]:
        """A transaction that others wait for, and the revision, which stays."""
        async with self._database.transaction() as statements:
            await statements.run("UPDATE revisions SET value = value WHERE id = 1")
            ((revision,),) = await statements.rows("SELECT value FROM revisions WHERE id = 1")
            yield statements, int(revision)

    async def forget(self, before: float, actor: Actor, *, action: str | None = None, most: int = 500) -> int:
        """Purge the audit of what is older (Unix seconds), of one action or of all, at most so many entries; how many
        there were. That it was done is in the audit."""
        async with self._locked() as (statements, revision):
            which, values = ("", []) if action is None else (" AND audit.action = ?", [action])
            rows = await statements.rows(
                "SELECT audit_chain.number FROM audit_chain JOIN audit ON audit.revision = first AND "  # noqa: S608
                f"audit.number = last WHERE audit_chain.kind = 'rows' AND audit.time < ?{which} "
                "ORDER BY audit_chain.number LIMIT ?",
                before, *values, most,
            )  # fmt: skip
            if not rows:
                return 0
            why = {"before": before, **({"action": action} if action is not None else {})}
            count = await chain.purge(statements, [int(number) for (number,) in rows], why, self._clock())
            told = (None, _text({**why, "entries": count}))
            await self._audit(statements, (revision, await _free(statements, revision)), actor, PURGE, told)
            return count

    async def audit(
        self, *, before: tuple[int, int] | None = None, limit: int = 100, **wanted: str | float | None
    ) -> list[Audited]:
        """The latest changes first; `before` is the place of the last that is known. `wanted`: `kind`, `name`, `actor`,
        `action`, `since` and `until` (Unix seconds)."""
        where, values = ["1 = 1"], list[Any]()
        for column in ("kind", "name", "actor", "action"):
            if wanted.get(column) is not None:
                where.append(f"{column} = ?")
                values.append(wanted[column])
        for column, sign in (("since", ">="), ("until", "<")):
            if wanted.get(column) is not None:
                where.append(f"time {sign} ?")
                values.append(wanted[column])
        if before is not None:
            where.append("(revision < ? OR (revision = ? AND number < ?))")
            values += [before[0], before[0], before[1]]
        sql = f"SELECT {AUDITED} FROM audit WHERE {' AND '.join(where)} ORDER BY revision DESC, number DESC LIMIT {int(limit)}"  # noqa: S608, E501  # columns are ours, values bound
        return [_audited(row) for row in await self._database.rows(sql, *values)]

    async def _audit(
        self,
        statements: Statements,
        place: tuple[int, int],
        actor: Actor,
        what: tuple[str, str, str],
        told: tuple[str | None, str | None],
    ) -> None:
        now = self._clock()
        entry = (*place, now, actor.name, actor.address, actor.request, *what, *told)
        await statements.run(
            f"INSERT INTO audit ({AUDITED}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608  # ours
            *entry,
        )
        await chain.extend(statements, entry, now)

    async def _change(self, statements: Statements, change: Change, before: Stored | None, actor: Actor) -> None:
        now, kind, name = self._clock(), change.kind, change.name
        if change.action == "create":
            if before is not None:
                raise Conflict(change, before)
            try:
                await statements.run(
                    f"INSERT INTO objects ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, {LAST})",  # noqa: S608  # ours
                    kind, name, _text(change.body), 1, now, now, actor.name,
                )  # fmt: skip
            except Taken:
                raise Conflict(change, None) from None
            return
        if before is None or change.version not in (None, before.version):
            raise Conflict(change, before)
        if change.action == "delete":
            await statements.run("DELETE FROM objects WHERE kind = ? AND name = ?", kind, name)
        else:
            await statements.run(
                "UPDATE objects SET body = ?, version = version + 1, changed = ?, changed_by = ? "
                "WHERE kind = ? AND name = ?",
                _text(change.body), now, actor.name, kind, name,
            )  # fmt: skip
            if change.last:
                sql = f"UPDATE objects SET place = {LAST} WHERE kind = ? AND name = ?"  # noqa: S608  # ours
                await statements.run(sql, kind, name)


async def _free(statements: Statements, revision: int) -> int:
    """Of the places in the audit beside a revision, the next: also where the last ones were purged."""
    sql = (
        "SELECT COALESCE(MAX(number), -1) + 1 FROM (SELECT number FROM audit WHERE revision = ? UNION ALL "
        "SELECT last FROM audit_chain WHERE kind = 'rows' AND first = ?) AS known"
    )
    ((number,),) = await statements.rows(sql, revision, revision)
    return int(number)


async def _get(statements: Statements, kind: str, name: str) -> Stored | None:
    rows = await statements.rows(f"SELECT {COLUMNS} FROM objects WHERE kind = ? AND name = ?", kind, name)  # noqa: S608
    return _stored(rows[0]) if rows else None


def _stored(row: Sequence[Any]) -> Stored:
    kind, name, body, version, created, changed, changed_by, place = row
    return Stored(kind, name, json.loads(body), int(version), created, changed, changed_by, int(place))


def _audited(row: Sequence[Any]) -> Audited:
    *plain, before, after = row
    return Audited._make([*plain, *(json.loads(body) if body else None for body in (before, after))])


def _told(kind: str, body: Body | None) -> str | None:
    untold = UNTOLD.get(kind, frozenset())
    return _text({name: value for name, value in body.items() if name not in untold} if body is not None else None)


def _text(body: Body | None) -> str | None:
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")) if body is not None else None
