"""Alerts in the store: what they are now, what became of them, what is still to be sent, and who looks after them all.

What cannot be written, as the store is away, is written once it is back; nobody waits for it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Any, NamedTuple

import msgspec

from headgate.alerts.alert import Alert
from headgate.store.database import Database, Row, StoreAway, Taken
from headgate.store.migrations import migrate

LEASE = "alerts"
TERM = 20.0
"""Seconds without a sign of life after which another instance leads."""
MOST = 10_000
"""Statements that wait for the store."""
GONE = 900.0
"""Seconds after which an instance that gave no sign of life is taken to be no more."""
_encode = msgspec.json.Encoder().encode


class Happened(NamedTuple):
    """Something that became of an alert: `firing`, `resolved`, `silenced`, `told`, `failed`, `repeated`."""

    time: float
    what: str
    detail: str


class Book:
    """`me` is under which this instance owns what it has written."""

    def __init__(self, database: Database, me: str) -> None:
        self.me = me
        self.why: str | None = None
        """Why the store cannot be asked."""
        self.leading = False
        self._database = database
        self._ready = False
        self._writing = asyncio.Lock()
        self._waiting: deque[tuple[str, tuple[Any, ...]]] = deque()
        self._beat: tuple[int, float] | None = None
        """Of whoever leads, the last that was seen, and when."""
        self._renewed = 0.0

    def alert(self, alert: Alert, now: float) -> None:
        """As it is now."""
        self._put("DELETE FROM alerts WHERE id = ?", alert.id)
        self._put(
            "INSERT INTO alerts (id, rule, state, severity, owner, began, fired, resolved, checked, body) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            alert.id, alert.rule, alert.state, alert.severity, alert.owner, alert.began, alert.fired, alert.resolved,
            now, _encode(alert).decode(),
        )  # fmt: skip

    def forget(self, alert: Alert) -> None:
        """One that was pending, and came to nothing."""
        self._put("DELETE FROM alerts WHERE id = ?", alert.id)

    def happened(self, alert: str, what: str, detail: str, now: float) -> None:
        self._put("INSERT INTO alert_events (alert, time, what, detail) VALUES (?, ?, ?, ?)", alert, now, what, detail)

    def notice(self, id: str, made: float, body: bytes) -> None:
        """It is to be sent, or sent again; `body` takes the place of the one before."""
        self._put("DELETE FROM alert_notices WHERE id = ?", id)
        self._put(
            "INSERT INTO alert_notices (id, owner, made, body) VALUES (?, ?, ?, ?)", id, self.me, made, body.decode()
        )

    def sent(self, id: str) -> None:
        self._put("DELETE FROM alert_notices WHERE id = ?", id)

    def tidy(self, before: float) -> None:
        """Delete what was resolved before."""
        self._put("DELETE FROM alert_events WHERE alert IN (SELECT id FROM alerts WHERE resolved < ?)", before)
        self._put("DELETE FROM alerts WHERE resolved < ?", before)

    def _put(self, sql: str, *values: Any) -> None:
        if len(self._waiting) < MOST:
            self._waiting.append((sql, values))

    async def flush(self) -> None:
        """Write what waits, all of it in one transaction; nothing is lost where that does not come about."""
        async with self._writing:
            batch = list(self._waiting)
            if not batch:
                return
            try:
                await self._open()
                async with self._database.transaction() as statements:
                    for sql, values in batch:
                        await statements.run(sql, *values)
            except StoreAway as away:
                self.why = str(away)
                return
            self.why = None
            for _ in batch:
                self._waiting.popleft()

    async def mine(self) -> tuple[list[Alert], list[bytes]]:
        """Alerts that this instance looks after, and what it has still to send. Raises StoreAway."""
        owners = (self.me, "") if self.leading else (self.me, self.me)
        rows = await self._rows(
            "SELECT body FROM alerts WHERE state <> 'resolved' AND (owner = ? OR owner = ?)", *owners
        )
        notices = await self._rows("SELECT body FROM alert_notices WHERE owner = ? ORDER BY made, id", self.me)
        alerts = [msgspec.json.decode(body, type=Alert) for (body,) in rows]
        return alerts, [body.encode() for (body,) in notices]

    async def orphans(self, now: float) -> tuple[list[Alert], list[bytes]]:
        """What instances that are gone have left: their alerts, and what they had to send, which is ours now."""
        rows = await self._rows(
            "SELECT body FROM alerts WHERE state <> 'resolved' AND owner <> '' AND owner <> ? AND checked < ?",
            self.me, now - GONE,
        )  # fmt: skip
        left = await self._rows(
            "SELECT body FROM alert_notices WHERE owner <> ? AND made < ? ORDER BY made, id", self.me, now - GONE
        )
        return [msgspec.json.decode(body, type=Alert) for (body,) in rows], [body.encode() for (body,) in left]

    def alive(self, firing: Iterable[Alert], now: float) -> None:
        """A sign of life of the alerts that this instance looks after; not while the store is away, as many of them
        would leave no room for what happens meanwhile."""
        if self.why is not None:
            return
        owners = (self.me, "") if self.leading else (self.me, self.me)
        self._put("UPDATE alerts SET checked = ? WHERE state <> 'resolved' AND (owner = ? OR owner = ?)", now, *owners)
        for alert in firing:
            self.alert(alert, now)

    async def lead(self, now: float) -> bool:
        """Whether this instance looks after all that is shared: it, and no other. `now`: seconds that only advance.

        Whoever leads counts on; another that has seen no new number for a while takes its place. Clocks of machines are
        not compared.
        """
        if self.leading and now - self._renewed < TERM / 5:
            return True
        try:
            rows = await self._rows("SELECT holder, beat FROM leases WHERE name = ?", LEASE)
            if not rows:
                await self._database.run("INSERT INTO leases (name, holder, beat) VALUES (?, ?, 1)", LEASE, self.me)
                self.leading, self._renewed = True, now
                return True
            holder, beat = rows[0]
            if self._beat is None or self._beat[0] != beat:
                self._beat = (beat, now)
            if holder == self.me or now - self._beat[1] >= TERM:
                taken = await self._database.run(
                    "UPDATE leases SET holder = ?, beat = beat + 1 WHERE name = ? AND holder = ? AND beat = ?",
                    self.me, LEASE, holder, beat,
                )  # fmt: skip
                self.leading = taken == 1
                if self.leading:
                    self._renewed = now
            else:
                self.leading = False
        except StoreAway as away:
            self.why = str(away)
            if now - self._renewed >= TERM:
                self.leading = False
        except Taken:
            self.leading = False
        else:
            self.why = None
        return self.leading

    async def _open(self) -> None:
        if not self._ready:
            await migrate(self._database)
            self._ready = True

    async def _rows(self, sql: str, *values: Any) -> list[Row]:
        await self._open()
        return await self._database.rows(sql, *values)

    async def close(self) -> None:
        await self._database.close()
