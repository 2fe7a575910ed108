"""How a target has done lately: what policies rank by, breakers trip on and pages show. One per target and process.

Every method is told the time, `time.monotonic()` seconds, so that tests and simulations have clocks of their own.
"""

from __future__ import annotations

import math
from bisect import bisect_left

FADING = 10.0
"""Seconds after which an average has forgotten all but 1/e of what it knew."""
FORGOTTEN = 100.0
"""Seconds of silence after which 1/e of an average is left."""
SLICE = 3.0
SLICES = 10
"""Outcomes are counted for the last thirty seconds, three at a time."""
BOUNDS = tuple(0.001 * 1.25**step for step in range(64))
"""Of durations, in seconds: a millisecond to twenty minutes, a quarter more each time."""


WIDTH = len(BOUNDS) + 3
"""Of a slice: how many were answered, how many failed, and of each duration."""


class Average:
    """Seconds as a moving average that believes bad news at once and good news by and by (peak EWMA, as in Finagle:
    https://twitter.github.io/finagle/docs/com/twitter/finagle/loadbalancer/PeakEwma). Nothing heard for long is
    forgotten, so that whoever was slow once is asked again."""

    __slots__ = ("_at", "_seconds", "fading")

    def __init__(self, fading: float = FADING) -> None:
        self.fading = fading
        self._seconds = 0.0
        self._at = 0.0

    def hear(self, seconds: float, now: float) -> None:
        faded = self.read(now)
        weight = 0.0 if self._at == 0.0 or seconds > faded else math.exp((self._at - now) / self.fading)
        self._seconds = self._seconds * weight + seconds * (1.0 - weight)
        self._at = now

    def read(self, now: float) -> float:
        """0.0 where nothing is known."""
        return self._seconds * math.exp((self._at - now) / FORGOTTEN) if self._seconds else 0.0


class Window:
    """Outcomes and durations of the last thirty seconds."""

    __slots__ = ("_begun", "_slices")

    def __init__(self) -> None:
        self._begun = 0
        self._slices: list[list[int]] = [[] for _ in range(SLICES)]

    def hear(self, now: float, seconds: float | None, *, failed: bool) -> None:
        """`seconds` to the first piece of the answer; None where there was none."""
        row = self._slice(now)
        if not row:
            row += [0] * WIDTH
        row[1 if failed else 0] += 1
        if seconds is not None:
            row[2 + bisect_left(BOUNDS, seconds)] += 1

    def counts(self, now: float) -> tuple[int, int]:
        """(answered, failed)."""
        self._slice(now)
        heard = [row for row in self._slices if row]
        return sum(row[0] for row in heard), sum(row[1] for row in heard)

    def slower(self, now: float, than: float) -> tuple[int, int]:
        """(all that have a duration, those that took longer)."""
        self._slice(now)
        first = 2 + bisect_left(BOUNDS, than) + 1
        return sum(sum(row[2:]) for row in self._slices), sum(sum(row[first:]) for row in self._slices)

    def quantile(self, now: float, share: float) -> float | None:
        """Seconds within which this share was, to a quarter; None where nothing is known."""
        self._slice(now)
        counts = [sum(column) for column in zip(*(row[2:] for row in self._slices if row), strict=True)]
        left = share * sum(counts)
        if not left:
            return None
        for bound, count in zip((*BOUNDS, math.inf), counts, strict=True):
            left -= count
            if left <= 0:
                return bound
        return math.inf

    def forget(self) -> None:
        for row in self._slices:
            row.clear()

    def _slice(self, now: float) -> list[int]:
        """That of this moment, with those emptied that time has passed."""
        number = int(now / SLICE)
        passed = number - self._begun
        if passed > 0:
            for step in range(min(passed, SLICES)):
                self._slices[(number - step) % SLICES].clear()
            self._begun = number
        return self._slices[number % SLICES]


class Standing:
    """`running` counts attempts from their start to the end of the reply they led to."""

    __slots__ = ("first", "running", "target", "total", "window")

    def __init__(self, target: str) -> None:
        self.target = target
        self.running = 0
        self.first = Average()
        """Seconds to the first frame of a stream."""
        self.total = Average()
        """Seconds to an answer's end."""
        self.window = Window()

    def begun(self) -> None:
        self.running += 1

    def answered(self, now: float, seconds: float, stream: bool) -> None:
        """The first piece is there: of a stream its first frame, else the whole of it."""
        if stream:
            self.first.hear(seconds, now)
        self.window.hear(now, seconds, failed=False)

    def failed(self, now: float, seconds: float | None = None) -> None:
        """It did not come; `seconds` where the target was waited for in vain, which counts as its time."""
        if seconds is not None:
            self.first.hear(seconds, now)
            self.total.hear(seconds, now)
        self.window.hear(now, seconds, failed=True)

    def ended(self, now: float, seconds: float | None) -> None:
        """The attempt is over; `seconds` of a reply that came to its end."""
        self.running -= 1
        if seconds is not None:
            self.total.hear(seconds, now)


class Board:
    """The standings of all targets of a process, kept when the configuration changes."""

    def __init__(self, most: int = 50_000) -> None:
        self._most = most
        self._standings: dict[str, Standing] = {}

    def standing(self, target: str) -> Standing:
        """Where there are too many, as clients may name any model of a provider, the oldest is forgotten."""
        found = self._standings.get(target)
        if found is None:
            if len(self._standings) >= self._most:
                del self._standings[next(iter(self._standings))]
            found = self._standings[target] = Standing(target)
        return found

    def all(self) -> list[Standing]:
        return list(self._standings.values())
