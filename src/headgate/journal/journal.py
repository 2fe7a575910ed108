"""The writing end of the journal: a record is one line, appended by one write, before its client's last byte is sent.

What a full or failing disk does: a line is whole in the file or not in it at all; a record that cannot be written
waits in memory, is tried again each second, and keeps its place in the order. `full` turns true before the memory
for that is used up, so that the gateway can refuse requests rather than lose the accounts of those it serves.
"""

from __future__ import annotations

import errno
import logging
import os
import sys
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import msgspec

from headgate.core.errors import Overloaded
from headgate.journal.segments import Positions, Swept, nowhere, open_segment, sweep

Fsync = Literal["interval", "always", "never"]
Trouble = Callable[[int, str], None]
"""Told of every change for the worse or better: a level of `logging` and a sentence. Called from either thread."""

_DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_ABANDON = -1
_SWEEP_BEATS = 15
_DEPTH = 32


class Journal:
    """Appends the records of one worker to segment files of its own (`core.ports.Journal`).

    `append`, `full` and `close` belong to one thread, the event loop's. A second thread wakes each `beat` seconds: it
    makes the disk keep what was written (`fsync` "interval"), writes what had to wait, closes and deletes segments.
    Who writes is never in doubt: while records wait, only that thread does; otherwise only `append`.
    """

    def __init__(
        self,
        folder: Path,
        *,
        worker: int = 0,
        segment_bytes: int = 64 << 20,
        max_bytes: int | None = 4 << 30,
        buffer_bytes: int = 64 << 20,
        fsync: Fsync = "interval",
        on_trouble: Trouble,
        elsewhere: Callable[[], Positions] = nowhere,
        beat: float = 1.0,
    ) -> None:
        """`max_bytes` (None: no bound) is for all workers' segments in `folder` together; one segment never takes more
        than a quarter of it. `fsync` "always" waits for the disk at every record. `elsewhere` says which records
        are not lost with their segments. Raises OSError, saying how to mend it, where the folder cannot be written.
        """
        self.folder = folder
        self.written = self.backlog_bytes = 0
        self.deleted_records = self.deleted_segments = 0
        self._segment_bytes = segment_bytes if max_bytes is None else min(segment_bytes, max(max_bytes // 4, 1))
        self._max_bytes = max_bytes
        self._buffer_bytes = buffer_bytes
        self._refuse_bytes = buffer_bytes - buffer_bytes // 4
        self._fsync = fsync
        self._on_trouble = on_trouble
        self._elsewhere = elsewhere
        self._worker = worker
        self._encode = msgspec.json.Encoder().encode_into
        self._buffer = bytearray()
        self._backlog: deque[bytes] = deque()
        self._queueing = False
        self._told_full = False
        self._lock = threading.Lock()
        self._sealed: deque[tuple[int, Path, bool]] = deque()
        self._size = 0
        self._limit = self._segment_bytes
        self._synced = 0
        self._fd, self._path = _first_segment(folder, worker)
        self._kept = sweep(folder, None)
        self._start(beat)

    def _start(self, beat: float) -> None:
        self._stop = threading.Event()
        self._keeper = threading.Thread(target=self._keep, args=(beat,), name="journal", daemon=True)
        self._keeper.start()

    def append(self, record: msgspec.Struct) -> None:
        """Returns once the record is written to the file, or waits in memory because the disk does not take it.

        Raises Overloaded when neither is possible.
        """
        line = self._buffer
        try:
            self._encode(record, line)
        except (ValueError, TypeError, RecursionError):
            line[:] = msgspec.json.encode(_plain(record, _DEPTH))
        line.append(10)
        if self._queueing:
            self._wait(bytes(line), None)
            return
        try:
            self._write(line)
        except OSError as error:
            self._wait(bytes(line), error)
            return
        self.written += 1
        if self._fsync == "always":
            self._sync()

    @property
    def full(self) -> bool:
        """No further request should be served: what records may use of memory while the disk fails is nearly gone.

        The last quarter of it is for requests already being served.
        """
        return self.backlog_bytes >= self._refuse_bytes

    def healthy(self) -> bool:
        """Every record so far is in the file."""
        return not self._queueing

    @property
    def backlog_records(self) -> int:
        return len(self._backlog)

    @property
    def segments(self) -> int:
        """Files in the folder, of all workers, as last counted."""
        return self._kept.segments

    @property
    def disk_bytes(self) -> int:
        """Size of the files in the folder, of all workers, as last counted."""
        return self._kept.bytes

    def close(self) -> None:
        """Write what waits, make the disk keep it, close. Says so if records are lost by it. Idempotent."""
        if self._stop.is_set():
            return
        self._stop.set()
        self._keeper.join()
        self._drain()
        if self._backlog:
            lost = f"{len(self._backlog)} records could not be written to {self.folder} before the end and are lost"
            self._on_trouble(logging.ERROR, lost)
        self._seal()
        self._close_sealed()
        self._fd, self._limit = -1, sys.maxsize

    def _write(self, line: bytes | bytearray) -> None:
        """The whole line into the file. Raises OSError, and then nothing of it is there."""
        if self._size + len(line) > self._limit:
            self._rotate()
        written = os.write(self._fd, line)
        if written != len(line):
            self._write_rest(line, written)
        self._size += len(line)

    def _write_rest(self, line: bytes | bytearray, written: int) -> None:
        try:
            while written < len(line):
                written += os.write(self._fd, bytes(line[written:]))
        except OSError:
            self._take_back(written)
            raise

    def _take_back(self, written: int) -> None:
        try:
            os.ftruncate(self._fd, os.fstat(self._fd).st_size - written)
        except OSError:
            self._limit = _ABANDON  # readers skip a torn last line; nothing may be written behind it

    def _rotate(self) -> None:
        """Start the next segment. Where that fails, this one grows on, unless it is given up: then raises OSError."""
        if not self._size and self._limit != _ABANDON:
            return
        try:
            fd, path = open_segment(self.folder, self._worker)
        except OSError as error:
            if self._limit == _ABANDON:
                raise
            self._limit = self._size + max(self._segment_bytes // 8, 1)
            self._on_trouble(
                logging.WARNING, f"no new segment in {self.folder} ({error.strerror}): {self._path.name} grows on"
            )
            return
        self._seal()
        self._fd, self._path, self._size, self._limit = fd, path, 0, self._segment_bytes

    def _seal(self) -> None:
        self._sealed.append((self._fd, self._path, not self._size))

    def _wait(self, line: bytes, error: OSError | None) -> None:
        """Put the line in the queue of those the keeper writes."""
        if self._stop.is_set():
            raise Overloaded("the gateway is shutting down", retry_after=5.0)
        with self._lock:
            if self.backlog_bytes + len(line) > self._buffer_bytes:
                full, refused = not self._told_full, True
                self._told_full = True
            else:
                self._backlog.append(line)
                self.backlog_bytes += len(line)
                full, refused = not self._told_full and self.full, False
                self._told_full = self._told_full or full
            started, self._queueing = not self._queueing, True
        if started and error is not None:
            self._tell_waiting(error)
        if full:
            self._on_trouble(
                logging.ERROR, f"records cannot be kept: requests are refused. Free disk space under {self.folder}"
            )
        if refused:
            raise Overloaded("records cannot be kept: the gateway's operator must free disk space", retry_after=5.0)

    def _tell_waiting(self, error: OSError) -> None:
        if error.errno not in _DISK_FULL:
            self._limit = _ABANDON
        advice = "free disk space under" if error.errno in _DISK_FULL else "check the disk and the rights of"
        self._on_trouble(
            logging.ERROR,
            f"records cannot be written ({error.strerror}): they wait in memory, at most {self._buffer_bytes} bytes of "
            f"them, and are tried again each second; {advice} {self.folder}",
        )

    def _keep(self, beat: float) -> None:
        beats = 0
        while not self._stop.wait(beat):
            if self._queueing:
                self._drain()
            rotated = bool(self._sealed)
            if self._fsync == "interval" and self._synced != self.written:
                self._sync()
            self._close_sealed()
            self._check_path()
            beats += 1
            if rotated or beats % _SWEEP_BEATS == 0:
                self._sweep()

    def _drain(self) -> None:
        while True:
            with self._lock:
                if not self._backlog:
                    recovered, self._queueing, self._told_full = self._queueing, False, False
                    break
                line = self._backlog[0]
            try:
                self._write(line)
            except OSError as error:
                if error.errno not in _DISK_FULL:
                    self._limit = _ABANDON
                return
            with self._lock:
                self._backlog.popleft()
                self.backlog_bytes -= len(line)
            self.written += 1
        if recovered:
            self._on_trouble(logging.WARNING, f"records are written again to {self.folder}; none waits")

    def _sync(self) -> None:
        written = self.written
        try:
            os.fdatasync(self._fd)
        except OSError as error:
            self._limit = _ABANDON  # the kernel may have dropped the pages: what follows goes to another file
            self._on_trouble(
                logging.ERROR, f"the disk may not have kept the last records in {self._path}: {error.strerror}"
            )
        self._synced = written

    def _close_sealed(self) -> None:
        while self._sealed:
            fd, path, empty = self._sealed.popleft()
            try:
                if empty:
                    path.unlink(missing_ok=True)
                elif self._fsync != "never":
                    os.fsync(fd)
            except OSError as error:
                self._on_trouble(logging.ERROR, f"closing {path}: {error.strerror}")
            os.close(fd)

    def _check_path(self) -> None:
        """A segment somebody deleted while it was being written takes no more records."""
        if self._limit != _ABANDON and not os.fstat(self._fd).st_nlink:
            self._limit = _ABANDON
            self._on_trouble(
                logging.ERROR, f"{self._path} was deleted while records were written to it: starting another"
            )

    def _sweep(self) -> None:
        try:
            swept = sweep(self.folder, self._max_bytes, self._path, self._elsewhere)
        except OSError as error:
            self._on_trouble(logging.WARNING, f"old segments in {self.folder} cannot be deleted: {error.strerror}")
            return
        self._kept = swept
        self.deleted_segments += swept.deleted_segments
        if swept.deleted_records or (swept.deleted_segments and self._elsewhere is nowhere):
            self._tell_deleted(swept)

    def _tell_deleted(self, swept: Swept) -> None:
        self.deleted_records += swept.deleted_records
        also = "" if self._elsewhere is nowhere else " that are not in the database"
        self._on_trouble(
            logging.WARNING,
            f"the journal had more than {self._max_bytes} bytes: its {swept.deleted_segments} oldest segments with "
            f"{swept.deleted_records} records{also} were deleted",
        )


def _first_segment(folder: Path, worker: int) -> tuple[int, Path]:
    try:
        return open_segment(folder, worker)
    except OSError as error:
        message = f"records cannot be kept ({error.strerror}): make this folder writable or choose another data_dir"
        raise OSError(error.errno, message, str(folder)) from error


def _plain(value: Any, depth: int) -> Any:
    """`value` as JSON can hold it, for the rare record that cannot be written as it is (lone surrogates, depth)."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if depth == 0:
        return "…"
    if isinstance(value, msgspec.Struct):
        return {name: _plain(item, depth - 1) for name, item in msgspec.structs.asdict(value).items()}
    if isinstance(value, dict):
        return {_plain(str(key), depth): _plain(item, depth - 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, depth - 1) for item in value]
    return _plain(repr(value), depth)
