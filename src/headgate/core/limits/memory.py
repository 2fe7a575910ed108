"""Counters of one process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from math import inf
from typing import NamedTuple

from headgate.core.limits.meter import Demand, Denied, Hold, Level, Meter, Now

MANY = 10_000
"""Counters from which on those at rest are looked for, whenever there are twice as many as were left."""
ROUNDING = 1e-3
"""Part of one that clocks may be wrong by: a burst of twenty is twenty, not nineteen."""


class Settled(NamedTuple):
    """What was used of a counter in the window that began then."""

    counter: str
    start: float
    used: int


class Counter:
    """Used and held, of the window in force; `due` is when a burst will be whole again, on the steady clock."""

    __slots__ = ("due", "end", "held", "name", "start", "used", "waiting", "warned")

    def __init__(self, name: str) -> None:
        self.name = name
        self.start = self.end = 0.0
        self.used = self.held = 0
        self.due = 0.0
        self.warned = -1.0
        self.waiting: Callable[[], None] | None = None
        """Called when room was given back."""


class MemoryCounters:
    """Exact, as all of it happens between two steps of one event loop."""

    def __init__(self) -> None:
        self._counters: dict[str, Counter] = {}
        self._sweep_at = MANY

    async def reserve(self, demands: Sequence[Demand], now: Now) -> Hold | Denied:
        counters = [self._counter(demand.counter, demand.meter, now) for demand in demands]
        denied: Denied | None = None
        for demand, counter in zip(demands, counters, strict=True):
            found = _denied(demand, counter, now)
            if found is not None and (denied is None or (found.never, found.after) > (denied.never, denied.after)):
                denied = found
        if denied is not None:
            levels = [_level(demand.meter, counter, now) for demand, counter in zip(demands, counters, strict=True)]
            return Denied(denied.demand, denied.left, denied.after, denied.never, levels)
        held, levels, warned = [], [], []
        for (meter, _, amount, _), counter in zip(demands, counters, strict=True):
            if meter.burst is not None:
                counter.due = max(counter.due, now.steady) + amount * meter.each
            else:
                counter.held += amount
            held.append((counter, counter.start, amount))
            level = _level(meter, counter, now)
            levels.append(level)
            if meter.warn is not None and counter.warned != counter.start:
                whole = meter.most
                if whole - level.left >= meter.warn * whole:
                    counter.warned = counter.start
                    warned.append(level)
        return Hold(levels, warned, held)

    def settle(self, hold: Hold, amounts: Sequence[int], now: Now) -> None:
        held, hold.held = hold.held, ()
        for (counter, start, amount), true, level in zip(held, amounts, hold.levels, strict=bool(held)):
            assert isinstance(counter, Counter)
            meter = level.meter
            if meter.burst is not None:
                counter.due += (true - amount) * meter.each
            elif counter.start == start:  # else its window is over, and what follows has nothing of it
                counter.held -= amount
                if meter.window is not None:
                    counter.used += true
            if counter.waiting is not None and true < amount:
                counter.waiting()

    def counter(self, demand: Demand, now: Now) -> Counter:
        """As it is now."""
        return self._counter(demand.counter, demand.meter, now)

    def dump(self) -> Iterator[Settled]:
        """What was used in windows that are longer than a restart takes."""
        for name, counter in self._counters.items():
            if counter.used and counter.end - counter.start > 60:
                yield Settled(name, counter.start, counter.used)

    def standing(self, now: Now) -> Iterator[tuple[str, int, int, float]]:
        """Name, used, held, and when its window ends, of those in force."""
        for name, counter in self._counters.items():
            if now.wall < counter.end and (counter.used or counter.held):
                yield name, counter.used, counter.held, counter.end

    def add(self, meter: Meter, name: str, start: float, used: int, now: Now) -> None:
        """What was used before, as a dump or a record says; of a window that is over, nothing."""
        counter = self._counter(name, meter, now)
        if counter.start == start:
            counter.used += used

    def _counter(self, name: str, meter: Meter, now: Now) -> Counter:
        counter = self._counters.get(name)
        if counter is None:
            if len(self._counters) >= self._sweep_at:
                self._sweep(now)
            counter = self._counters[name] = Counter(name)
        if meter.window is not None and meter.burst is None and now.wall >= counter.end:
            # only forward: a clock that is put back gives nobody anything anew
            counter.start, counter.end = meter.window.at(now.wall)
            counter.used = counter.held = 0
        return counter

    def _sweep(self, now: Now) -> None:
        """Forget those that a new one would be no different from."""
        self._counters = {
            name: counter
            for name, counter in self._counters.items()
            if now.wall < counter.end or now.steady < counter.due or (counter.end == 0.0 and counter.held)
        }
        self._sweep_at = max(MANY, 2 * len(self._counters))


def _denied(demand: Demand, counter: Counter, now: Now) -> Denied | None:
    meter, amount = demand.meter, demand.amount
    if not demand.firm:
        return None
    if meter.burst is not None:
        wait = max(counter.due - now.steady, 0.0) + (amount - meter.burst - ROUNDING) * meter.each
        if wait <= 0:
            return None
        return Denied(demand, _level(meter, counter, now).left, wait, amount > meter.burst)
    left = meter.amount - counter.used - counter.held
    if amount <= left or amount == 0:  # what costs nothing may go on when all is spent
        return None
    after = counter.end - now.wall if meter.window is not None else inf
    return Denied(demand, max(left, 0), after, amount > meter.amount)


def _level(meter: Meter, counter: Counter, now: Now) -> Level:
    if meter.burst is not None:
        full = max(counter.due - now.steady, 0.0)
        return Level(meter, max(int(meter.burst - full / meter.each + ROUNDING), 0), full)
    left = max(meter.amount - counter.used - counter.held, 0)
    return Level(meter, left, max(counter.end - now.wall, 0.0) if meter.window is not None else inf)
