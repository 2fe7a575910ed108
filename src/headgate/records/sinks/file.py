"""Files of JSON lines, one record a line: rotated by size and by the clock, compressed."""

from __future__ import annotations

import gzip
import os
import shutil
import time
from contextlib import AbstractContextManager
from glob import escape
from pathlib import Path
from typing import IO, Any, Literal

import zstandard
from pydantic import Field

from headgate.core.printable import json_safe
from headgate.records.sinks import sink
from headgate.records.sinks.sink import Batch, Sink

SUFFIX = {"none": "", "gzip": ".gz", "zstd": ".zst"}
STAMP = "????????T?????????Z"
"""Of one that was put aside, as a pattern: another sink's file may begin with the same name."""
BLOCK = 1 << 20


class FileSettings(sink.Settings):
    """What is said of a file."""

    path: Path = Field(description="The file that is written, relative to the configuration file.")
    rotate_bytes: int = Field(100 << 20, ge=4096, description="Size in bytes at which a new one is begun.")
    rotate_seconds: int | None = Field(
        86400, ge=60, description="Seconds, by the clock, after which a new one is begun: `86400` at midnight, in UTC."
    )
    compress: Literal["none", "gzip", "zstd"] = Field("gzip", description="How the older ones are compressed.")
    keep: int | None = Field(None, ge=1, description="How many of the older ones are kept. Left out: all.")


class File(Sink):
    """Ends with whole lines, whatever was killed: what is torn is cut off, and written anew."""

    Settings = FileSettings

    def __init__(self, settings: FileSettings) -> None:
        super().__init__(settings)
        self._path: Path = settings.path
        self._file: IO[bytes] | None = None

    def send(self, batch: Batch) -> None:
        file = self._opened(time.time())
        file.write(b"".join(_line(item.line) for item in batch.items))
        file.flush()
        os.fsync(file.fileno())

    def close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _opened(self, now: float) -> IO[bytes]:
        if self._file is not None and os.fstat(self._file.fileno()).st_nlink and not self._full(now):
            return self._file
        self.close()
        self._path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        if self._path.exists():
            _mend(self._path)
            if self._full(now):
                self._rotate(now)
        self._compress()
        self._file = os.fdopen(os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640), "wb")
        return self._file

    def _full(self, now: float) -> bool:
        found, every = self._path.stat(), self.settings.rotate_seconds
        if not found.st_size:
            return False
        return found.st_size >= self.settings.rotate_bytes or (
            every is not None and int(now // every) > int(found.st_mtime // every)
        )

    def _rotate(self, now: float) -> None:
        """Under its time; a millisecond later where there is one of that name, as a clock may be set back."""
        end = len(self._path.stem) + 1 + len(STAMP)
        taken = {path.name[:end] for path in self._older()}
        milliseconds = int(now * 1000)
        while (name := f"{self._path.stem}-{_stamp(milliseconds)}") in taken:
            milliseconds += 1
        self._path.rename(self._path.with_name(name + self._path.suffix))

    def _older(self) -> list[Path]:
        """In order of their time, compressed or not."""
        pattern = f"{escape(self._path.stem)}-{STAMP}{escape(self._path.suffix)}"
        found = [path for end in SUFFIX.values() for path in self._path.parent.glob(pattern + end)]
        return sorted(found)

    def _compress(self) -> None:
        """What is not compressed yet, or was not when a process was killed; then delete what is too many."""
        end = SUFFIX[self.settings.compress]
        for path in self._older() if end else ():
            if path.suffix == self._path.suffix:
                new = path.with_name(f"{path.name}{end}.new")
                with path.open("rb") as read, new.open("wb") as file, _packed(file, self.settings.compress) as into:
                    shutil.copyfileobj(read, into, BLOCK)
                new.rename(path.with_name(path.name + end))
                path.unlink()
        for path in self._older()[: -self.settings.keep] if self.settings.keep else ():
            path.unlink()


def _stamp(milliseconds: int) -> str:
    return time.strftime("%Y%m%dT%H%M%S", time.gmtime(milliseconds // 1000)) + f"{milliseconds % 1000:03d}Z"


def _packed(file: IO[bytes], how: str) -> AbstractContextManager[Any]:
    if how == "gzip":
        return gzip.GzipFile(fileobj=file, mode="wb")
    return zstandard.ZstdCompressor().stream_writer(file)


def _line(line: bytes) -> bytes:
    """Safe on a terminal: JSON spells out control characters below 32, and this the others."""
    return json_safe(line.decode()).encode() + b"\n"


def _mend(path: Path) -> None:
    """Cut off a line that was not written to its end."""
    with path.open("r+b") as file:
        size = end = file.seek(0, os.SEEK_END)
        while end:
            start = max(0, end - BLOCK)
            file.seek(start)
            cut = file.read(end - start).rfind(b"\n")
            if cut >= 0:
                end = start + cut + 1
                break
            end = start
        if end < size:
            file.truncate(end)
