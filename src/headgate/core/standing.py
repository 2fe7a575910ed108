"""How a target has done lately: what policies rank by, breakers trip on and pages show. One per target and process.

Every method is told the time, `time.monotonic()` seconds, so that tests and simulations have clocks of their own.
"""

from __future__ import annotations

import asyncio
import math
from bisect import bisect_left
from collections.abc import Collection
from typing import Protocol

from headgate.core.background import Background
from headgate.core.breaker import Breaker, Trip
from headgate.core.credential import Credential
from headgate.core.crowd import Crowd
from headgate.core.gate import Gate
from headgate.core.quality import Scores
from headgate.core.ratios import Ratios
from headgate.core.sliding import Sliding
from headgate.core.spaces import Spaces
from headgate.core.trial import Trials

FADING = 10.0
"""Seconds after which an average has forgotten all but 1/e of what it knew."""
FORGOTTEN = 100.0
"""Seconds of silence after which 1/e of an average is left."""
SLICE = 3.0
SLICES = 10
"""Outcomes are counted for the last thirty seconds, three at a time."""
BOUNDS = tuple(0.001 * 1.25**step for step in range(64))
"""Of durations, in seconds: a millisecond to twenty minutes, a quarter more each time."""
BUDGETED = 10.0
"""Seconds that a retry budget looks back."""
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

    def quantile(self, now: float, share: float, least: int = 1) -> float | None:
        """Seconds within which this share was, to a quarter; None where fewer than `least` are known."""
        self._slice(now)
        counts = [sum(column) for column in zip(*(row[2:] for row in self._slices if row), strict=True)]
        left = share * sum(counts)
        if sum(counts) < least:
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

    __slots__ = (
        "asked", "breaker", "denied", "first", "gate", "limited", "repeated", "repeats", "requests", "running",
        "streams", "target", "tokens", "total", "window",
    )  # fmt: skip

    def __init__(self, target: str, trip: Trip | None = None) -> None:
        self.target = target
        self.running = 0
        self.first = Average()
        """Seconds to the first frame of a stream."""
        self.total = Average()
        """Seconds to an answer's end."""
        self.window = Window()
        """All outcomes, and the durations of whole answers."""
        self.streams = Window()
        """Those of streams until their first piece."""
        self.breaker = Breaker(trip or Trip())
        self.gate: Gate | None = None
        """None: any number of requests at a time."""
        self.asked = Sliding(BUDGETED)
        self.repeated = Sliding(BUDGETED)
        """What a retry budget goes by: requests of the last seconds, and how many of them were repetitions."""
        self.repeats = self.denied = 0
        """Repetitions, and those that the budget did not allow, since the process began."""
        self.requests: Sliding | None = None
        self.tokens: Sliding | None = None
        self.limited = False
        """Requests and tokens of the last minute, and whether the configuration limits either."""

    def begun(self, now: float, *, again: bool = False, tokens: float = 0.0) -> None:
        """It is asked, about so many tokens; `again` where it has been for the same request."""
        self.running += 1
        (self.repeated if again else self.asked).add(now)
        self.repeats += again
        if self.requests is not None:
            self.requests.add(now)
        if self.tokens is not None:
            self.tokens.add(now, tokens)

    def unasked(self, now: float, *, again: bool = False, tokens: float = 0.0) -> None:
        """What `begun` said was not so: nothing was sent."""
        (self.repeated if again else self.asked).add(now, -1.0)
        self.repeats -= again
        if self.requests is not None:
            self.requests.add(now, -1.0)
        if self.tokens is not None:
            self.tokens.add(now, -tokens)

    def limit(self, concurrency: int | None, *, requests: bool, tokens: bool) -> None:
        """What the configuration limits from now on: requests at a time, and what is counted by the minute."""
        if concurrency is None:
            self.gate = None
        elif self.gate is None:
            self.gate = Gate(concurrency)
        else:
            self.gate.allow(concurrency)
        self.requests = (self.requests or Sliding(60.0, 60)) if requests else None
        self.tokens = (self.tokens or Sliding(60.0, 60)) if tokens else None
        self.limited = requests or tokens

    def may_repeat(self, now: float, share: float, least: int) -> bool:
        """Whether the retry budget has room: a share of the requests of the last seconds, and a few anyway."""
        allowed = self.repeated.sum(now) < max(least, share * self.asked.sum(now))
        self.denied += not allowed
        return allowed

    def answered(self, now: float, seconds: float, stream: bool, *, probe: int = 0, slow: float = math.inf) -> None:
        """The first piece is there: of a stream its first frame, else the whole of it. `slow`: seconds above which
        that was too late."""
        if stream:
            self.first.hear(seconds, now)
            self.streams.hear(now, seconds, failed=False)
        self.window.hear(now, None if stream else seconds, failed=False)
        if seconds > slow:
            heard, slower = (self.streams if stream else self.window).slower(now, slow)
            share = slower / heard if heard >= self.breaker.trip.least else None
            self.breaker.slow(now, probe, f"{seconds:.3g} s where {slow:g} s are allowed", share)
        elif (probe or self.breaker.row) and self.breaker.succeeded(probe):
            self.window.forget()
            self.streams.forget()

    def failed(
        self,
        now: float,
        why: str,
        seconds: float | None = None,
        *,
        stream: bool = False,
        probe: int = 0,
        certain: bool = True,
    ) -> None:
        """It did not come; `seconds` where the target was waited for in vain, which counts as its time. Not `certain`
        where it might have come later: that others are preferred is all that follows from such."""
        if seconds is not None:
            self.first.hear(seconds, now)
            self.total.hear(seconds, now)
        self.window.hear(now, None if stream else seconds, failed=True)
        if stream and seconds is not None:
            self.streams.hear(now, seconds, failed=True)
        answered, failed = self.window.counts(now)
        heard = answered + failed
        share = failed / heard if heard >= self.breaker.trip.least else None
        self.breaker.failed(now, probe, why, share, certain=certain)

    def ended(self, now: float, seconds: float | None) -> None:
        """The attempt is over; `seconds` of a reply that came to its end."""
        self.running -= 1
        if seconds is not None:
            self.total.hear(seconds, now)


class Newcomers(Protocol):
    """Who wants to hear of what is new on a board."""

    def standing(self, standing: Standing) -> None: ...

    def credential(self, credential: Credential) -> None: ...


class Board:
    """The standings of the targets of a process and of the providers' keys, kept when the configuration changes."""

    def __init__(self, most: int = 4000) -> None:
        """`most`: how many targets are remembered that only clients name."""
        self._most = most
        self._named: dict[str, Standing] = {}
        self._others: dict[str, Standing] = {}
        self._credentials: dict[tuple[str, str, str], Credential] = {}
        self.trip = Trip()
        self.trials = Trials()
        self.shadows, self.judging, self.refreshing = Background(), Background(), Background()
        self.spaces = Spaces()
        self._crowds: dict[tuple[str, int, float], Crowd] = {}
        self.ratios = Ratios()
        self._scores: dict[str, Scores] = {}
        self.limited: list[Standing] = []
        """Those of which the configuration limits what is counted by the minute."""
        self.doubted = asyncio.Event()
        """A provider did not take a key: whoever knows where it came from may ask there for another."""
        self.newcomers: Newcomers | None = None
        """None: this process keeps to what it finds out itself."""

    def standing(self, target: str, *, named: bool = False) -> Standing:
        """That of a target; `named`: by the configuration. Of those that clients name, as they may any model of a
        provider, the oldest is forgotten where there are too many."""
        found = self.known(target)
        if found is None:
            found = Standing(target, self.trip)
            if self.newcomers is not None:
                self.newcomers.standing(found)
        if named:
            self._named[target] = found
            self._others.pop(target, None)
        elif target not in self._named:
            self._keep(found)
        return found

    def crowd(self, policy: str, least: int, seconds: float) -> Crowd:
        """What a policy has seen."""
        found = self._crowds.get((policy, least, seconds))
        if found is None:
            found = self._crowds[policy, least, seconds] = Crowd(least, seconds)
        return found

    def scores(self, name: str) -> Scores:
        """How the answers of a name's targets are judged."""
        return self._scores.setdefault(name, Scores())

    def credential(self, provider: str, name: str, digest: str, *, enabled: bool, trusting: bool) -> Credential:
        """That of a key, known by its digest: another key under the same name starts anew."""
        found = self._credentials.get((provider, digest, name))
        if found is None:
            found = self._credentials[provider, digest, name] = Credential(provider, name, digest, self.doubted)
            if self.newcomers is not None:
                self.newcomers.credential(found)
        found.configure(enabled=enabled, trusting=trusting)
        return found

    def configure(self, trip: Trip, named: Collection[Standing], used: Collection[Credential]) -> None:
        """A configuration is applied: when breakers open, and which targets and keys it names; other keys are
        forgotten."""
        self.trip = trip
        for standing in self.all():
            standing.breaker.configure(trip)
        for target, standing in list(self._named.items()):
            if standing not in named:
                del self._named[target]
                self._keep(standing)
        self._credentials = {place: known for place, known in self._credentials.items() if known in used}

    def known(self, target: str) -> Standing | None:
        return self._named.get(target) or self._others.get(target)

    def all(self) -> list[Standing]:
        return [*self._named.values(), *self._others.values()]

    def credentials(self) -> list[Credential]:
        return list(self._credentials.values())

    def _keep(self, standing: Standing) -> None:
        if standing.target not in self._others and len(self._others) >= self._most:
            del self._others[next(iter(self._others))]
        self._others[standing.target] = standing
