"""A circuit breaker: whether a target may be asked. Its every method is told the time, `time.monotonic()` seconds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol

State = Literal["closed", "open", "half_open"]


@dataclass(slots=True, frozen=True)
class Trip:
    """When a breaker opens, and for how long."""

    failures: int = 5
    """In a row: then the target is taken for broken, and is not asked also where there is no other."""
    error_rate: float = 0.5
    """Share of failures within thirty seconds: then others are preferred."""
    slow_rate: float = 0.5
    """Share of answers that took longer than the target's `slow_after`: then others are preferred."""
    least: int = 10
    """Answers and failures without which no share is believed."""
    rest: float = 5.0
    """Seconds it stays open; doubled each time a probe fails."""
    most_rest: float = 120.0


NEVER = Trip(failures=1 << 60, error_rate=2.0, slow_rate=2.0)


class Watcher(Protocol):
    """Who wants to hear of a breaker; its methods return at once."""

    def moved(self) -> None:
        """It has opened, opened again, or closed."""

    def wanted(self) -> None:
        """A request would be the probe, but that is another process's to send."""


class Breaker:
    """Closed: everything passes. Open: nothing does for a while. Then half open: one request at a time is let through
    as a probe, and closes it or opens it again (https://martinfowler.com/bliki/CircuitBreaker.html).

    `firm` where it opened because of failures in a row; else it is only a reason to prefer others.
    """

    __slots__ = ("claims", "firm", "opened", "ours", "probes", "probing", "row", "trip", "until", "watcher", "why")

    def __init__(self, trip: Trip) -> None:
        self.trip = trip
        self.row = 0
        """Failures since the last answer."""
        self.until = 0.0
        """When its rest is over; 0.0: it is closed."""
        self.firm = False
        self.why = ""
        self.probing = False
        self.claims = 0
        """How often a request was made the probe: the number of the latest."""
        self.opened = 0
        """How often it has."""
        self.probes = 0
        """That failed since it was closed last."""
        self.ours = math.inf
        """Until when it is for this process to send the probe; of one that shares no state it always is."""
        self.watcher: Watcher | None = None

    def configure(self, trip: Trip) -> None:
        """A configuration is applied; one that wants no breakers closes them."""
        self.trip = trip
        if trip is NEVER and self.until:
            self.close()

    def state(self, now: float) -> State:
        if not self.until:
            return "closed"
        return "open" if now < self.until else "half_open"

    def allows(self, now: float, *, wanted: bool = True) -> bool:
        """Whether a request may be let through, as a probe where it is half open. Not `wanted` where there will be
        none."""
        if not self.until:
            return True
        if now < self.until or self.probing:
            return False
        if now < self.ours:
            return True
        if wanted and self.watcher is not None:
            self.watcher.wanted()
        return False

    def claim(self, now: float) -> int:
        """Make the request that is about to be sent the probe; gives its number, 0 where it is none."""
        if not self.until or now < self.until or self.probing or now >= self.ours:
            return 0
        self.probing = True
        self.claims += 1
        return self.claims

    def release(self, probe: int) -> None:
        """The probe told nothing: its client went away, or it was never sent."""
        if probe == self.claims:
            self.probing = False

    def succeeded(self, probe: int) -> bool:
        """An answer came in time; True where that closes the breaker."""
        self.row = 0
        if not probe:
            return False
        if self.until:
            self.close()
            self._tell()
        return True

    def failed(self, now: float, probe: int, why: str, share: float | None, *, certain: bool = True) -> None:
        """`share` of failures in the window, None where there are too few to tell. Failures that are not `certain` are
        none of those in a row."""
        self.row += certain
        if probe == self.claims and probe and self.until:  # it may have been closed meanwhile, and opened again
            self._reopen(now, why)
        elif self.until:
            return  # it was sent before the breaker opened
        elif self.row >= self.trip.failures:
            self.open(now, f"{self.row} failures in a row, the last: {why}", firm=True)
        elif share is not None and share >= self.trip.error_rate:
            self.open(now, f"{share:.0%} of its answers were failures, the last: {why}", firm=False)

    def slow(self, now: float, probe: int, why: str, share: float | None) -> None:
        """An answer came, but too late."""
        self.row = 0
        if probe == self.claims and probe and self.until:
            self._reopen(now, why)
        elif not self.until and share is not None and share >= self.trip.slow_rate:
            self.open(now, f"{share:.0%} of its answers were slow, the last: {why}", firm=False)

    def open(self, now: float, why: str, *, firm: bool) -> None:
        self.why, self.firm = why, firm
        self.until = now + self.trip.rest
        self.opened += 1
        self.probes = 0
        self._tell()

    def close(self) -> None:
        self.until, self.why, self.firm = 0.0, "", False
        self.probing = False
        self.row = self.probes = 0
        self.ours = math.inf

    def adopt(self, until: float, why: str, *, firm: bool, probes: int) -> None:
        """Another process has opened it, or has sent a probe that failed."""
        self.until, self.why, self.firm, self.probes = until, why, firm, probes

    def _reopen(self, now: float, why: str) -> None:
        self.probing = False
        self.probes += 1
        rest = min(self.trip.rest * 2.0 ** min(self.probes, 30), self.trip.most_rest)
        self.until = now + rest
        self.why = f"still failing after {self.probes} probe{'s' if self.probes > 1 else ''}, the last: {why}"
        self._tell()

    def _tell(self) -> None:
        if self.watcher is not None:
            self.watcher.moved()
