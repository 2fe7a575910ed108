"""Answers in a file of this machine: one thread reads, one writes, and requests wait for neither for long."""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from headgate.core.cached import Clock, Entry, Which
from headgate.state.answers import CLEARED
from headgate.state.sealed_answers import Choose
from headgate.state.sqlite import File

T = TypeVar("T")
READING = 100
"""Reads that wait for the disk, above which nothing is looked for."""
WAITING = 16 << 20
"""Bytes that wait to be written, above which answers are not kept."""
BATCH = 100
SOON = 0.02
"""Seconds in which further answers are waited for, to be written together."""
REST = 0.25
"""Seconds for which it is left alone after it failed."""
Error = (sqlite3.Error, OSError)
log = logging.getLogger("headgate.state")


class FileAnswers:
    """Implements core.ports.Cache."""

    def __init__(
        self,
        path: Path,
        room: int,
        *,
        patience: float = 0.05,
        choose: Choose | None = None,
        clock: Clock = time.time,
    ) -> None:
        """`room` in bytes. Nothing is opened yet."""
        self.patience = patience
        self.clock = clock
        self.why: str | None = None
        """It cannot be read or written; in a sentence."""
        self.failures = self.timeouts = self.dropped = 0
        self._read, self._write = (File(path, room, choose, clock) for _ in range(2))
        self._reader, self._writer = (ThreadPoolExecutor(1, name) for name in ("answers-read", "answers-write"))
        self._reading = 0
        self._pending: dict[bytes, Entry] = {}
        """Not written yet, by their keys."""
        self._writing: frozenset[bytes] = frozenset()
        """Of these, those that the writing thread has taken up."""
        self._size = 0
        self._wanted: dict[bytes, int] = {}
        self._lock = threading.Lock()
        """Of what waits for the writing thread."""
        self._due: asyncio.TimerHandle | None = None
        self._again = 0.0
        self._cleared: deque[Which] = deque(maxlen=CLEARED)

    @property
    def room(self) -> int:
        return self._write.room

    @room.setter
    def room(self, room: int) -> None:
        self._write.room = room

    async def get(self, key: bytes) -> Entry | None:
        return (await self.get_many((key,)))[0]

    async def get_many(self, keys: Sequence[bytes]) -> Sequence[Entry | None]:
        waiting = [self._pending.get(key) for key in keys]
        if None not in waiting:
            return waiting
        nothing: list[Entry | None] = [None] * len(keys)
        if self._reading >= READING or time.monotonic() < self._again:
            return nothing
        self._reading += 1
        reading = asyncio.get_running_loop().run_in_executor(self._reader, self._read.get, keys)
        reading.add_done_callback(self._done)
        await asyncio.wait((reading,), timeout=self.patience)
        if not reading.done():
            self.timeouts += 1
            return nothing
        if reading.cancelled() or reading.exception() is not None:
            return nothing
        found = reading.result()
        with self._lock:
            for name, _ in filter(None, found):
                self._wanted[name] = self._wanted.get(name, 0) + 1
        self._soon()
        return [each or (kept[1] if kept is not None else None) for each, kept in zip(waiting, found, strict=True)]

    async def each(self) -> AsyncIterator[Entry]:
        """All in the file, some at a time; others come first. Raises OSError."""
        loop, place = asyncio.get_running_loop(), -1
        while True:
            try:
                last, entries = await loop.run_in_executor(self._reader, self._read.some, place, BATCH)
            except sqlite3.Error as error:
                raise OSError(f"{self._read.path}: {error}") from error
            if last == place:
                return
            place = last
            for entry in entries:
                yield entry
            await asyncio.sleep(SOON)

    async def claim(self, key: bytes, seconds: float) -> bool:
        """Where it cannot be written, everybody is to ask."""
        try:
            return await self._run(self._write.claim, key, self.clock() + seconds)
        except Error:
            return True

    async def release(self, key: bytes) -> None:
        with suppress(*Error):
            await self._run(self._flush)  # others are to find the newer one first
            await self._run(self._write.release, key)

    def put(self, key: bytes, entry: Entry) -> None:
        if self._size + entry.size > WAITING:
            self.dropped += 1
            return
        if any(which.has(key, entry) for which in self._cleared):  # it was under way then
            return
        with self._lock:
            before = self._pending.get(key)
            self._size += entry.size - (before.size if before is not None else 0)
            self._pending[key] = entry
        self._soon()

    async def clear(self, which: Which) -> int:
        """All are looked at. Raises OSError."""
        count = self._forget(which)
        try:
            return count + await self._run(self._write.clear, which)
        except sqlite3.Error as error:
            raise OSError(f"{self._write.path}: {error}") from error

    async def heard(self, which: Which) -> None:
        self._forget(which)

    def _forget(self, which: Which) -> int:
        """How many of them will not be written."""
        if which.before is not None:
            self._cleared.append(which)
        with self._lock:
            waiting = [key for key, entry in self._pending.items() if which.has(key, entry)]
            for key in waiting:
                self._size -= self._pending.pop(key).size
            return sum(key not in self._writing for key in waiting)

    async def measured(self) -> tuple[int, int]:
        """Answers and bytes in the file. Raises OSError."""
        try:
            return await self._run(self._write.measured)
        except sqlite3.Error as error:
            raise OSError(str(error)) from error

    @property
    def evictions(self) -> dict[str, int]:
        return self._write.evictions

    def close(self) -> None:
        """What waits is written."""
        if self._due is not None:
            self._due.cancel()
        self._writer.submit(self._flush)
        for lane, file in ((self._reader, self._read), (self._writer, self._write)):
            lane.submit(file.close)
            lane.shutdown(wait=True)

    def _soon(self) -> None:
        if self._due is None:
            self._due = asyncio.get_running_loop().call_later(SOON, self._start)

    def _start(self) -> None:
        self._due = None
        self._writer.submit(self._flush)

    def _flush(self) -> None:
        """In the writing thread."""
        while True:
            with self._lock:
                entries = list(islice(self._pending.items(), BATCH))
                self._writing = frozenset(key for key, _ in entries)
                wanted, self._wanted = self._wanted, {}
            if not entries and not wanted:
                return
            try:
                self._write.put(entries, wanted)
                self._well()
            except Error as error:
                self._failed(error)
            with self._lock:
                for key, entry in entries:
                    if self._pending.get(key) is entry:
                        self._size -= self._pending.pop(key).size

    async def _run(self, work: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._writer, work, *arguments)

    def _done(self, reading: asyncio.Future[Any] | Future[Any]) -> None:
        self._reading -= 1
        error = None if reading.cancelled() else reading.exception()
        if isinstance(error, Error):
            self._failed(error)

    def _failed(self, error: BaseException) -> None:
        self.failures += 1
        self._again = time.monotonic() + REST
        if self.why is None:
            self.why = f"{self._write.path}: {getattr(error, 'strerror', None) or error}"
            log.warning("answers are not kept for now: %s", self.why)

    def _well(self) -> None:
        if self.why is not None:
            self.why = None
            log.info("answers are kept in %s again", self._write.path)
