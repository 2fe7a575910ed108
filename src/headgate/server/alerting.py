"""Keeps the process that watches running where alerts are configured, and tells it of the configuration and metrics."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import msgspec

from headgate.alerts import saying
from headgate.alerts.hearing import Begin, Now, Samples
from headgate.alerts.rule import Told
from headgate.config import alerts, stored
from headgate.config.load import Loaded, places_of
from headgate.core.limits.ledger import Ledger
from headgate.records.drain import source
from headgate.server.beside import Beside
from headgate.server.lifecycle import Lifecycle
from headgate.server.measured import Measured
from headgate.telemetry.metrics import Metrics, Read
from headgate.telemetry.workers import Workers


class Gateway(Protocol):
    """The serving process."""

    loaded: Loaded
    started_with: Loaded
    ledger: Ledger
    metrics: Metrics
    shared: Workers | None


class Alerting(Beside):
    """Of one worker, for all of a data directory. See alerts/watcher.py."""

    def __init__(self, gateway: Gateway, lifecycle: Lifecycle) -> None:
        super().__init__("headgate.alerts.watcher", Told(), "watches for alerts", lifecycle)
        self._gateway = gateway
        self._measured = Measured(gateway)
        self._changed = asyncio.Event()

    def changed(self) -> None:
        """The configuration is another now."""
        self._changed.set()

    async def wanted(self) -> None:
        self.dismissed = False
        while not self._told().rules:
            self._changed.clear()
            await self._changed.wait()

    def first(self) -> bytes:
        loaded, config = self._gateway.loaded, self._gateway.started_with.config
        url = config.store.url.get_secret_value() if config.store.url else None
        begin = Begin(
            str(config.data_dir),
            stored.url(config.data_dir, url),
            places_of(config).records,
            source(config.data_dir),
            config.alerting.instance or socket.gethostname(),
            [str(loaded.path.parent)] if loaded.path is not None else [],
        )
        return msgspec.json.encode(begin) + b"\n"

    async def tell(self, stdin: asyncio.StreamWriter) -> None:
        """What the configuration says, and how the metrics are, again and again."""
        known: bytes | None = None
        with suppress(ConnectionError):  # its end is noticed elsewhere
            while True:
                self._changed.clear()
                told = self._told()
                now = msgspec.json.encode(Now(told)) + b"\n"
                if now != known:
                    stdin.write(now)
                    known = now
                if not told.rules:
                    self.dismissed = True
                    stdin.close()
                    return
                measured = await self._measured.samples({rule.measure for rule in told.rules})
                stdin.write(msgspec.json.encode(Samples(measured)) + b"\n")
                await stdin.drain()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), told.every)

    def _told(self) -> Told:
        loaded = self._gateway.loaded
        return alerts.watched(loaded.config, loaded.merged.stored, loaded.config.upstream.ca_file)


def watched(data_dir: Path) -> dict[str, Read]:
    """By the metric's name."""

    def each(read: Callable[[saying.Status], dict[str, int]]) -> Read:
        return lambda: {(name,): count for name, count in read(saying.load(data_dir)).items()}

    return {
        "headgate_alerts_firing": lambda: {
            (rule, severity): count for rule, severity, count in saying.load(data_dir).firing
        },
        "headgate_alert_messages": each(lambda status: status.sent),
        "headgate_alert_failures": each(lambda status: status.failed),
        "headgate_alert_waiting": lambda: saying.load(data_dir).waiting,
        "headgate_alerts_away": lambda: float(saying.load(data_dir).away is not None),
    }
