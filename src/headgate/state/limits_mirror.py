"""What a process knows of a counter that is kept elsewhere, and what it tells of it."""

from __future__ import annotations

from math import ceil
from typing import NamedTuple

from headgate.core.limits.memory import Counter, MemoryCounters
from headgate.core.limits.meter import Meter, Now

MICRO = 1_000_000
TURN = 3


class Mirror:
    """A counter as it stood when it was last heard of, and what this process has used of it."""

    __slots__ = ("counter", "holds", "key", "latest", "lost", "others", "own", "row", "seeded", "told")

    def __init__(self, name: str, key: bytes) -> None:
        self.key = key
        self.counter = Counter(name)
        self.latest: Row | None = None
        """Of the latest window of which this process has used anything."""
        self.own = 0
        """Used by this process in that window, all in all."""
        self.told = 0
        """Of that, what the server is known to know."""
        self.others = 0
        """Used by all others, as far as was heard in the window of `row`, the latest one that was."""
        self.row: Row | None = None
        self.lost: Lost | None = None
        """What is to be put back, as the server has lost it."""
        self.holds = 0
        """Of this process, that are not settled."""
        self.seeded: MemoryCounters | None = None
        """Where it has been put in, to go on without the others."""

    def used(self, start: float) -> int:
        """By this process, in the window that began then, if that is the latest."""
        return self.own if self.latest is not None and start == self.latest.start else 0

    def add(self, row: Row, amount: int) -> None:
        if self.latest is None or row.start > self.latest.start:
            self.latest, self.own, self.told = row._replace(hold="", amount=0), 0, 0
        if row.start == self.latest.start:
            self.own += amount
        if row.start == self.counter.start:
            self.counter.used += amount

    def heard(self, row: Row, used: int) -> None:
        """That so much was used by all, this process's part (`row.own`) with it."""
        self.row, self.others = row, max(used - row.own, 0)
        self.known(row)

    def known(self, row: Row) -> None:
        """The server knows what a row says."""
        if self.latest is not None and row.start == self.latest.start:
            self.told = max(self.told, row.own)
        if row.lost is not None and row.lost is self.lost:
            self.lost = None

    def remember(self, row: Row, used: int, *, lost: bool) -> None:
        """What all had used before this process was there; `lost`: what is kept now knows nothing of it."""
        if self.row is None or row.start > self.row.start:
            self.row, self.others = row, 0
        if row.start == self.row.start and used > self.others:
            self.others = used
            if lost:
                self.lost = Lost(row.start, 0, used)

    def lose(self) -> None:
        """The server has lost what it knew."""
        row, latest = self.row, self.latest
        if row is not None and (self.lost is None or self.lost.start != row.start):
            mine = latest is not None and latest.start == row.start
            self.lost = Lost(row.start, self.told if mine else 0, self.others)
        self.told = 0

    def news(self) -> Row | None:
        """What there is to tell a server that knows nothing of it."""
        row, latest = self.row, self.latest
        if latest is not None and (row is None or latest.start > row.start):
            row = latest
        return row._replace(hold="", amount=0) if row is not None else None

    def idle(self, now: Now) -> bool:
        over = self.latest is None or now.wall >= self.latest.end
        return over and not self.holds and now.wall >= self.counter.end and now.steady >= self.counter.due


class Lost(NamedTuple):
    """What was known of a counter before the server lost it."""

    start: float
    """Of its window."""
    base: int
    """Of what this process had used, what the server knew."""
    others: int
    """What all others had used, as far as this process knew."""


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
    own: int = 0
    """Used by this process in the window, when it is told."""
    lost: Lost | None = None

    def now(self) -> Row:
        """With what is to be told of it now."""
        mirror, window = self.mirror, self.meter.window
        if window is None or self.meter.burst is not None:
            return self
        own, lost = mirror.used(self.start), mirror.lost
        if lost is not None and lost.start != self.start:
            lost = None
        return self if own == self.own and lost is self.lost else self._replace(own=own, lost=lost)

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
        lost = self.lost[1:] if self.lost is not None else ("", "")
        return (kind_of(self.meter), self.hold, self.amount, *self._window(), *lost)

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
        row = self if start == self.start and end == self.end else self._replace(start=start, end=end, own=0)
        if window is not None:
            self.mirror.heard(row, counter.used)
        return row

    def _window(self) -> tuple[int, int, int]:
        return round(self.start * MICRO), round(self.end * MICRO), self.own


class Answer(NamedTuple):
    """How a counter stands, as the script tells."""

    first: bytes
    """What was used, or of a rate the seconds until all of it can be had."""
    held: bytes
    start: bytes
    flag: int
    """It has no room (`TURN`: while it is the turn of another process; more: of that one of those who wait here); or,
    where all have, there is to be a warning."""


def kind_of(meter: Meter) -> str:
    """As the script calls it."""
    if meter.burst is not None:
        return "r"
    return "w" if meter.window is not None else "c"
