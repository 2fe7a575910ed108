"""The files records are kept in: their names, who is writing them, what a crash leaves behind and how it is mended."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

SUFFIX = ".jsonl"
BLOCK = 1 << 16

_NAME = re.compile(r"(\d{8}T\d{6}\.\d{3})Z-(\d+)-(\d+)\.jsonl")
_ID = re.compile(rb'\{"id":"([0-9A-Za-z_-]{1,64})"')
_NO_LOCKS = frozenset({errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.ENOSYS})


class Segment(NamedTuple):
    """One file of records. `start` (Unix seconds) is before every line in it was written."""

    path: Path
    start: float
    worker: int
    pid: int


class Repaired(NamedTuple):
    """What `repair` did to one segment: `cut` bytes taken from its end, or a `problem` that kept it from looking.

    `id` is that of the request whose line was torn, where it can still be read; `removed` says that nothing was left.
    """

    path: Path
    cut: int = 0
    id: str | None = None
    removed: bool = False
    problem: str | None = None

    def __str__(self) -> str:
        if self.problem:
            return f"{self.path.name} could not be checked: {self.problem}"
        if not self.cut:
            return f"{self.path.name} was empty and is removed"
        whose = f" (of {self.id}, whose client had not been given its last byte)" if self.id else ""
        return f"{self.path.name}: a torn last line of {self.cut} bytes{whose} was cut off"


def segments(folder: Path) -> list[Segment]:
    """Every segment of every worker, in order of their starts; [] where the folder is missing."""
    found = []
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    for name in sorted(names):
        match = _NAME.fullmatch(name)
        if match:
            start = datetime.strptime(match[1] + "+0000", "%Y%m%dT%H%M%S.%f%z").timestamp()
            found.append(Segment(folder / name, start, int(match[2]), int(match[3])))
    return found


def open_segment(folder: Path, worker: int) -> tuple[int, Path]:
    """A new segment, held by a lock that ends with this process. Raises OSError."""
    folder.mkdir(mode=0o750, parents=True, exist_ok=True)
    millis = time.time_ns() // 1_000_000
    while True:
        moment = datetime.fromtimestamp(millis / 1000, UTC)
        stamp = f"{moment:%Y%m%dT%H%M%S}.{millis % 1000:03d}Z"
        path = folder / f"{stamp}-{worker}-{os.getpid()}{SUFFIX}"
        millis += 1
        try:
            fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
        except FileExistsError:
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                os.close(fd)
                raise
        if os.fstat(fd).st_nlink:
            return fd, path
        os.close(fd)  # another process's repair took the new, still empty file away before it was locked


@contextmanager
def claimed(segment: Segment) -> Iterator[int | None]:
    """The segment's descriptor, locked, or None when a live process is writing it or it is gone. Raises OSError."""
    try:
        fd = os.open(segment.path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        yield None
        return
    try:
        yield fd if _lock(fd, segment) and os.fstat(fd).st_nlink else None
    finally:
        os.close(fd)


def _lock(fd: int, segment: Segment) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return not _alive(segment.pid)  # a file system without locks: the pid in the name has to do
    return True


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def sound_end(fd: int, size: int) -> int:
    """Where the last whole line ends. What is after it is torn, or the zeros a power cut leaves."""
    end = size
    while end:
        start = max(0, end - BLOCK)
        cut = os.pread(fd, end - start, start).rfind(b"\n")
        if cut >= 0:
            return start + cut + 1
        end = start
    return 0


def repair(folder: Path) -> list[Repaired]:
    """Mend what processes that died have left; segments of live ones are not touched.

    A torn last line is cut off and not kept: by the order of things its client was never given its last byte, so the
    request counts as unanswered. Empty segments are removed. Call it once at start, before journals are opened.
    """
    done = []
    for segment in segments(folder):
        try:
            with claimed(segment) as fd:
                mended = None if fd is None else _mend(segment.path, fd)
        except OSError as error:
            mended = Repaired(segment.path, problem=error.strerror or str(error))
        if mended:
            done.append(mended)
    return done


def _mend(path: Path, fd: int) -> Repaired | None:
    size = os.fstat(fd).st_size
    end = sound_end(fd, size)
    if end == size and size:
        return None
    match = _ID.match(os.pread(fd, 100, end))
    if end:
        os.ftruncate(fd, end)
        os.fsync(fd)
    else:
        path.unlink(missing_ok=True)
    return Repaired(path, size - end, match[1].decode() if match else None, removed=not end)


Positions = Mapping[str, int]
"""Of segments by their names: up to where their records are kept elsewhere, too."""


def nowhere() -> Positions:
    return {}


class Swept(NamedTuple):
    """What `sweep` deleted, and what is there now; the records are those that are kept nowhere else."""

    deleted_segments: int
    deleted_records: int
    segments: int
    bytes: int


def sweep(
    folder: Path,
    max_bytes: int | None,
    keep: Path | None = None,
    elsewhere: Callable[[], Positions] = nowhere,
) -> Swept:
    """Delete the oldest segments nobody is writing (and not `keep`) until all together have at most `max_bytes`."""
    sizes = {}
    for segment in segments(folder):
        try:
            sizes[segment] = segment.path.stat().st_size
        except FileNotFoundError:
            continue
    total, count, files, records = sum(sizes.values()), len(sizes), 0, 0
    for segment, size in sizes.items():
        if max_bytes is None or total <= max_bytes:
            break
        if segment.path == keep:
            continue
        with claimed(segment) as fd:
            if fd is None:
                continue
            lines = _count_lines(fd, elsewhere().get(segment.path.name, 0))
            segment.path.unlink()
        total, count, files, records = total - size, count - 1, files + 1, records + lines
    return Swept(files, records, count, total)


def _count_lines(fd: int, at: int) -> int:
    lines = 0
    while block := os.pread(fd, BLOCK, at):
        lines += block.count(b"\n")
        at += len(block)
    return lines
