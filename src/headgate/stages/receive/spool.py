"""Keeps a body for as long as its exchange lasts: a little of it in memory, more of it in a file without a name."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import IO

MEMORY = 1 << 20
"""Bytes that are held in memory; more of them all go to the file."""


class Spool:
    """Implements core.form.Store. The file has no name (O_TMPFILE, or it is unlinked at once), so nothing of it is left
    when the process dies. What is written is in the system's page cache first, so no thread is spent on it."""

    def __init__(self, folder: Path | None, memory: int = MEMORY) -> None:
        """`folder` for the file; None: where the system keeps temporary ones."""
        self._folder = folder
        self._most = memory
        self._held: bytearray | None = bytearray()
        self._file: IO[bytes] | None = None
        self._holders = 1
        self.size = 0

    def write(self, data: bytes) -> None:
        """Raises OSError when the disk is full."""
        self.size += len(data)
        if self._held is not None:
            self._held += data
            if self.size <= self._most:
                return
            data, self._held = bytes(self._held), None
            self._file = tempfile.TemporaryFile(buffering=0, dir=self._folder)  # noqa: SIM115  # `close` closes it
        assert self._file is not None
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]

    def read(self, start: int, end: int) -> bytes:
        """The bytes from `start` up to `end`."""
        if self._file is None:
            assert self._held is not None
            return bytes(self._held[start:end])
        pieces = []
        self._file.seek(start)
        while start < end:
            piece = self._file.read(end - start)
            if not piece:
                break
            pieces.append(piece)
            start += len(piece)
        return b"".join(pieces)

    def hold(self) -> None:
        """It is there until whoever calls this has closed it, too."""
        self._holders += 1

    def close(self) -> None:
        """Where nobody else holds it, nothing can be read any more."""
        self._holders -= 1
        if self._holders > 0:
            return
        if self._file is not None:
            self._file.close()
        self._held = bytearray()
        self._file = None
