"""What a process knows of a counter that is kept elsewhere, and what it tells of it."""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

from headgate.core.limits.memory import Counter, MemoryCounters
from headgate.core.limits.meter import Meter, Now

MICRO = 1_000_000


class Mirror:
    """A counter as it stood when it was last heard of, and what this process has used of it."""

    __slots__ = ("counter", "holds", "key", "latest", "own", "seeded")

    def __init__(self, name: str, key: bytes) -> None:
        self.key = key
        self.counter = Counter(name)
        self.latest: Row | None = None
        """Of the latest window of which this process has used anything."""
        self.own = 0
        """Used by this process in that window, all in all."""
        self.holds = 0
        """Of this process, that are not settled."""
        self.seeded: MemoryCounters | None = None
        """Where it has been put in, to go on without the others."""

    def used(self, start: float) -> int:
        """By this process, in the window that began then, if that is the latest."""
        return self.own if self.latest is not None and start == self.latest.start else 0

    def add(self, row: Row, amount: int) -> None:
        if self.latest is None or row.start > self.latest.start:
            self.latest, self.own = row._replace(hold="", amount=0), 0
        if row.start == self.latest.start:
            self.own += amount
        if row.start == self.counter.start:
            self.counter.used += amount

    def idle(self, now: Now) -> bool:
        over = self.latest is None or now.wall >= self.latest.end
        return over and not self.holds and now.wall >= self.counter.end and now.steady >= self.counter.due


class Row(NamedTuple):
    """What a request wants of a counter, and later what is told of it: how much the hold holds by now, what this
    process has used."""

    mirror: Mirror
    meter: Meter
    start: float
    end: float
    hold: str = ""
    amount: int = 0
    """0: the hold is over."""
    more: float = 0.0
    """Of a rate: seconds by which it takes longer until all of it can be had."""

    def wanted(self, *, firm: bool) -> tuple[str | int, ...]:
        """As the script is asked for it."""
        meter = self.meter
        warn = "" if meter.warn is None else meter.most - ceil(meter.warn * meter.most)
        asked = (kind_of(meter), self.amount, int(firm), warn, meter.most)
        return (*asked, repr(meter.each)) if meter.burst is not None else (*asked, *self._window())

    def told(self) -> tuple[str | int, ...]:
        """As it is told to the script."""
        if self.meter.burst is not None:
            return ("r", repr(self.more))
        return (kind_of(self.meter), self.hold, self.amount, *self._window())

    def stands(self, answer: Answer, there: Now) -> Row:
        """Take over how the counter stands, by the server's clock; its window may be a later one than was thought."""
        counter, window = self.mirror.counter, self.meter.window
        if self.meter.burst is not None:
            counter.due = there.steady + float(answer.first)
            return self
        counter.used, counter.held = int(answer.first), int(answer.held)
        start, end = int(answer.start) / MICRO, self.end
        if window is not None and start != self.start:
            start, end = window.at(start)
        counter.start, counter.end = start, end
        return self._replace(start=start, end=end)

    def _window(self) -> tuple[int, int, int]:
        used = self.mirror.used(self.start) if self.meter.window is not None else 0
        return round(self.start * MICRO), round(self.end * MICRO), used


class Answer(NamedTuple):
    """How a counter stands, as the script tells."""

    first: bytes
    """What was used, or of a rate the seconds until all of it can be had."""
    held: bytes
    start: bytes
    flag: int
    """It has no room; or, where all have, there is to be a warning."""


def kind_of(meter: Meter) -> str:
    """As the script calls it."""
    if meter.burst is not None:
        return "r"
    return "w" if meter.window is not None else "c"
