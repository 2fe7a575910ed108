"""Overwrites lines of the journal: what is to be forgotten may stand in a segment that is still written to."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

from headgate.core.record import Record
from headgate.journal.segments import Segment, claimed, segments

BLOCK = 4 << 20
_decode = msgspec.json.Decoder(Record).decode


def blank(
    folder: Path, positions: Mapping[str, int] | None, which: Callable[[Record], bool], begun: float | None = None
) -> int:
    """Put spaces in the place of the lines of records that are meant; how many there were. Readers pass over them.

    `positions` are how far each segment is known elsewhere: nothing behind that is touched; None: all may be. `begun`:
    only segments that were begun before. One of which nothing is left goes, if nobody writes to it. Raises OSError.
    """
    gone = 0
    for segment in segments(folder):
        if begun is not None and segment.start >= begun:
            continue
        end = None if positions is None else positions.get(segment.path.name, 0)
        try:
            count, left = _blank(segment.path, end, which)
        except FileNotFoundError:
            continue
        gone += count
        if count and not left:
            _delete(segment)
    return gone


def _blank(path: Path, end: int | None, which: Callable[[Record], bool]) -> tuple[int, bool]:
    """How many went, and whether anything is left."""
    fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        size = os.fstat(fd).st_size
        last = size if end is None else min(end, size)
        gone, left, reached = 0, last < size, 0
        for place, line in _lines(fd, last):
            reached = place + len(line) + 1
            if _meant(line, which):
                os.pwrite(fd, b" " * len(line), place)
                gone += 1
            elif line.strip():
                left = True
        if gone:
            os.fsync(fd)
        return gone, left or reached < last
    finally:
        os.close(fd)


def _lines(fd: int, last: int) -> Iterator[tuple[int, bytes]]:
    """Each whole line before `last`, and where it begins."""
    place, most = 0, BLOCK
    while place < last:
        data = os.pread(fd, min(most, last - place), place)
        end = data.rfind(b"\n")
        if end < 0:
            if len(data) < most:
                return  # it is being written
            most *= 2
            continue
        for line in data[:end].split(b"\n"):
            yield place, line
            place += len(line) + 1


def _meant(line: bytes, which: Callable[[Record], bool]) -> bool:
    if not line.strip():
        return False
    try:
        return which(_decode(line))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False


def _delete(segment: Segment) -> None:
    with claimed(segment) as fd:
        if fd is not None:
            segment.path.unlink(missing_ok=True)
