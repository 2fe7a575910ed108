"""A circuit breaker: whether a target may be asked. Its every method is told the time, `time.monotonic()` seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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


class Breaker:
    """Closed: everything passes. Open: nothing does for a while. Then half open: one request at a time is let through
    as a probe, and closes it or opens it again (https://martinfowler.com/bliki/CircuitBreaker.html).

    `firm` where it opened because of failures in a row; else it is only a reason to prefer others.
    """

    __slots__ = ("_probes", "firm", "opened", "probing", "row", "trip", "until", "why")

    def __init__(self, trip: Trip) -> None:
        self.trip = trip
        self.row = 0
        """Failures since the last answer."""
        self.until = 0.0
        """When its rest is over; 0.0: it is closed."""
        self.firm = False
        self.why = ""
        self.probing = False
        self.opened = 0
        """How often it has."""
        self._probes = 0
        """That failed since it was closed last."""

    def configure(self, trip: Trip) -> None:
        """A configuration is applied; one that wants no breakers closes them."""
        self.trip = trip
        if trip is NEVER and self.until:
            self.close()

    def state(self, now: float) -> State:
        if not self.until:
            return "closed"
        return "open" if now < self.until else "half_open"

    def allows(self, now: float) -> bool:
        """Whether a request may be let through, as a probe where it is half open."""
        return not self.until or (now >= self.until and not self.probing)

    def claim(self, now: float) -> bool:
        """Make the request that is about to be sent the probe; False where it is none."""
        if not self.until or now < self.until or self.probing:
            return False
        self.probing = True
        return True

    def release(self) -> None:
        """The probe told nothing: its client went away, or it was never sent."""
        self.probing = False

    def succeeded(self, probe: bool) -> bool:
        """An answer came in time; True where that closes the breaker."""
        self.row = 0
        if not probe:
            return False
        self.close()
        return True

    def failed(self, now: float, probe: bool, why: str, share: float | None, *, certain: bool = True) -> None:
        """`share` of failures in the window, None where there are too few to tell. Failures that are not `certain` are
        none of those in a row."""
        self.row += certain
        if probe:
            self._reopen(now, why)
        elif self.until:
            return  # it was sent before the breaker opened
        elif self.row >= self.trip.failures:
            self.open(now, f"{self.row} failures in a row, the last: {why}", firm=True)
        elif share is not None and share >= self.trip.error_rate:
            self.open(now, f"{share:.0%} of its answers were failures, the last: {why}", firm=False)

    def slow(self, now: float, probe: bool, why: str, share: float | None) -> None:
        """An answer came, but too late."""
        self.row = 0
        if probe:
            self._reopen(now, why)
        elif not self.until and share is not None and share >= self.trip.slow_rate:
            self.open(now, f"{share:.0%} of its answers were slow, the last: {why}", firm=False)

    def open(self, now: float, why: str, *, firm: bool) -> None:
        self.why, self.firm = why, firm
        self.until = now + self.trip.rest
        self.opened += 1
        self._probes = 0

    def close(self) -> None:
        self.until, self.why, self.firm = 0.0, "", False
        self.probing = False
        self.row = self._probes = 0

    def _reopen(self, now: float, why: str) -> None:
        self.probing = False
        self._probes += 1
        rest = min(self.trip.rest * 2.0 ** min(self._probes, 30), self.trip.most_rest)
        self.until = now + rest
        self.why = f"still failing after {self._probes} probe{'s' if self._probes > 1 else ''}, the last: {why}"
