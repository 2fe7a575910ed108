"""Answers in a SQLite file, for all workers of a machine, over restarts: up to so many bytes, as state/answers.py
decides what is to go. No request waits for the disk: one thread reads, one writes.

The pages in use are what is bounded. An answer's place is a hash of its name, so that pages that have lost some fill
up again, and are not left half empty by what outlives its neighbours.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from headgate.core.cached import Clock, Entry, Which
from headgate.state.answers import CAUSES, OFTEN, SHORT
from headgate.state.local import connect, transaction, used
from headgate.state.sealed_answers import Choose, Form, Plain, Sealed

PATIENCE = 5.0
"""Seconds for which another process may be writing."""
GHOSTS = 10_000
AT_ONCE = 500
"""Answers that are looked at to be taken out before others may write."""
EXPIRED = 1000
"""Answers whose time is over that are deleted with a batch, at most."""
CACHE = 4 << 10
"""KiB of pages that each connection holds in memory."""
TABLES = """
CREATE TABLE IF NOT EXISTS answers (
    id INTEGER PRIMARY KEY, name BLOB NOT NULL, main INTEGER NOT NULL, place INTEGER NOT NULL, wanted INTEGER NOT NULL,
    size INTEGER NOT NULL, until REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS queues ON answers (main, place);
CREATE INDEX IF NOT EXISTS ends ON answers (until);
CREATE TABLE IF NOT EXISTS bodies (id INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS ghosts (id INTEGER PRIMARY KEY, place INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS oldest ON ghosts (place);
CREATE TABLE IF NOT EXISTS queue_sums (main INTEGER PRIMARY KEY, entries INTEGER NOT NULL, bytes INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS places (id INTEGER PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS claims (name BLOB PRIMARY KEY, until REAL NOT NULL);
CREATE TABLE IF NOT EXISTS keys (id TEXT PRIMARY KEY, sealed TEXT NOT NULL);
INSERT OR IGNORE INTO queue_sums VALUES (0, 0, 0), (1, 0, 0);
INSERT OR IGNORE INTO places VALUES (1, 0);
"""
log = logging.getLogger("headgate.state")


class _Row(NamedTuple):
    id: int
    name: bytes
    main: int
    wanted: int
    size: int
    until: float


COLUMNS = "id, name, main, wanted, size, until"


class File:
    """What is in the file; each call may wait for the disk, and raises sqlite3.Error, OSError."""

    def __init__(self, path: Path, room: int, choose: Choose | None = None, clock: Clock = time.time) -> None:
        self.path = path
        self.room = room
        self.clock = clock
        self.evictions = dict.fromkeys(CAUSES, 0)
        self._choose = choose
        self._form: Form = Plain()
        self._connection: sqlite3.Connection | None = None
        self._doubted = False
        """It may be damaged."""

    def get(self, keys: Sequence[bytes]) -> list[tuple[bytes, Entry] | None]:
        """Each with its name there."""
        with self._connected() as db:
            return [self._get(db, self._form.name(key)) for key in keys]

    def _get(self, db: sqlite3.Connection, name: bytes) -> tuple[bytes, Entry] | None:
        id = _id(name)
        found = db.execute("SELECT name, until FROM answers WHERE id = ?", (id,)).fetchone()
        if found is None or found[0] != name or found[1] <= self.clock():
            return None
        row = db.execute("SELECT body FROM bodies WHERE id = ?", (id,)).fetchone()
        entry = self._form.read(name, row[0]) if row is not None else None
        return (name, entry) if entry is not None else None

    def some(self, after: int, count: int) -> tuple[int, list[Entry]]:
        """The next answers behind a place in the file, and the place of the last; none: that was all."""
        rows = (
            "SELECT id, name, body FROM answers JOIN bodies USING (id) WHERE id > ? AND until > ? ORDER BY id LIMIT ?"
        )
        with self._connected() as db:
            found = db.execute(rows, (after, self.clock(), count)).fetchall()
            read = [self._form.read(name, body) for _, name, body in found]
        return (found[-1][0] if found else after), [entry for entry in read if entry is not None]

    def put(self, entries: Sequence[tuple[bytes, Entry]], wanted: Mapping[bytes, int]) -> None:
        """Answers under their keys, and how often those were wanted that were there, by their names."""
        with self._transaction() as db:
            for name, times in wanted.items():
                more = "UPDATE answers SET wanted = min(wanted + ?, ?) WHERE id = ? AND name = ?"
                db.execute(more, (times, OFTEN, _id(name), name))
            for key, entry in entries:
                self._put(db, key, entry)
            self._expire(db)
            self._make_room(db)

    def clear(self, which: Which) -> int:
        count, last = 0, -1
        while rows := self._clear(which, last):
            last, taken = rows
            count += taken
        with self._connected() as db:
            db.executescript("PRAGMA incremental_vacuum")  # `execute` frees one page
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()  # nothing of it is left there, either
        return count

    def _clear(self, which: Which, after: int) -> tuple[int, int] | None:
        """Of the next in the file, so that others can write between two looks: the place of the last, and how many were
        taken out; None: that was all."""
        with self._transaction() as db:
            count, rows = 0, self._among(db, which, after)
            for row in rows:
                found = db.execute("SELECT body FROM bodies WHERE id = ?", (row.id,)).fetchone()
                entry = self._form.read(row.name, found[0]) if found is not None else None
                if entry is not None and which.has(bytes.fromhex(which.id or ""), entry):
                    self._drop(db, row, "cleared")
                    count += 1
        return (rows[-1].id, count) if rows else None

    def claim(self, key: bytes, until: float) -> bool:
        with self._transaction() as db:
            now = self.clock()
            db.execute("DELETE FROM claims WHERE until <= ?", (now,))
            return db.execute("INSERT OR IGNORE INTO claims VALUES (?, ?)", (self._form.name(key), until)).rowcount == 1

    def release(self, key: bytes) -> None:
        with self._transaction() as db:
            db.execute("DELETE FROM claims WHERE name = ?", (self._form.name(key),))

    def measured(self) -> tuple[int, int]:
        """Answers, and bytes of the pages in use."""
        with self._connected() as db:
            return db.execute("SELECT sum(entries) FROM queue_sums").fetchone()[0], used(db)

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _among(self, db: sqlite3.Connection, which: Which, after: int) -> list[_Row]:
        """The next rows to look at."""
        some = f"SELECT {COLUMNS} FROM answers WHERE id > ? "  # noqa: S608  # ours
        if which.id is None:
            rows = db.execute(f"{some} ORDER BY id LIMIT ?", (after, AT_ONCE))
        else:
            name = self._form.name(bytes.fromhex(which.id))
            rows = db.execute(f"{some} AND id = ? AND name = ?", (after, _id(name), name))
        return [_Row(*row) for row in rows]

    def _put(self, db: sqlite3.Connection, key: bytes, entry: Entry) -> None:
        name = self._form.name(key)
        id, body = _id(name), self._form.write(name, entry)
        before = db.execute(f"SELECT {COLUMNS} FROM answers WHERE id = ?", (id,)).fetchone()  # noqa: S608  # ours
        if before is not None:
            self._drop(db, _Row(*before))
        if len(body) > self.room * SHORT:
            return
        main = db.execute("DELETE FROM ghosts WHERE id = ?", (id,)).rowcount
        row = (id, name, main, _place(db), 0, len(body), entry.end)
        db.execute("INSERT INTO answers VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        db.execute("INSERT INTO bodies VALUES (?, ?)", (id, body))
        _add(db, main, 1, len(body))

    def _drop(self, db: sqlite3.Connection, row: _Row, cause: str | None = None) -> None:
        db.execute("DELETE FROM answers WHERE id = ?", (row.id,))
        db.execute("DELETE FROM bodies WHERE id = ?", (row.id,))
        _add(db, row.main, -1, -row.size)
        if cause is not None:
            self.evictions[cause] += 1

    def _expire(self, db: sqlite3.Connection) -> None:
        over = f"SELECT {COLUMNS} FROM answers WHERE until <= ? LIMIT ?"  # noqa: S608  # ours
        for row in db.execute(over, (self.clock(), EXPIRED)).fetchall():
            self._drop(db, _Row(*row), "time")

    def _make_room(self, db: sqlite3.Connection) -> None:
        while (excess := used(db) - self.room) > 0:
            while excess > 0:
                row = self._first(db)
                if row is None:
                    return
                excess -= self._evict(db, row)

    def _first(self, db: sqlite3.Connection) -> _Row | None:
        """Of the queue that has more than its share."""
        (_, new), (entries, _) = db.execute("SELECT entries, bytes FROM queue_sums ORDER BY main").fetchall()
        main = int(entries > 0 and new <= self.room * SHORT)
        first = f"SELECT {COLUMNS} FROM answers WHERE main = ? ORDER BY place LIMIT 1"  # noqa: S608  # ours
        found = db.execute(first, (main,)).fetchone() or db.execute(first, (1 - main,)).fetchone()
        return _Row(*found) if found is not None else None

    def _evict(self, db: sqlite3.Connection, row: _Row) -> int:
        """Out, or to where it stays longer; how many bytes that frees."""
        if row.wanted and row.until > self.clock():
            wanted = row.wanted - 1 if row.main else 0
            moved = "UPDATE answers SET main = 1, wanted = ?, place = ? WHERE id = ?"
            db.execute(moved, (wanted, _place(db), row.id))
            if not row.main:
                _add(db, 0, -1, -row.size)
                _add(db, 1, 1, row.size)
            return 0
        self._drop(db, row, "room")
        if not row.main:
            place = _place(db)
            db.execute("INSERT OR REPLACE INTO ghosts VALUES (?, ?)", (row.id, place))
            if place % 100 == 0:
                last = "SELECT place FROM ghosts ORDER BY place DESC LIMIT 1 OFFSET ?"
                db.execute(f"DELETE FROM ghosts WHERE place <= ({last})", (GHOSTS,))  # noqa: S608  # ours
        return row.size

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._connected() as db, transaction(db):
            yield db

    @contextlib.contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        try:
            if self._connection is None:
                self._connection = self._open()
            yield self._connection
        except sqlite3.Error as error:
            self.close()
            self._doubted = not isinstance(error, sqlite3.OperationalError)
            raise

    def _open(self) -> sqlite3.Connection:
        if self._doubted and not self._sound():
            log.warning("%s is damaged, and answers are kept in a new one", self.path)
            for end in ("", "-wal", "-shm"):
                self.path.with_name(self.path.name + end).unlink(missing_ok=True)
        self._doubted = False
        db = connect(self.path, PATIENCE)
        try:
            for said in ("auto_vacuum=INCREMENTAL", "journal_mode=WAL", "synchronous=NORMAL", "secure_delete=ON"):
                db.execute(f"PRAGMA {said}").fetchall()
            db.execute(f"PRAGMA cache_size=-{CACHE}")
            db.executescript(f"BEGIN IMMEDIATE; {TABLES} COMMIT;")
            self._form = self._formed(db)
        except BaseException:
            db.close()
            raise
        return db

    def _sound(self) -> bool:
        try:
            with contextlib.closing(sqlite3.connect(self.path, timeout=PATIENCE)) as db:
                return bool(db.execute("PRAGMA quick_check(1)").fetchone() == ("ok",))
        except sqlite3.DatabaseError:
            return False

    def _formed(self, db: sqlite3.Connection) -> Form:
        if self._choose is None:
            return Plain()
        while True:
            chosen = self._choose(dict(db.execute("SELECT id, sealed FROM keys").fetchall()))
            if chosen.sealed is None:
                return Sealed(chosen.key)
            db.execute("INSERT OR IGNORE INTO keys VALUES (?, ?)", (chosen.id, chosen.sealed))


def _id(name: bytes) -> int:
    return int.from_bytes(blake2b(name, digest_size=8).digest()) >> 1


def _place(db: sqlite3.Connection) -> int:
    """The next in line."""
    ((value,),) = db.execute("UPDATE places SET value = value + 1 RETURNING value").fetchall()
    return int(value)


def _add(db: sqlite3.Connection, main: int, entries: int, size: int) -> None:
    db.execute("UPDATE queue_sums SET entries = entries + ?, bytes = bytes + ? WHERE main = ?", (entries, size, main))
