"""What was used of limits, over a restart: a checkpoint of the counters, and the records that were written after it."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from headgate.core.limits.ledger import Ledger
from headgate.core.limits.meter import Meter, Now
from headgate.core.limits.rule import BETWEEN, Rule, prefix
from headgate.journal.journal import Journal
from headgate.journal.segments import segments

log = logging.getLogger("headgate.server")

FILE = "limits"
"""In the data directory, `.json`; of further workers with their numbers."""
EVERY = 15.0
"""Seconds between two checkpoints."""
NEEDLE = b'"counted":{'


class Counted(msgspec.Struct):
    """What a record says of limits."""

    time: float
    counted: dict[str, int] = {}


class Checkpoint(msgspec.Struct):
    """What counters stood at, and how far the records were written by then."""

    counters: list[tuple[str, float, int]] = []
    read: dict[str, int] = {}
    """Bytes of each segment."""
    era: str = ""


_decode = msgspec.json.Decoder(Counted).decode


class Budgets:
    """Of one process: where it counts by itself, what it has counted; where several share their counters, what it knows
    of those of all, in case the shared state is lost while nobody is there."""

    def __init__(self, data_dir: Path, ledger: Ledger, journal: Journal, worker: int = 0) -> None:
        self._path = data_dir / (f"{FILE}-{worker}.json" if worker else f"{FILE}.json")
        self._folder = data_dir / "journal"
        self._counters = ledger.counters
        self._clock = ledger.clock
        self._journal = journal
        self._saved = b""

    def load(self, rules: Sequence[Rule]) -> None:
        """Count what was used in windows that are still in force, by the checkpoint that knows of most."""
        now = self._clock()
        meters = {prefix(rule.meter): rule.meter for rule in rules if rule.meter.window is not None}
        if not meters:
            return
        most: dict[tuple[str, float], tuple[int, str]] = {}
        checkpoints = [_checkpoint(path) for path in sorted(self._path.parent.glob(f"{FILE}*.json"))]
        for checkpoint in checkpoints or [Checkpoint()]:
            for place, used in self._used(meters, checkpoint, now).items():
                most[place] = max(most.get(place, (0, "")), (used, checkpoint.era))
        for (counter, start), (used, era) in most.items():
            meter = _meter(meters, counter)
            if meter is not None:
                self._counters.add(meter, counter, start, used, now, era)

    def _used(self, meters: dict[str, Meter], checkpoint: Checkpoint, now: Now) -> dict[tuple[str, float], int]:
        """By counter and the beginning of its window: what a checkpoint says, and the records after it."""
        found = {(counter, start): used for counter, start, used in checkpoint.counters}
        since = min(meter.window.at(now.wall)[0] for meter in meters.values() if meter.window is not None)
        for segment in segments(self._folder):
            for record in _after(segment.path, checkpoint.read.get(segment.path.name, 0), since):
                for counter, used in record.counted.items():
                    meter = _meter(meters, counter)
                    if meter is not None and meter.window is not None:
                        place = counter, meter.window.start(record.time)
                        found[place] = found.get(place, 0) + used
        return found

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
        counters = [(each.counter, each.start, each.used) for each in self._counters.dump()]
        if not counters:
            return
        sizes = {}
        for segment in segments(self._folder):
            with suppress(OSError):
                sizes[segment.path.name] = segment.path.stat().st_size
        text = msgspec.json.encode(Checkpoint(counters, sizes, self._counters.era))
        if text == self._saved:
            return
        new = self._path.with_suffix(f".{os.getpid()}.new")
        try:
            new.write_bytes(text)
            new.replace(self._path)
            self._saved = text
        except OSError as error:
            log.warning("what is used of limits is not kept: %s", error.strerror)


def _checkpoint(path: Path) -> Checkpoint:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Checkpoint)
    except (OSError, ValueError) as error:
        log.warning("%s is not read, the records are: %s", path.name, error)
        return Checkpoint()


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
