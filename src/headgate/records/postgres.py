"""Records into PostgreSQL: a batch is one transaction, with its sums and with how far the journal has been read."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import asyncpg

from headgate.records import chain
from headgate.records import statements as sql
from headgate.records.marks import marks
from headgate.records.row import Entry
from headgate.records.statements import LOCK, Away, Unfit
from headgate.records.sums import GROUPS, spreads, sums
from headgate.store.database import Patience, StoreAway, connect, numbered, told
from headgate.store.migrations import migrate

T = TypeVar("T")
E = TypeVar("E")
Add = Callable[[Any, str, Sequence[E], Mapping[str, int]], Awaitable[int]]
"""Given a connection, a source, entries, and how far its segments have been read by them."""
PATIENCE = Patience(5.0, 60.0)


class Connected:
    """Connects when it is first needed, and again after a failure; with a loop of its own, as its process has none."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._runner: asyncio.Runner | None = None
        self._connection: Any = None

    def positions(self, source: str) -> dict[str, int]:
        """How far each segment has been read. Raises Away."""

        async def asked(connection: Any) -> dict[str, int]:
            return dict(await connection.fetch(numbered(sql.POSITIONS), source))

        return self._run(asked)

    def forget(self, source: str, names: Sequence[str]) -> None:
        """Segments that are no more. Raises Away."""

        async def forgotten(connection: Any) -> None:
            await connection.executemany(numbered(sql.FORGET), [(source, name) for name in names])

        self._run(forgotten)

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()
        runner, self._runner = self._runner, None
        if runner is not None:
            runner.close()

    def _run(self, work: Callable[[Any], Awaitable[T]]) -> T:
        async def run() -> T:
            if self._connection is None:
                self._connection = await self._connect()
            return await work(self._connection)

        if self._runner is None:
            self._runner = asyncio.Runner()
        try:
            return self._runner.run(run())
        except (
            asyncpg.DataError,
            asyncpg.IntegrityConstraintViolationError,
            asyncpg.ProgramLimitExceededError,
        ) as error:
            raise Unfit(told(error, self._url)) from None
        except StoreAway as error:
            self.close()
            raise Away(str(error)) from None
        except (
            OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError,
        ) as error:  # fmt: skip
            self.close()
            raise Away(told(error, self._url)) from None

    async def _connect(self) -> Any:
        database = connect(self._url, PATIENCE)
        try:
            await migrate(database, sql.STEPS, sql.POSTGRES_WORDS, sql.TALLY)
        finally:
            await database.close()
        return await asyncpg.connect(self._url, timeout=PATIENCE.connect, command_timeout=PATIENCE.statement)

    def alone(self, lock: str, add: Add[E], source: str, entries: Sequence[E], reached: Mapping[str, int]) -> int:
        """What `add` returns, which has the table to itself. Raises Away, Unfit."""

        async def added(connection: Any) -> int:
            async with connection.transaction(isolation="read_committed"):  # to see what was written before the lock
                await connection.execute(lock)
                return await add(connection, source, entries, reached)

        return self._run(added)


class Postgres(Connected):
    """Where records go."""

    def add(self, source: str, entries: Sequence[Entry], reached: Mapping[str, int]) -> int:
        """Records with how far the segments have been read by them; how many of them are new. Raises Away, Unfit."""
        return self.alone(LOCK, _add, source, entries, reached)


async def _add(connection: Any, source: str, entries: Sequence[Entry], reached: Mapping[str, int]) -> int:
    ids = [entry.row.id for entry in entries]
    known = {id for (id,) in await connection.fetch("SELECT id FROM requests WHERE id = ANY($1)", ids)}
    new = sql.once(entries, known)
    before = await connection.fetchrow(chain.LAST)
    last = chain.rows_before(before, await connection.fetchval(sql.LAST))
    placed = list(enumerate(new, last + 1))
    await connection.copy_records_to_table(
        "requests", records=[(number, *entry.row) for number, entry in placed], columns=sql.REQUEST
    )
    await connection.copy_records_to_table(
        "lines", records=[(number, entry.line) for number, entry in placed], columns=sql.LINE
    )
    if new:
        await connection.execute(numbered(chain.APPEND), *chain.following(before, last + 1, new))
    tags = [(tag, entry.row.time, number) for number, entry in placed for tag in entry.tags]
    await connection.copy_records_to_table("tags", records=tags, columns=sql.TAG)
    await connection.copy_records_to_table("marks", records=marks(new, last + 1), columns=sql.MARK)
    rows = [entry.row for entry in new]
    for (table, groups, counts), found in zip(sql.ADDED, (list(sums(rows)), list(spreads(rows))), strict=True):
        if found:
            await _added(connection, table, groups, counts, found)
    await connection.executemany(
        numbered(sql.REACHED), [(source, name, position) for name, position in reached.items()]
    )
    return len(new)


async def _added(
    connection: Any, table: str, groups: Sequence[str], counts: Sequence[str], rows: Sequence[Any]
) -> None:
    """All of them in one statement, which takes them column by column."""
    kinds = ["text[]" if name in GROUPS else "bigint[]" for name in (*groups, *counts)]
    columns = ", ".join(f"${place}::{kind}" for place, kind in enumerate(kinds, 1))
    statement = sql.adding(table, groups, counts, f"SELECT * FROM unnest({columns})")  # noqa: S608
    await connection.execute(statement, *(list(column) for column in zip(*rows, strict=True)))
