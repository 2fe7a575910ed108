"""Keeps the dispatch running beside the gateway, the process that sends records to sinks, and tells how far it is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import msgspec

from headgate.config.load import Loaded
from headgate.config.sinks import sending
from headgate.records import progress, status
from headgate.records.dispatch import Settings
from headgate.records.progress import Progress
from headgate.server.beside import Beside
from headgate.server.lifecycle import Lifecycle
from headgate.telemetry.metrics import Read


class Gateway(Protocol):
    """The serving process."""

    loaded: Loaded
    started_with: Loaded


class Dispatch(Beside):
    """Where there are sinks; anew when they are others, or told other things. See records/dispatch.py."""

    def __init__(self, gateway: Gateway, lifecycle: Lifecycle) -> None:
        self._gateway = gateway
        self._told = self._now()
        self._changed = asyncio.Event()
        super().__init__("headgate.records.dispatch", self._told, "sends records to sinks", lifecycle)

    def changed(self) -> None:
        """The configuration is another now."""
        self._changed.set()

    async def wanted(self) -> None:
        """Without sinks, nothing in the journal is kept for any."""
        self.dismissed = False
        while not (told := self._now()).sinks:
            with suppress(OSError):
                await asyncio.to_thread(progress.keep_only, Path(told.data_dir), ())
            self._changed.clear()
            await self._changed.wait()

    def first(self) -> bytes:
        self._told = self._now()
        return msgspec.json.encode(self._told) + b"\n"

    async def tell(self, stdin: asyncio.StreamWriter) -> None:
        """That it is to end, when it is to be another; it sends what there is before."""
        while self._now() == self._told:
            self._changed.clear()
            await self._changed.wait()
        self.dismissed = True
        stdin.close()

    def _now(self) -> Settings:
        return sending(self._gateway.started_with.config.data_dir, self._gateway.loaded.config.records.sinks)


def watched(data_dir: Path, names: Callable[[], Sequence[str]]) -> dict[str, Read]:
    """Of each sink, by the metric's name."""

    def each(value: Callable[[Progress], float]) -> Read:
        return lambda: {(name,): value(progress.load(data_dir, name)) for name in names()}

    def behind(found: Progress) -> tuple[int, float]:
        return status.behind(data_dir / "journal", found.positions, time.time())

    return {
        "headgate_sink_delivered": each(lambda found: found.delivered),
        "headgate_sink_failures": each(lambda found: found.failures),
        "headgate_sink_unfit": each(lambda found: found.unfit),
        "headgate_sink_lost_bytes": each(lambda found: found.lost_bytes),
        "headgate_sink_away": each(lambda found: float(found.away is not None)),
        "headgate_sink_behind_bytes": each(lambda found: behind(found)[0]),
        "headgate_sink_behind_seconds": each(lambda found: behind(found)[1]),
    }
