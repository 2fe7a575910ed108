"""What the process that watches tells of itself: lines on its standard output, and a small file, read for metrics."""

from __future__ import annotations

import logging
import os
import sys
from contextlib import suppress
from pathlib import Path

import msgspec

from headgate.records.beside import Said

FILE = Path("run") / "alerts.json"
"""In the data directory."""


class Status(msgspec.Struct):
    """Counts are since the process was started."""

    firing: list[tuple[str, str, int]] = []
    """Rule, severity, how many alerts."""
    sent: dict[str, int] = {}
    """Messages by channel."""
    failed: dict[str, int] = {}
    """Tries that came to nothing."""
    waiting: int = 0
    """Notices that nobody has taken yet."""
    leading: bool = False
    away: str | None = None
    """Why the store cannot be asked."""


def load(data_dir: Path) -> Status:
    """An empty one where there is none."""
    try:
        return msgspec.json.decode((data_dir / FILE).read_bytes(), type=Status)
    except (OSError, msgspec.DecodeError):
        return Status()


def save(data_dir: Path, status: Status) -> None:
    """Raises OSError."""
    path = data_dir / FILE
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    new = path.with_suffix(f".{os.getpid()}.new")
    new.write_bytes(msgspec.json.encode(status))
    new.replace(path)


class Out(logging.Handler):
    """Log entries as lines that the gateway repeats in its own log."""

    def emit(self, record: logging.LogRecord) -> None:
        line = msgspec.json.encode(Said(record.levelname.lower(), record.getMessage()))
        with suppress(OSError):  # nobody listens any more
            sys.stdout.buffer.write(line + b"\n")
            sys.stdout.buffer.flush()
