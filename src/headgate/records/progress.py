"""How far a sink is: a small file for each, written before and after a batch is sent, read for metrics and commands."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import msgspec

FOLDER = "sinks"
"""In the data directory."""


class Range(msgspec.Struct, array_like=True, frozen=True):
    """A piece of a segment, in bytes."""

    segment: str
    start: int
    end: int


class Progress(msgspec.Struct):
    """Of one sink; counts are since it was first there."""

    kind: str = ""
    positions: dict[str, int] = {}
    """How far each segment has been sent."""
    sending: Range | None = None
    """What is being sent: after a crash the same is sent again, so that it can be known as the same."""
    trying: Range | None = None
    """What is sent meanwhile, where all of that was refused."""
    delivered: int = 0
    skipped: int = 0
    """Records that it is not to get."""
    unfit: int = 0
    """Records that it does not take, or whose lines are damaged."""
    failures: int = 0
    """Times that it took nothing."""
    lost_bytes: int = 0
    """Of the journal, deleted before they were sent."""
    away: str | None = None
    """Why it takes nothing now."""
    since: float | None = None
    """From when on it has taken nothing, in Unix seconds."""


def file_of(data_dir: Path, name: str) -> Path:
    return data_dir / FOLDER / f"{name}.json"


def load(data_dir: Path, name: str) -> Progress:
    """An empty one where there is none, or a power cut has left nothing in it: all is sent again then."""
    return _read(file_of(data_dir, name)) or Progress()


def save(data_dir: Path, name: str, progress: Progress) -> None:
    """Raises OSError."""
    path = file_of(data_dir, name)
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    new = path.with_suffix(f".{os.getpid()}.new")
    new.write_bytes(msgspec.json.encode(progress))
    new.replace(path)


def every(data_dir: Path) -> dict[str, Progress]:
    """Those of all sinks there are, by name."""
    return {path.stem: _read(path) or Progress() for path in sorted((data_dir / FOLDER).glob("*.json"))}


def keep_only(data_dir: Path, names: Iterable[str]) -> None:
    """Forget sinks that are no more, for which nothing in the journal is to be kept. Raises OSError."""
    wanted = {file_of(data_dir, name) for name in names}
    for path in (data_dir / FOLDER).glob("*.json"):
        if path not in wanted:
            path.unlink(missing_ok=True)


def _read(path: Path) -> Progress | None:
    with suppress(OSError, msgspec.DecodeError):
        return msgspec.json.decode(path.read_bytes(), type=Progress)
    return None
