"""A file by whose lines the workers of a machine tell each other what all of them are to know."""

from __future__ import annotations

import os
import time
from pathlib import Path

LARGE = 1 << 20
"""Bytes of a file above which it is begun anew,"""
QUIET = 60.0
"""once nobody has written for so many seconds: all have read it by then."""


class Notes:
    """One process's place in it. All raise OSError."""

    def __init__(self, path: Path, *, anew: bool) -> None:
        """`anew`: what stands there already is read as well."""
        self._path = path
        self._anew = anew
        self._read = 0 if anew else self._size()

    def write(self, line: bytes) -> None:
        self._path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        with self._path.open("ab", buffering=0) as file:
            if not self._anew and file.tell() > LARGE and time.time() - os.fstat(file.fileno()).st_mtime > QUIET:
                file.truncate(0)
            file.write(line + b"\n")

    def read(self) -> list[bytes]:
        """The lines since the last time, those of this process, too."""
        size = self._size()
        if size == self._read:
            return []
        start = self._read if size > self._read else 0  # it was begun anew
        with self._path.open("rb") as file:
            file.seek(start)
            lines, mark, _ = file.read().rpartition(b"\n")
        self._read = start + len(lines) + len(mark)
        return lines.splitlines()

    def _size(self) -> int:
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0
