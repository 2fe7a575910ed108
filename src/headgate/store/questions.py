"""Where answers are found by what their questions are like: a PostgreSQL with pgvector, for all workers and replicas.

What is said is not there: keys, hashes of contexts, and vectors. Within a context every vector is looked at, so that
none is missed (https://github.com/pgvector/pgvector#filtering).
"""

from __future__ import annotations

import asyncio
import logging
import struct
import time
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

from headgate.core.breaker import Breaker, Trip
from headgate.core.cached import Clock, Raised
from headgate.core.ports import Near
from headgate.store.database import Database, Patience, Row, StoreAway, Taken, connect
from headgate.store.migrations import migrate
from headgate.store.stepping import Tally

T = TypeVar("T")

STEPS = Path(__file__).parent / "vectors"
TALLY = Tally("vector_steps", "questions")
WIDEST = 16_000
"""Numbers of a vector that pgvector takes."""
REST = 1.0
"""Seconds before it is connected to again after it could not be."""
WAITING = 1000
"""Statements under way above which none is sent any more."""
PURGED = 60.0
"""Seconds after which what is over is taken out again."""
TRIP = Trip(failures=3, error_rate=2.0, slow_rate=2.0, rest=2.0, most_rest=30.0)
# the vector in a SELECT of its own, as its text would be read again for each row
NEAREST = """
SELECT key, similarity, (SELECT least FROM questions_raised WHERE context = ?) FROM (SELECT 1) AS one LEFT JOIN (
    SELECT key, -(vector <#> (SELECT CAST(CAST(? AS TEXT) AS VECTOR))) AS similarity FROM questions
    WHERE context = ? AND until > ? AND vector_dims(vector) = ? ORDER BY similarity DESC LIMIT 4
) AS near ON TRUE ORDER BY similarity DESC
"""
ADD = """
INSERT INTO questions (key, context, vector, until) VALUES (?, ?, CAST(CAST(? AS TEXT) AS VECTOR), ?)
ON CONFLICT (key) DO UPDATE SET context = EXCLUDED.context, vector = EXCLUDED.vector, until = EXCLUDED.until
"""
LEARN = """
INSERT INTO questions_raised (context, least, name, of, by, time) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (context) DO UPDATE SET least = EXCLUDED.least, name = EXCLUDED.name, of = EXCLUDED.of, by = EXCLUDED.by,
time = EXCLUDED.time WHERE questions_raised.least < EXCLUDED.least
"""
log = logging.getLogger("headgate.store")


class Questions:
    """Implements core.ports.Index."""

    def __init__(self, url: str, patience: float, clock: Clock = time.time) -> None:
        """`patience`: seconds that a request waits. Nothing is connected to yet. Raises ValueError for a URL that is
        none of a PostgreSQL."""
        if url.startswith("sqlite:"):
            raise ValueError("the URL must begin with postgresql://")
        self._url = url
        self._patience = patience
        self._clock = clock
        self._database: Database = connect(url, Patience(2.0, 5.0))
        self._breaker = Breaker(TRIP)
        self._ready = False
        self._tasks: set[asyncio.Task[Any]] = set()
        self._connecting: asyncio.Task[None] | None = None
        self._purged = 0.0
        self.why: str | None = None
        """It is away; in a sentence."""
        self.failures = 0

    async def nearest(self, context: bytes, vector: bytes) -> tuple[float, Sequence[Near]]:
        values = context, _text(vector), context, self._clock(), len(vector) // 4
        rows = await self._asked(NEAREST, *values)
        near = [Near(bytes(key), similarity) for key, similarity, _ in rows if key is not None]
        return (rows[0][2] or 0.0) if rows else 0.0, near

    def add(self, context: bytes, key: bytes, vector: bytes, until: float) -> None:
        if len(vector) <= 4 * WIDEST and self._there():
            self._begin(self._told(ADD, key, context, _text(vector), until))
            if self._clock() > self._purged + PURGED:
                self._purged = self._clock()
                self._begin(self._told("DELETE FROM questions WHERE until < ?", self._clock()))

    def has(self, key: bytes) -> bool:
        return False

    def drop(self, key: bytes) -> None:
        if self._there():
            self._begin(self._told("DELETE FROM questions WHERE key = ?", key))

    async def learn(self, raised: Raised) -> None:
        context = bytes.fromhex(raised.context)
        await self._done(LEARN, context, raised.least, raised.name, raised.of, raised.by, raised.time)

    async def raised(self) -> Sequence[Raised]:
        try:
            rows = await self._database.rows(
                "SELECT context, least, name, of, by, time FROM questions_raised ORDER BY time DESC LIMIT 1000"
            )
        except StoreAway as away:
            raise OSError(str(away)) from None
        return [Raised(bytes(context).hex(), *rest) for context, *rest in rows]

    async def forget(self) -> None:
        await self._done("DELETE FROM questions_raised")

    async def close(self) -> None:
        for task in [*self._tasks, *([self._connecting] if self._connecting is not None else [])]:
            task.cancel()
        await self._database.close()

    async def _done(self, sql: str, *values: Any) -> None:
        try:
            await self._database.run(sql, *values)
        except StoreAway as away:
            raise OSError(str(away)) from None

    async def _asked(self, sql: str, *values: Any) -> list[Row]:
        """None, too, where it is away, or does not answer in time: then the statement goes on by itself for a while, as
        to end it may take longer than it."""
        if not self._there():
            return []
        breaker, now = self._breaker, time.monotonic()
        if not breaker.allows(now):
            return []
        probe = breaker.claim(now)
        task = self._begin(self._rows(sql, *values))
        done, _ = await asyncio.wait((task,), timeout=self._patience)
        rows = task.result() if done else None
        if rows is not None:
            breaker.succeeded(probe)
            return rows
        breaker.failed(time.monotonic(), probe, "it does not answer in time", None)
        return []

    async def _rows(self, sql: str, *values: Any) -> list[Row] | None:
        try:
            return await self._database.rows(sql, *values)
        except StoreAway as away:
            self._away(away)
            return None

    async def _told(self, sql: str, *values: Any) -> None:
        try:
            await self._database.run(sql, *values)
        except Taken:
            return
        except StoreAway as away:
            self._away(away)

    def _begin(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _there(self) -> bool:
        """Whether it can be asked; where it cannot, it is connected to, and nobody waits for that."""
        if self._ready:
            return len(self._tasks) < WAITING
        if self._connecting is None or self._connecting.done():
            self._connecting = asyncio.get_running_loop().create_task(self._connect())
        return False

    async def _connect(self) -> None:
        """Until it is there."""
        while True:
            try:
                await migrate(self._database, STEPS, {}, TALLY)
            except StoreAway as away:
                self._away(away)
                await asyncio.sleep(REST)
            else:
                break
        self._ready = True
        if self.why is not None:
            log.info("answers to similar questions are found in PostgreSQL again")
        self.why = None

    def _away(self, away: StoreAway) -> None:
        self._ready = False
        self.failures += 1
        if self.why is None:
            self.why = str(away)
            log.warning("answers to similar questions are not found for now: %s", self.why)


def _text(vector: bytes) -> str:
    """As pgvector reads it."""
    return "[" + ",".join(map(repr, struct.unpack(f"<{len(vector) // 4}f", vector))) + "]"
