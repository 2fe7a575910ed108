"""Keeps the dispatch running beside the gateway, the process that sends records to sinks, and tells how far it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from headgate.records import progress, status
from headgate.records.dispatch import Settings
from headgate.records.progress import Progress
from headgate.server.beside import Beside
from headgate.server.lifecycle import Lifecycle
from headgate.telemetry.metrics import Read


def dispatch(settings: Settings, lifecycle: Lifecycle) -> Beside | None:
    """None where there are no sinks: nothing in the journal is kept for any."""
    if settings.sinks:
        return Beside("headgate.records.dispatch", settings, "sends records to sinks", lifecycle)
    with suppress(OSError):
        progress.keep_only(Path(settings.data_dir), ())
    return None


def watched(data_dir: Path, names: Sequence[str]) -> dict[str, Read]:
    """Of each sink, by the metric's name."""

    def each(value: Callable[[Progress], float]) -> Read:
        return lambda: {(name,): value(progress.load(data_dir, name)) for name in names}

    def behind(found: Progress) -> tuple[int, float]:
        return status.behind(data_dir / "journal", found.positions, time.time())

    if not names:
        return {}
    return {
        "headgate_sink_delivered": each(lambda found: found.delivered),
        "headgate_sink_failures": each(lambda found: found.failures),
        "headgate_sink_unfit": each(lambda found: found.unfit),
        "headgate_sink_lost_bytes": each(lambda found: found.lost_bytes),
        "headgate_sink_away": each(lambda found: float(found.away is not None)),
        "headgate_sink_behind_bytes": each(lambda found: behind(found)[0]),
        "headgate_sink_behind_seconds": each(lambda found: behind(found)[1]),
    }
