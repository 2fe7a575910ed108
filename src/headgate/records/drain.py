"""The drain: brings records from the journal's segments into a database, in a process of its own beside the gateway.

Run as `python -m headgate.records.drain` (see beside.py): once the gateway is gone it brings over what is there, for
some seconds at most, and ends. It may be killed at any moment: what is in the database and how far the journal has been
read change in one transaction, and a segment is deleted only when all of it is there.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import msgspec

from headgate.journal.segments import claimed, segments, sound_end
from headgate.records import progress, status
from headgate.records.beside import alone, begun, say
from headgate.records.row import read
from headgate.records.statements import SOURCE, Away, Unfit
from headgate.records.status import Status

BATCH = 8 << 20
"""Bytes of the journal in a transaction: ten thousand records, for which the database is made safe on disk once."""
EVERY = 0.5
"""Seconds between two looks at a journal in which there was nothing new."""
LONGEST_PAUSE = 8.0
"""The most seconds after which a database that took nothing is tried again."""
KEPT = 600.0
"""Seconds since a segment was written last, and since the drain began, in which it is not deleted although all of it is
in the database: the gateway reckons from it what was used of limits since it wrote that down."""
TIDY = 15.0

Tell = Callable[[str, str], None]
"""A level of `logging` by its name, and a sentence."""


class Settings(msgspec.Struct):
    """Where the journal is, and the database: `sqlite:///path` or `postgresql://…`."""

    data_dir: str
    url: str


class Batch(NamedTuple):
    """Records, up to where they are in which segments, how many lines of which are damaged, and whether there are
    more."""

    entries: list[Any]
    reached: dict[str, int]
    damaged: dict[str, int]
    more: bool


class Database(Protocol):
    """Takes records; sqlite.py and postgres.py say what of it is raised."""

    def positions(self, source: str) -> dict[str, int]: ...
    def add(self, source: str, entries: Sequence[Any], reached: Mapping[str, int]) -> int: ...
    def forget(self, source: str, names: Sequence[str]) -> None: ...
    def close(self) -> None: ...


class Drain:
    """Of one data directory: of the records in it; a subclass brings over something else."""

    folder_name, named, kept = "journal", "", KEPT
    """`named`: what its segments are called in the database, behind the data directory's name."""
    what, waiting, file = "record", "journal", status.FILE
    entry: Callable[[bytes], Any] = staticmethod(read)
    """What a line says; None: it is damaged."""

    def __init__(self, data_dir: Path, database: Database, tell: Tell, *, now: float) -> None:
        self.data_dir = data_dir
        self.folder = data_dir / self.folder_name
        self.database = database
        self.tell = tell
        self.status = Status()
        self._source: str | None = None
        self._known = False
        """Whether `status.positions` is what the database says."""
        self._begun = self._tidied = now
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="reading")
        self._ahead: Future[Batch] | None = None
        """What comes next, where there is more: it is read while the database takes what was read before."""

    def turn(self, now: float) -> bool:
        """Bring a batch over; whether there is more. Raises Away, OSError."""
        if self._source is None:
            self._source = source(self.data_dir) + self.named
        if not self._known:
            self.status.positions = self.database.positions(self._source)
            self._known = True
        batch = self._next()
        if batch.more:
            self._ahead = self._thread.submit(
                read_on, self.folder, {**self.status.positions, **batch.reached}, self.entry
            )
        if batch.reached:
            try:
                self._put(batch.entries, batch.reached)
            except Away:
                self._known, self._ahead = False, None  # it may have taken them before it failed
                raise
            self.status.positions.update(batch.reached)
            self._tell_of(batch.damaged)
        if now - self._tidied >= TIDY:
            self._tidied = now
            self._tidy(now)
        return batch.more

    def failed(self, error: Away | OSError) -> None:
        """A turn has come to nothing."""
        self.status.failures += 1
        why = str(error) if isinstance(error, Away) else error.strerror or str(error)
        if self.status.away is None:
            self.tell("warning", f"the database takes no {self.what}s, which wait in the {self.waiting}: {why}")
        self.status.away = why

    def worked(self) -> None:
        if self.status.away is not None:
            self.tell("info", f"the database takes {self.what}s again")
        self.status.away = None

    def _next(self) -> Batch:
        ahead, self._ahead = self._ahead, None
        return ahead.result() if ahead is not None else read_on(self.folder, self.status.positions, self.entry)

    def _tell_of(self, damaged: Mapping[str, int]) -> None:
        for name, count in damaged.items():
            self.status.unfit += count
            self.tell("warning", f"{name}: {count} damaged lines are not brought into the database")

    def _put(self, entries: Sequence[Any], reached: Mapping[str, int]) -> None:
        """All of them but those that the database never takes, which are found by halves."""
        assert self._source is not None
        try:
            self.status.drained += self.database.add(self._source, entries, reached)
        except Unfit as error:
            if len(entries) > 1:
                half = len(entries) // 2
                self._put(entries[:half], {})
                self._put(entries[half:], reached)
                return
            self.status.unfit += 1
            whose = entries[0].row.id if entries else "nothing"
            self.tell("error", f"the database does not take the {self.what} {whose}: {error}")
            if entries:
                self._put([], reached)

    def others(self) -> list[Mapping[str, int]]:
        """How far others have read that need the segments, too."""
        return [each.positions for each in progress.every(self.data_dir).values()]

    def _tidy(self, now: float) -> None:
        """Delete what is wholly in the database, and sent to every sink, and forget where in the journal it was.

        Raises Away, OSError.
        """
        assert self._source is not None
        there = segments(self.folder)
        others = self.others()
        gone = set(self.status.positions) - {segment.path.name for segment in there}
        for segment in there if now - self._begun >= self.kept else ():
            name = segment.path.name
            reached = min(each.get(name, 0) for each in (self.status.positions, *others))
            with claimed(segment) as fd:
                if fd is None or now - os.fstat(fd).st_mtime < self.kept or not reached:
                    continue
                if sound_end(fd, os.fstat(fd).st_size) <= reached:
                    segment.path.unlink()
                    gone.add(name)
        if gone:
            self.database.forget(self._source, sorted(gone))
            for name in gone:
                self.status.positions.pop(name, None)


def read_on(folder: Path, positions: Mapping[str, int], entry: Callable[[bytes], Any] = read) -> Batch:
    """What is in the segments behind these positions, so much of it as makes a batch. Raises OSError."""
    batch = Batch([], {}, {}, False)
    room = BATCH
    for path, start, end in status.undrained(folder, positions):
        data = lines(path, start, room)
        if data:
            batch.reached[path.name] = start + len(data)
            found = [entry(line) for line in data.split(b"\n")[:-1]]
            entries = [each for each in found if each is not None]
            batch.entries.extend(entries)
            if len(entries) < len(found):
                batch.damaged[path.name] = len(found) - len(entries)
            room -= len(data)
            if start + len(data) < end or room <= 0:
                return batch._replace(more=True)
    return batch


def lines(path: Path, start: int, most: int) -> bytes:
    """Whole lines of a segment, about `most` bytes of them but one at least; b"" where there is none."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return b""
    try:
        while True:
            data = os.pread(fd, most, start)
            end = data.rfind(b"\n") + 1
            if end or len(data) < most:
                return data[:end]
            most *= 2
    finally:
        os.close(fd)


def source(data_dir: Path) -> str:
    """The name of this data directory in the database, made where there is none yet. Raises OSError."""
    path = data_dir / SOURCE
    with suppress(FileNotFoundError):
        if known := path.read_text("utf-8").strip():  # a power cut may leave nothing in it
            return known
    new = path.with_suffix(f".{os.getpid()}.new")
    new.write_text(secrets.token_hex(8), "utf-8")
    try:
        os.link(new, path)  # who sends to sinks may make one at the same time
    except FileExistsError:
        if not path.stat().st_size:
            new.replace(path)
    except OSError:  # a file system without links
        new.replace(path)
    new.unlink(missing_ok=True)
    return path.read_text("utf-8").strip()


def opened(url: str) -> Database:
    """Nothing is connected to yet."""
    if url.startswith("sqlite:///"):
        from urllib.parse import unquote

        from headgate.records.sqlite import SQLite

        return SQLite(Path(unquote(url.removeprefix("sqlite:///"))))
    from headgate.records.postgres import Postgres

    return Postgres(url)


def work(drain: Drain, ending: threading.Event) -> None:
    """Until the gateway is gone and what it has left is in the database, or the database takes nothing."""
    pause = EVERY
    while True:
        last = ending.is_set()
        try:
            more = drain.turn(time.time())
        except (Away, OSError) as error:
            drain.failed(error)
            pause, more = min(2 * pause, LONGEST_PAUSE), False
        else:
            drain.worked()
            pause = EVERY
        with suppress(OSError):  # of a full disk the journal tells
            status.save(drain.data_dir, drain.status, drain.file)
        if last and not more:
            return
        if not more:
            ending.wait(pause)


def main() -> None:
    settings, ending = begun(Settings)
    data_dir = Path(settings.data_dir)
    if not alone(data_dir / status.FILE.with_suffix(".lock"), ending):
        return
    drain = Drain(data_dir, opened(settings.url), say, now=time.time())
    work(drain, ending)
    drain.database.close()


if __name__ == "__main__":
    main()
