"""SQLite or PostgreSQL, spoken to alike: a few statements of the SQL that both understand, with `?` for values."""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import lru_cache, partial
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar
from urllib.parse import unquote, urlsplit

from headgate.store import append_only
from headgate.store.stepping import Words

T = TypeVar("T")
Row = Sequence[Any]

POSTGRES = ("postgresql", "postgres")
PACKAGE = "asyncpg"
APPEND_ONLY = ("audit", "audit_chain", "audit_checkpoints")
"""Tables of the store whose rows stay as they are."""


class Patience(NamedTuple):
    """How long to wait, in seconds: for a connection, and for what one statement does."""

    connect: float = 2.0
    statement: float = 5.0


LONGEST = 86_400.0
"""Seconds for what goes through whole tables: a step of a migration, VACUUM."""


class StoreAway(Exception):
    """The store cannot be asked; the message says why, without a password."""


class Taken(Exception):
    """There is a row of this key already."""


class Statements(Protocol):
    """What can be asked inside a transaction, and outside of one."""

    async def rows(self, sql: str, *values: Any) -> list[Row]:
        """What a query finds. Raises StoreAway."""

    async def run(self, sql: str, *values: Any) -> int:
        """How many rows were changed. Raises StoreAway, or Taken."""


class Database(Statements, Protocol):
    words: Words
    """What the engine calls what differs, in steps of migrations."""

    def transaction(self) -> AbstractAsyncContextManager[Statements]:
        """All or nothing; who writes in one waits for who writes in another."""

    def script(self, sql: str) -> AbstractAsyncContextManager[Statements]:
        """A transaction that no other process has at the same time, for migrations; `sql` is run in it first."""

    async def close(self) -> None: ...


def connect(url: str, patience: Patience | None = None) -> Database:
    """The database of a URL: `sqlite:///path` or `postgresql://user:password@host/name`. Nothing is connected to yet.

    Raises ValueError, whose text holds nothing of the URL.
    """
    patience = patience or Patience()
    scheme = url.partition(":")[0]
    if scheme == "sqlite" and url.startswith("sqlite:///") and len(url) > len("sqlite:///"):
        return SQLite(Path(unquote(url.removeprefix("sqlite:///"))), patience)
    if scheme in POSTGRES:
        try:
            parts = urlsplit(url)
            there = parts.hostname or "host=" in parts.query
            _ = parts.port
        except ValueError:
            raise ValueError("not a URL") from None
        if not there:
            raise ValueError("the URL has no host")
        if find_spec(PACKAGE) is None:
            raise ValueError(f"PostgreSQL needs the package {PACKAGE}, which is not there: install headgate[postgres]")
        return Postgres(url, patience)
    raise ValueError("the URL must begin with sqlite:/// or postgresql://")


class SQLite:
    """One connection in a thread of its own; its file is for its owner alone."""

    words: Words = {f"{table.upper()}_KEPT": append_only.sqlite(table, "audit_purging") for table in APPEND_ONLY}

    def __init__(self, path: Path, patience: Patience) -> None:
        self.path = path
        self._patience = patience
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._connection: sqlite3.Connection | None = None
        self._statements = _InThread(self)
        self._turn = asyncio.Lock()

    async def rows(self, sql: str, *values: Any) -> list[Row]:
        async with self._turn:  # else it would be part of whatever transaction is open
            return await self._statements.rows(sql, *values)

    async def run(self, sql: str, *values: Any) -> int:
        async with self._turn:
            return await self._statements.run(sql, *values)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Statements]:
        async with self._turn:
            try:
                await self._statements.run("BEGIN IMMEDIATE")
                yield self._statements
                await self._statements.run("COMMIT")
            except BaseException:  # also where somebody stopped waiting for the first or the last: the thread did not
                with suppress(StoreAway):
                    await asyncio.shield(self.do(_undone))
                raise

    @asynccontextmanager
    async def script(self, sql: str) -> AsyncIterator[Statements]:
        async with self.transaction() as statements:
            for statement in filter(None, map(str.strip, sql.split(";"))):
                await statements.run(statement)
            yield statements

    async def close(self) -> None:
        if self._connection is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._connection.close)
            self._connection = None
        self._thread.shutdown(wait=False)

    async def do(self, what: Callable[[sqlite3.Connection], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(self._asked, what))

    def _asked(self, what: Callable[[sqlite3.Connection], T]) -> T:
        try:
            if self._connection is None:
                self._connection = self._open()
            return what(self._connection)
        except sqlite3.IntegrityError as error:
            raise Taken from error
        except (sqlite3.Error, OSError) as error:
            raise StoreAway(f"{self.path.name}: {error}") from error

    def _open(self) -> sqlite3.Connection:
        # Never of a file that is there: closing it would drop this process's locks on it, and SQLite would delete a
        # write-ahead log that other connections still write to (https://sqlite.org/howtocorrupt.html, 2.2)
        with suppress(FileExistsError):
            os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(
            self.path, timeout=self._patience.statement, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        return connection


class _InThread:
    """The one connection of SQLite."""

    def __init__(self, database: SQLite) -> None:
        self._database = database

    async def rows(self, sql: str, *values: Any) -> list[Row]:
        return await self._database.do(lambda connection: connection.execute(sql, values).fetchall())

    async def run(self, sql: str, *values: Any) -> int:
        return await self._database.do(lambda connection: connection.execute(sql, values).rowcount)


def _undone(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:  # what went wrong may have ended it
        connection.rollback()


class Postgres:
    """A few connections."""

    words: Words = {f"{table.upper()}_KEPT": append_only.postgres(table, "audit_purging") for table in APPEND_ONLY}

    def __init__(self, url: str, patience: Patience) -> None:
        self._url = url
        self._patience = patience
        self._pool: Any = None
        self._making = asyncio.Lock()

    async def rows(self, sql: str, *values: Any) -> list[Row]:
        async with self._connection() as connection:
            return await _Connected(connection).rows(sql, *values)

    async def run(self, sql: str, *values: Any) -> int:
        async with self._connection() as connection:
            return await _Connected(connection).run(sql, *values)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Statements]:
        async with self._connection() as connection, connection.transaction():
            yield _Connected(connection)

    @asynccontextmanager
    async def script(self, sql: str) -> AsyncIterator[Statements]:
        async with self._connection() as connection, connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(7203)")
            await connection.execute(sql)
            yield _Connected(connection, LONGEST)

    async def vacuum(self, table: str) -> None:
        """Give its room back; nobody waits for it. Raises StoreAway."""
        async with self._connection() as connection:
            await _Connected(connection, LONGEST).run(f"VACUUM {table}")

    async def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.terminate()

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        """Given back whatever happens; also that may fail."""
        import asyncpg

        try:
            async with (await self._opened()).acquire(timeout=self._patience.connect) as connection:
                yield connection
        except (
            OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError,
        ) as error:  # fmt: skip
            raise StoreAway(told(error, self._url)) from None

    async def _opened(self) -> Any:
        import asyncpg

        async with self._making:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    self._url,
                    min_size=0,
                    max_size=4,
                    timeout=self._patience.connect,
                    command_timeout=self._patience.statement,
                )
            return self._pool


class _Connected:
    """One connection of PostgreSQL."""

    def __init__(self, connection: Any, patience: float | None = None) -> None:
        """`patience`: seconds for a statement, where they are not the connection's."""
        self._connection = connection
        self._patience = patience

    async def rows(self, sql: str, *values: Any) -> list[Row]:
        fetched = self._connection.fetch(numbered(sql), *values, timeout=self._patience)
        return [tuple(row) for row in await self._answer(fetched)]

    async def run(self, sql: str, *values: Any) -> int:
        return _count(await self._answer(self._connection.execute(numbered(sql), *values, timeout=self._patience)))

    async def _answer(self, asked: Awaitable[Any]) -> Any:
        import asyncpg

        try:
            return await asked
        except asyncpg.UniqueViolationError as error:
            raise Taken from error
        except TimeoutError:
            self._connection.terminate()  # else it would be asked to roll back, and waited for once more
            raise


@lru_cache(256)
def numbered(sql: str) -> str:
    """The statement with `$1`, `$2` … for each `?`; none of our statements has one in a text."""
    numbers = count(1)
    return re.sub(r"\?", lambda _: f"${next(numbers)}", sql)


def _count(status: str) -> int:
    last = status.rpartition(" ")[2]
    return int(last) if last.isdigit() else 0


def told(error: BaseException, url: str) -> str:
    """What PostgreSQL or the way to it has said, without the URL's password."""
    if isinstance(error, TimeoutError):
        return "PostgreSQL did not answer in time"
    said = next(iter(str(error).splitlines()), "")[:200] or type(error).__name__
    password = urlsplit(url).password or ""
    for each in filter(None, (password, unquote(password))):
        said = said.replace(each, "…")
    return said
