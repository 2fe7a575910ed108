"""What was said waits in files in memory (tmpfs): the gateway writes it there as it came, and it never is on a disk.

The files outlive the gateway's process, whatever becomes of it. Each is of one process, held by a lock; behind each
piece stands nothing of another, so that it can be read by its lengths: `FRAME`, the head, the sides.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from headgate.core.kept import Head
from headgate.journal.segments import claimed, open_segment, segments

FRAME = struct.Struct("<4sIIII")
MARK = b"said"
SEGMENT = 8 << 20
PLACE = ".place"
"""Beside a file: up to where it was taken out."""
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Head).decode


class Piece(NamedTuple):
    """What was said once; `end` is where the next begins."""

    head: Head
    request: bytes
    sent: bytes
    answer: bytes
    end: int


def folder_of(memory: Path, data_dir: Path) -> Path:
    """The folder of a data directory."""
    digest = hashlib.sha256(os.fsencode(data_dir.absolute())).hexdigest()[:16]
    return memory / f"headgate-{os.geteuid()}-{digest}"


def ready(folder: Path) -> None:
    """Make it, for its owner alone. Raises OSError, also where it is somebody else's."""
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise PermissionError(1, "it has to be a folder of this user alone", str(folder))


class Waiting:
    """The writing end, of one process (`core.ports.Payloads`); a file is made when there is something to write."""

    def __init__(self, folder: Path, worker: int, most_bytes: int) -> None:
        """`most_bytes` may wait, of all processes together."""
        self.most = most_bytes // 4
        self.taken = self.dropped = 0
        self._folder = folder
        self._worker = worker
        self._most_bytes = most_bytes
        self._segment = min(SEGMENT, most_bytes // 4)
        self._fd = -1
        self._size = 0

    def put(self, head: Head, request: bytes, sent: bytes, answer: Sequence[bytes]) -> bool:
        """Take it; False where there is no room."""
        said = answer[0] if len(answer) == 1 else b"".join(answer)
        told = _encode(head)
        lengths = FRAME.pack(MARK, len(told), len(request), len(sent), len(said))
        if self._write(b"".join((lengths, told, request, sent, said))):
            self.taken += 1
            return True
        self.dropped += 1
        return False

    def close(self) -> None:
        """What was written stays."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def _write(self, data: bytes) -> bool:
        try:
            if self._fd < 0 or self._size >= self._segment:
                if size(self._folder) + len(data) > self._most_bytes:
                    return False
                self._begin()
            written = os.write(self._fd, data)
            if written == len(data):
                self._size += written
                return True
            os.ftruncate(self._fd, self._size)
        except OSError:
            self.close()  # a reader passes over what is torn, at the end of a file that nobody writes
        return False

    def _begin(self) -> None:
        ready(self._folder)
        fd, _ = open_segment(self._folder, self._worker)
        self.close()
        self._fd, self._size = fd, 0


def size(folder: Path) -> int:
    """Bytes that wait there, and those of files that are not deleted yet."""
    total = 0
    for segment in segments(folder):
        with suppress(FileNotFoundError):
            total += segment.path.stat().st_size
    return total


class Reader:
    """The reading end. Where it was is written down after each piece, so that it may be killed at any moment: a piece
    may then be given twice, and none is left out. What was taken out is overwritten, so that it is nowhere any more."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._blank: dict[str, int] = {}
        """Up to where each file is overwritten."""

    def pieces(self) -> Iterator[Piece]:
        """All there are, in the order of the files; one counts as taken when the next is asked for."""
        for segment in segments(self._folder):
            place = segment.path.with_suffix(PLACE)
            at = _place(place)
            try:
                fd = os.open(segment.path, os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError:
                continue
            try:
                end = os.fstat(fd).st_size
                while (piece := _piece(fd, at, end)) is not None:
                    yield piece
                    at = piece.end
                    _mark(place, at)
                    self._overwrite(fd, segment.path.name, at)
            finally:
                os.close(fd)
            self._tidy()

    def _overwrite(self, fd: int, name: str, end: int) -> None:
        start = self._blank.get(name, 0)
        os.pwrite(fd, bytes(end - start), start)
        self._blank[name] = end

    def _tidy(self) -> None:
        """Delete what was taken out, of processes that have gone on to another file or are gone."""
        for segment in segments(self._folder):
            place = segment.path.with_suffix(PLACE)
            with claimed(segment) as fd:
                if fd is None:
                    continue
                if _piece(fd, _place(place), os.fstat(fd).st_size) is None:
                    self._blank.pop(segment.path.name, None)
                    segment.path.unlink(missing_ok=True)
                    place.unlink(missing_ok=True)


def _place(path: Path) -> int:
    try:
        return int.from_bytes(path.read_bytes())
    except FileNotFoundError:
        return 0


def _mark(path: Path, at: int) -> None:
    """In one step: what is before it is overwritten."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        os.pwrite(fd, at.to_bytes(8), 0)
    finally:
        os.close(fd)


def _piece(fd: int, at: int, end: int) -> Piece | None:
    """None: there is none, or not all of it."""
    if end - at < FRAME.size:
        return None
    mark, *lengths = FRAME.unpack(os.pread(fd, FRAME.size, at))
    start = at + FRAME.size
    if mark != MARK or end - start < sum(lengths):
        return None
    sides = []
    for length in lengths:
        sides.append(os.pread(fd, length, start))
        start += length
    told, request, sent, answer = sides
    try:
        return Piece(_decode(told), request, sent, answer, start)
    except msgspec.DecodeError:
        return None
