"""Alerts as the store has them: what they are now, what there was, and what became of each."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple

import msgspec

from headgate.alerts.alert import Alert
from headgate.alerts.book import Happened
from headgate.store.database import Database


class Asked(NamedTuple):
    """What is looked for; the latest first, behind `before` (when it began, and its id)."""

    states: Collection[str] = ()
    rule: str | None = None
    severity: str | None = None
    since: float | None = None
    until: float | None = None
    before: tuple[float, str] | None = None
    limit: int = 100


async def found(database: Database, asked: Asked) -> list[Alert]:
    """Raises StoreAway."""
    where, values = ["1 = 1"], list[Any]()
    if asked.states:
        where.append(f"state IN ({', '.join('?' * len(asked.states))})")
        values += asked.states
    for what, sign, value in (
        ("rule", "=", asked.rule),
        ("severity", "=", asked.severity),
        ("began", ">=", asked.since),
        ("began", "<", asked.until),
    ):
        if value is not None:
            where.append(f"{what} {sign} ?")
            values.append(value)
    if asked.before is not None:
        where.append("(began < ? OR (began = ? AND id < ?))")
        values += [asked.before[0], *asked.before]
    sql = f"SELECT body FROM alerts WHERE {' AND '.join(where)} ORDER BY began DESC, id DESC LIMIT {int(asked.limit)}"  # noqa: S608 - ours
    return [_read(body) for (body,) in await database.rows(sql, *values)]


async def one(database: Database, id: str) -> tuple[Alert, list[Happened]] | None:
    """An alert with what became of it, in order. Raises StoreAway."""
    rows = await database.rows("SELECT body FROM alerts WHERE id = ?", id)
    if not rows:
        return None
    events = await database.rows("SELECT time, what, detail FROM alert_events WHERE alert = ? ORDER BY time", id)
    return _read(rows[0][0]), [Happened(*row) for row in events]


def _read(body: str) -> Alert:
    return msgspec.json.decode(body, type=Alert)
