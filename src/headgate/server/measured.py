"""What alerts go by beside requests: the metrics of this machine's processes, and what is used of limits."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Protocol

from headgate.alerts.hearing import SHARED, Sample
from headgate.config.load import Loaded
from headgate.core.limits.ledger import Ledger
from headgate.core.limits.meter import Meter
from headgate.core.limits.rule import BETWEEN, prefix
from headgate.runtime.build import limits_of
from headgate.telemetry.families import FAMILIES
from headgate.telemetry.metrics import Metrics, State, merged
from headgate.telemetry.workers import Workers

OWN = ("memory", "processor", "loop_lag")
LAG = "headgate_loop_lag_seconds"
MOST = 5000
"""Counters of limits that are looked at, the fullest first."""


class Gateway(Protocol):
    loaded: Loaded
    ledger: Ledger
    metrics: Metrics
    shared: Workers | None


class Measured:
    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._late: dict[str, tuple[float, int]] = {}
        """By worker: seconds that its event loop had been late in all, and in how many looks."""

    async def samples(self, wanted: Collection[str]) -> list[Sample]:
        """Of the measures that are `wanted`."""
        found = await asyncio.to_thread(lambda: list(self._of_processes(wanted)))
        if SHARED in wanted:
            found += await _of_limits(self._gateway)
        return found

    def _of_processes(self, wanted: Collection[str]) -> Iterator[Sample]:
        families = [FAMILIES[name] for name in wanted if name in FAMILIES]
        own = set(OWN) & set(wanted)
        if not families and not own:
            return
        shared = self._gateway.shared
        states = shared.states()[0] if shared is not None else [self._gateway.metrics.state()]
        series = merged(states, {})
        for family in families:
            for line in series.get(family.name, ()):
                labels = dict(zip(family.labels, line.labels, strict=True))
                yield Sample(family.name, labels, line.value, family.kind == "counter")
        for state in states if own else ():
            yield from _of_process(state)
            yield from self._of_loop(state)

    def _of_loop(self, state: State) -> Iterator[Sample]:
        """How late it was since the last look, on the average."""
        for line in state.series.get(LAG, ()):
            seconds, looks = self._late.get(state.run, (0.0, 0))
            now = (line.value, sum(line.counts))
            if now[1] > looks:
                yield Sample("loop_lag", {"worker": str(state.worker)}, (now[0] - seconds) / (now[1] - looks))
                self._late[state.run] = now


def _of_process(state: State) -> Iterator[Sample]:
    """Bytes of its memory, and seconds of a processor; nothing where there is no /proc."""
    labels = {"worker": str(state.worker)}
    place = Path(f"/proc/{state.pid or os.getpid()}")
    try:
        pages = int((place / "statm").read_text().split()[1])
        fields = (place / "stat").read_text().rpartition(")")[2].split()
    except (OSError, ValueError, IndexError):
        return
    yield Sample("memory", labels, pages * os.sysconf("SC_PAGE_SIZE"))
    yield Sample("processor", labels, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), counter=True)


async def _of_limits(gateway: Gateway) -> list[Sample]:
    """The share that is used of each counter."""
    meters = {prefix(rule.meter): rule.meter for rule in limits_of(gateway.loaded.config)}
    told = await gateway.ledger.told(gateway.ledger.clock(), MOST)
    found = []
    for each in told["items"]:
        meter = meters.get(BETWEEN.join(each["counter"].split(BETWEEN)[:2]))
        if meter is not None and meter.most:
            found.append(Sample(SHARED, _labels(each["limit"], meter, each["per"]), each["used"] / meter.most))
    return found


def _labels(limit: str, meter: Meter, per: Collection[str]) -> dict[str, str]:
    """`per` are texts like `team=research`."""
    whose = dict(each.split("=", 1) for each in per if "=" in each)
    return {"limit": limit, "what": meter.what, **whose}
