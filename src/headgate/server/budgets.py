"""What was used of limits, over a restart: a checkpoint of the counters, and the records that were written after it."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from headgate.core.limits.ledger import Ledger
from headgate.core.limits.meter import Meter
from headgate.core.limits.rule import BETWEEN, Rule, prefix
from headgate.journal.journal import Journal
from headgate.journal.segments import segments

log = logging.getLogger("headgate.server")

FILE = "limits.json"
"""In the data directory."""
EVERY = 15.0
"""Seconds between two checkpoints."""
NEEDLE = b'"counted":{'


class Counted(msgspec.Struct):
    """What a record says of limits."""

    time: float
    counted: dict[str, int] = {}


_decode = msgspec.json.Decoder(Counted).decode


class Budgets:
    """Of one process that counts by itself; where several share their counters, these outlive each of them."""

    def __init__(self, data_dir: Path, ledger: Ledger, journal: Journal) -> None:
        self._path = data_dir / FILE
        self._folder = data_dir / "journal"
        self._ledger = ledger
        self._journal = journal
        self._saved = ""

    def load(self, rules: Sequence[Rule]) -> None:
        """Count what was used in windows that are still in force."""
        now = self._ledger.clock()
        meters = {prefix(rule.meter): rule.meter for rule in rules}
        starts = [meter.window.at(now.wall)[0] for meter in meters.values() if meter.window is not None]
        if not starts:
            return
        before = self._checkpoint()
        read: dict[str, int] = before.get("read", {})
        for counter, start, used in before.get("counters", ()):
            self._add(meters, counter, start, used)
        for segment in segments(self._folder):
            offset = read.get(segment.path.name, 0)
            for record in _after(segment.path, offset, min(starts)):
                for counter, used in record.counted.items():
                    meter = _meter(meters, counter)
                    if meter is not None and meter.window is not None:
                        self._add(meters, counter, meter.window.start(record.time), used)

    def _add(self, meters: dict[str, Meter], counter: str, start: float, used: int) -> None:
        meter = _meter(meters, counter)
        if meter is not None:
            self._ledger.own.add(meter, counter, start, used, self._ledger.clock())

    async def run(self) -> None:
        """Until cancelled: a checkpoint now and then, so that a start has few records to read."""
        while True:
            await asyncio.sleep(EVERY)
            self.save()

    def save(self) -> None:
        """A checkpoint, in one step. The counters and how far they have been written belong together, so that nothing
        may happen in between."""
        if not self._journal.healthy():
            return
        counters = [[each.counter, each.start, each.used] for each in self._ledger.own.dump()]
        if not counters:
            return
        sizes = {}
        for segment in segments(self._folder):
            with suppress(OSError):
                sizes[segment.path.name] = segment.path.stat().st_size
        text = json.dumps({"counters": counters, "read": sizes})
        if text == self._saved:
            return
        new = self._path.with_suffix(f".{os.getpid()}.new")
        try:
            new.write_text(text, "utf-8")
            new.replace(self._path)
            self._saved = text
        except OSError as error:
            log.warning("what is used of limits is not kept: %s", error.strerror)

    def _checkpoint(self) -> dict[str, Any]:
        try:
            found = json.loads(self._path.read_text("utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            log.warning("%s is not read, the records are: %s", self._path.name, error)
            return {}
        return found if isinstance(found, dict) else {}


def _meter(meters: dict[str, Meter], counter: str) -> Meter | None:
    """The meter of a counter, whose name begins with its prefix; a limit of that name may be another one by now."""
    return meters.get(BETWEEN.join(counter.split(BETWEEN)[:2]))


def _after(path: Path, offset: int, since: float) -> Iterator[Counted]:
    """The records behind an offset that came in since a moment; a line that is damaged is passed over."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            for line in file:
                if NEEDLE in line:
                    with suppress(msgspec.DecodeError, UnicodeDecodeError):
                        record = _decode(line)
                        if record.time >= since:
                            yield record
    except FileNotFoundError:
        return
