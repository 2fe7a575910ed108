"""Keeps the drain running beside the gateway: the process that brings records from the journal into their database."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from headgate.journal.segments import Positions
from headgate.records import status
from headgate.records.drain import Settings
from headgate.server.beside import Beside
from headgate.server.lifecycle import Lifecycle
from headgate.telemetry.metrics import Read


class Drain(Beside):
    """See records/drain.py."""

    def __init__(self, data_dir: Path, url: str, lifecycle: Lifecycle) -> None:
        settings = Settings(str(data_dir), url)
        super().__init__("headgate.records.drain", settings, "brings records into the database", lifecycle)


def elsewhere(data_dir: Path) -> Callable[[], Positions]:
    """What gives up to where each segment is in the database."""
    return lambda: status.load(data_dir).positions


def watched(data_dir: Path) -> dict[str, Read]:
    """By the metric's name."""
    folder = data_dir / "journal"

    def behind() -> tuple[int, float]:
        return status.behind(folder, status.load(data_dir).positions, time.time())

    return {
        "headgate_records_behind_bytes": lambda: behind()[0],
        "headgate_records_behind_seconds": lambda: behind()[1],
        "headgate_records_drained": lambda: status.load(data_dir).drained,
        "headgate_records_failures": lambda: status.load(data_dir).failures,
        "headgate_records_unfit": lambda: status.load(data_dir).unfit,
        "headgate_records_away": lambda: float(status.load(data_dir).away is not None),
    }
