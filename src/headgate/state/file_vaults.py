"""Sessions in a SQLite file, for all workers of a machine, over restarts; one thread of each waits for the disk."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from headgate.core.cached import Clock, Which
from headgate.core.kept_vault import Piece
from headgate.core.ports import VaultAway
from headgate.state.local import connect, transaction, used
from headgate.state.sealed_answers import Choose
from headgate.state.sealed_vaults import Seals

T = TypeVar("T")
WAITING = 1000
"""Requests that wait for the disk, above which it is away."""
PATIENCE = 5.0
"""Seconds for which another process may be writing."""
SLACK = 0.1
"""Of its time, by which a session may end too early: it is not written at each use that it was used."""
AT_ONCE = 500
"""Sessions that are deleted, or looked at to be, before others may write."""
TABLES = """
CREATE TABLE IF NOT EXISTS sessions (
    name BLOB PRIMARY KEY, until REAL NOT NULL, owner BLOB NOT NULL DEFAULT x'', size INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS ends ON sessions (until);
CREATE TABLE IF NOT EXISTS pieces (
    name BLOB NOT NULL, number INTEGER NOT NULL, mark BLOB NOT NULL, data BLOB NOT NULL, PRIMARY KEY (name, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS keys (id TEXT PRIMARY KEY, sealed TEXT NOT NULL);
"""
COLUMNS = {"owner": "BLOB NOT NULL DEFAULT x''", "size": "INTEGER NOT NULL DEFAULT 0"}
"""Of sessions, which files of earlier versions lack."""
BY_OWNER = "CREATE INDEX IF NOT EXISTS owners ON sessions (owner, until, size)"
SIZES = (
    "UPDATE sessions SET size = (SELECT COALESCE(SUM(LENGTH(data)), 0) FROM pieces WHERE pieces.name = sessions.name)"
)
FIRST = """SELECT name FROM sessions
WHERE owner = (SELECT owner FROM sessions GROUP BY owner ORDER BY SUM(size) DESC LIMIT 1) ORDER BY until LIMIT 10"""
"""Of whoever has most, so that nobody pushes out what others have."""
PRAGMAS = ("auto_vacuum=INCREMENTAL", "journal_mode=WAL", "synchronous=NORMAL", "secure_delete=ON")
Error = (sqlite3.Error, OSError)
log = logging.getLogger("headgate.state")


class FileVaults:
    """Implements core.ports.Vaults."""

    def __init__(self, path: Path, room: int, seconds: float, choose: Choose, clock: Clock = time.time) -> None:
        """`room` in bytes. Nothing is opened yet."""
        self.path = path
        self.room = room
        self.seconds = seconds
        self.clock = clock
        self.why: str | None = None
        """It cannot be read or written; in a sentence."""
        self.failures = 0
        self._choose = choose
        self._thread = ThreadPoolExecutor(1, "vaults")
        self._waiting = 0
        self._db: sqlite3.Connection | None = None
        self._seals: Seals | None = None

    async def read(self, name: bytes) -> Sequence[Piece]:
        return await self._do(self._read, name)

    async def add(self, name: bytes, after: bytes, piece: Piece) -> bool:
        return await self._do(self._add, name, after, piece)

    async def clear(self, which: Which) -> int:
        """All are looked at. Raises OSError."""
        count, place = 0, b""
        try:
            while (rows := await self._do(self._clear, which, place)) is not None:
                place, gone = rows
                count += gone
            await self._do(self._tidy)
        except VaultAway as away:
            raise OSError(str(away)) from None
        return count

    async def expire(self) -> None:
        """Nothing is left that is over, in the file or beside it."""
        with contextlib.suppress(VaultAway):
            while await self._do(self._expire):
                pass

    def close(self) -> None:
        self._thread.submit(self._shut)
        self._thread.shutdown(wait=True)

    async def _do(self, work: Callable[..., T], *arguments: Any) -> T:
        if self._waiting >= WAITING:
            raise VaultAway("too many requests wait for the file of sessions")
        self._waiting += 1
        done = asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)
        done.add_done_callback(self._done)
        try:
            found = await done
        except Error as error:
            raise VaultAway(self._away(getattr(error, "strerror", None) or str(error))) from None
        if self.why is not None and work == self._add:  # a disk that is full is still read
            self.why = None
            log.info("sessions are kept in %s again", self.path)
        return found

    def late(self, why: str) -> None:
        self._away(why)

    def _away(self, why: str) -> str:
        self.failures += 1
        known, self.why = self.why, f"{self.path}: {why}"
        if known is None:
            log.warning("sessions are not kept for now: %s", self.why)
        return self.why

    def _done(self, work: asyncio.Future[Any]) -> None:
        self._waiting -= 1
        if not work.cancelled():
            work.exception()  # it is not missed

    # from here on in the thread

    def _read(self, name: bytes) -> Sequence[Piece]:
        with self._opened() as (db, seals):
            name, now = seals.name(name), self.clock()
            found = db.execute("SELECT until FROM sessions WHERE name = ? AND until > ?", (name, now)).fetchone()
            if found is None:
                return ()
            rows = db.execute("SELECT data FROM pieces WHERE name = ? ORDER BY number", (name,)).fetchall()
            if found[0] < now + self.seconds * (1 - SLACK):
                db.execute("UPDATE sessions SET until = ? WHERE name = ?", (now + self.seconds, name))
            return seals.read(name, [data for (data,) in rows])

    def _add(self, name: bytes, after: bytes, piece: Piece) -> bool:
        with self._transaction() as (db, seals):
            name, now = seals.name(name), self.clock()
            self._over(db, now)
            last = db.execute("SELECT number, mark FROM pieces WHERE name = ? ORDER BY number DESC LIMIT 1", (name,))
            number, mark = last.fetchone() or (0, b"")
            if mark != after:
                return False
            data = seals.write(name, after, piece)
            db.execute(
                "INSERT INTO sessions (name, until, owner, size) VALUES (?, ?, ?, ?) "
                "ON CONFLICT (name) DO UPDATE SET until = excluded.until, size = size + excluded.size",
                (name, now + self.seconds, seals.name(b"owner " + piece.owner.encode()), len(data)),
            )
            db.execute("INSERT INTO pieces VALUES (?, ?, ?, ?)", (name, number + 1, piece.mark, data))
            while used(db) > self.room:
                first = db.execute(FIRST).fetchall()
                if not self._delete(db, first):
                    break
            return True

    def _clear(self, which: Which, after: bytes) -> tuple[bytes, int] | None:
        """Of the next in the file: the last, and how many were taken out; None: that was all."""
        with self._transaction() as (db, seals):
            rows = db.execute(
                "SELECT name, data FROM pieces WHERE name > ? AND number = 1 ORDER BY name LIMIT ?", (after, AT_ONCE)
            ).fetchall()
            gone = [(name,) for name, data in rows if seals.has(which, name, data)]
            self._delete(db, gone)
            return (rows[-1][0], len(gone)) if rows else None

    def _expire(self) -> bool:
        """Whether any were."""
        if self._db is None and not self.path.exists():
            return False
        with self._transaction() as (db, _):
            gone = self._over(db, self.clock())
        if gone:
            self._tidy()
        return gone > 0

    def _over(self, db: sqlite3.Connection, now: float) -> int:
        over = db.execute("SELECT name FROM sessions WHERE until <= ? LIMIT ?", (now, AT_ONCE)).fetchall()
        return self._delete(db, over) if over else 0

    def _tidy(self) -> None:
        """Nothing of what was deleted is left, in the file or beside it."""
        with self._opened() as (db, _):
            db.executescript("PRAGMA incremental_vacuum")  # `execute` frees one page
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    def _delete(self, db: sqlite3.Connection, names: Sequence[tuple[bytes]]) -> int:
        db.executemany("DELETE FROM pieces WHERE name = ?", names)
        db.executemany("DELETE FROM sessions WHERE name = ?", names)
        return len(names)

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[tuple[sqlite3.Connection, Seals]]:
        with self._opened() as (db, seals), transaction(db):
            yield db, seals

    @contextlib.contextmanager
    def _opened(self) -> Iterator[tuple[sqlite3.Connection, Seals]]:
        try:
            if self._db is None or self._seals is None:
                self._open()
            assert self._db is not None
            assert self._seals is not None
            yield self._db, self._seals
        except sqlite3.Error:
            self._shut()
            raise

    def _open(self) -> None:
        db = connect(self.path, PATIENCE)
        try:
            for said in PRAGMAS:
                db.execute(f"PRAGMA {said}").fetchall()
            db.executescript(f"BEGIN IMMEDIATE; {TABLES} COMMIT;")
            _complete(db)
            self._seals = self._sealing(db)
        except BaseException:
            db.close()
            raise
        self._db = db

    def _sealing(self, db: sqlite3.Connection) -> Seals:
        while True:
            chosen = self._choose(dict(db.execute("SELECT id, sealed FROM keys").fetchall()))
            if chosen.sealed is None:
                return Seals(chosen.key)
            db.execute("INSERT OR IGNORE INTO keys VALUES (?, ?)", (chosen.id, chosen.sealed))

    def _shut(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            db.close()


def _complete(db: sqlite3.Connection) -> None:
    """Of what an earlier version has kept nobody knows whose it is: it is taken for one's together."""
    with transaction(db):
        there = {name for _, name, *_ in db.execute("PRAGMA table_info(sessions)")}
        for name, kind in COLUMNS.items():
            if name not in there:
                db.execute(f"ALTER TABLE sessions ADD COLUMN {name} {kind}")
        if "size" not in there:
            db.execute(SIZES)
        db.execute(BY_OWNER)
