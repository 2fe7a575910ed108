"""Records into SQLite: a batch is one transaction, with its sums and with how far the journal has been read."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from headgate.records import chain
from headgate.records import statements as sql
from headgate.records.marks import marks
from headgate.records.row import Entry
from headgate.records.statements import Away, Unfit
from headgate.records.sums import spreads, sums
from headgate.store.stepping import NEWER, steps

PATIENCE = 5.0
"""Seconds that somebody else's transaction is waited for."""
ASKED = 500
"""Ids asked for at once."""
CACHE = 16 << 10
"""KiB of pages that are held in memory."""


class Connected:
    """A file that is opened when it is first needed, and again after a failure."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None

    def positions(self, source: str) -> dict[str, int]:
        """How far each segment has been read. Raises Away."""
        with self._connected() as connection:
            return dict(connection.execute(sql.POSITIONS, (source,)))

    def forget(self, source: str, names: Sequence[str]) -> None:
        """Segments that are no more. Raises Away."""
        with self._transaction() as connection:
            connection.executemany(sql.FORGET, ((source, name) for name in names))

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._connected() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.rollback()
                raise

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        try:
            if self._connection is None:
                self._connection = self._open()
            yield self._connection
        except (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.InterfaceError, OverflowError) as error:
            raise Unfit(str(error)) from error
        except (sqlite3.Error, OSError) as error:
            self.close()
            raise Away(f"{self._path.name}: {error}") from error

    def _open(self) -> sqlite3.Connection:
        with suppress(FileExistsError):  # as in store/database.py: never of a file that is there
            os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(self._path, timeout=PATIENCE, isolation_level=None)
        try:
            connection.execute("PRAGMA auto_vacuum=INCREMENTAL")  # so that a purge can give room back
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")  # segments are deleted when their records are here
            connection.execute(f"PRAGMA cache_size=-{CACHE}")
            connection.execute("PRAGMA analysis_limit=400")
            _migrate(connection)
        except BaseException:
            connection.close()
            raise
        return connection


class SQLite(Connected):
    """Where records go."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._analysed = 0

    def add(self, source: str, entries: Sequence[Entry], reached: Mapping[str, int]) -> int:
        """Records with how far the segments have been read by them; how many of them are new. Raises Away, Unfit."""
        with self._transaction() as connection:
            there = known(connection, [entry.row.id for entry in entries])
            new = sql.once(entries, there)
            before = connection.execute(chain.LAST).fetchone()
            last = chain.rows_before(before, *connection.execute(sql.LAST).fetchone())
            numbered = list(enumerate(new, last + 1))
            connection.executemany(
                sql.inserting("requests", sql.REQUEST), ((number, *entry.row) for number, entry in numbered)
            )
            connection.executemany(
                sql.inserting("lines", sql.LINE), ((number, entry.line) for number, entry in numbered)
            )
            if new:
                connection.execute(chain.APPEND, chain.following(before, last + 1, new))
            tags = ((tag, entry.row.time, number) for number, entry in numbered for tag in entry.tags)
            connection.executemany(sql.inserting("tags", sql.TAG), tags)
            connection.executemany(sql.inserting("marks", sql.MARK), marks(new, last + 1))
            rows = [entry.row for entry in new]
            for added, found in zip(sql.ADDED, (sums(rows), spreads(rows)), strict=True):
                connection.executemany(sql.adding(*added), found)
            connection.executemany(sql.REACHED, ((source, name, position) for name, position in reached.items()))
            self._analyse(connection, last + len(new))
        return len(new)

    def _analyse(self, connection: sqlite3.Connection, count: int) -> None:
        """Whenever there are four times as many, so that searches go by what there is."""
        if count > 4 * self._analysed:
            self._analysed = count
            connection.execute("ANALYZE requests")


def known(connection: sqlite3.Connection, ids: Sequence[str], table: str = "requests") -> set[str]:
    """Those of the ids that are there."""
    found: set[str] = set()
    for at in range(0, len(ids), ASKED):
        some = ids[at : at + ASKED]
        marks = ", ".join("?" * len(some))
        found.update(id for (id,) in connection.execute(f"SELECT id FROM {table} WHERE id IN ({marks})", some))  # noqa: S608 - marks
    return found


def _migrate(connection: sqlite3.Connection) -> None:
    """What store/migrations.py does, without the loop that it needs, which is a third of this process's memory."""
    every = dict(steps(sql.STEPS, sql.SQLITE_WORDS))
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(sql.TALLY.first)
    taken = {number for (number,) in connection.execute(sql.TALLY.taken)}
    if max(taken, default=0) > max(every):
        raise sqlite3.OperationalError(NEWER)
    (there,) = connection.execute(sql.TALLY.there(sqlite=True)).fetchone()
    taken, mending = sql.TALLY.mended(taken, bool(there))
    for each in mending:
        connection.execute(each)
    for number, parts in every.items():
        if number not in taken:
            for part in parts:
                connection.execute(part)
            connection.execute(sql.TALLY.take, (number,))
    connection.execute("COMMIT")
