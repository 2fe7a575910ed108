"""What the drain tells of itself: a small file that it writes in one step, read for metrics and by the journal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import msgspec

from headgate.journal.segments import Positions, segments

FILE = Path("run") / "drain.json"
"""In the data directory."""
_HEAD = 1 << 16


class Status(msgspec.Struct):
    """Counts are since the drain was started."""

    positions: dict[str, int] = {}
    """How far each segment has been brought into the database."""
    drained: int = 0
    failures: int = 0
    """Times that the database did not take records."""
    unfit: int = 0
    """Records that cannot be brought there: their lines are damaged, or it refuses them."""
    lost: int = 0
    """Payloads that there was no room for."""
    away: str | None = None
    """Why the database takes no records now."""


class _Times(msgspec.Struct):
    time: float = 0.0
    duration: float = 0.0


_times = msgspec.json.Decoder(_Times).decode


def load(data_dir: Path, file: Path = FILE) -> Status:
    """An empty one where there is none."""
    try:
        return msgspec.json.decode((data_dir / file).read_bytes(), type=Status)
    except (OSError, msgspec.DecodeError):
        return Status()


def save(data_dir: Path, status: Status, file: Path = FILE) -> None:
    """Raises OSError."""
    path = data_dir / file
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    new = path.with_suffix(f".{os.getpid()}.new")
    new.write_bytes(msgspec.json.encode(status))
    new.replace(path)


def behind(folder: Path, positions: Positions, now: float) -> tuple[int, float]:
    """Bytes of the journal in `folder` that are not in the database, and the age in seconds of the oldest of them."""
    total, oldest = 0, 0.0
    for path, start, end in undrained(folder, positions):
        if not total:
            oldest = max(now - _finished(path, start, now), 0.0)
        total += end - start
    return total, oldest


def undrained(folder: Path, positions: Positions) -> Iterator[tuple[Path, int, int]]:
    """Segments with more in them than is in the database, from where to where, in their order."""
    for segment in segments(folder):
        with suppress(FileNotFoundError):
            size, start = segment.path.stat().st_size, positions.get(segment.path.name, 0)
            if size > start:
                yield segment.path, start, size


def _finished(path: Path, start: int, now: float) -> float:
    """When the request of the line at `start` was over; `now` where it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(start)
            found = _times(file.readline(_HEAD))
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return now
    return found.time + found.duration
