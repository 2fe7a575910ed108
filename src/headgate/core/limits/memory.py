"""Counters of one process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from math import inf

from headgate.core.limits.meter import Demand, Denied, Hold, Level, Meter, Now, Overview, Settled, Stands, Waiting

MANY = 10_000
"""Counters from which on those at rest are looked for, whenever there are twice as many as were left."""
ROUNDING = 1e-3
"""Part of one that clocks may be wrong by: a burst of twenty is twenty, not nineteen."""


class Counter:
    """Used and held, of the window in force; `due` is when a burst will be whole again, on the steady clock."""

    __slots__ = ("due", "end", "held", "name", "start", "used", "warned")

    def __init__(self, name: str) -> None:
        self.name = name
        self.start = self.end = 0.0
        self.used = self.held = 0
        self.due = 0.0
        self.warned = -1.0


class MemoryCounters:
    """Exact, as all of it happens between two steps of one event loop."""

    era = ""

    def __init__(self) -> None:
        self._counters: dict[str, Counter] = {}
        self._sweep_at = MANY

    async def reserve(self, demands: Sequence[Demand], now: Now, waiting: Waiting | None = None) -> Hold | Denied:
        counters = [self._counter(demand.counter, demand.meter, now) for demand in demands]
        denied = refusal(demands, counters, now)
        if denied is not None:
            return denied
        held, levels, warned = [], [], []
        for (meter, _, amount, _), counter in zip(demands, counters, strict=True):
            if meter.burst is not None:
                counter.due = max(counter.due, now.steady) + amount * meter.each
            else:
                counter.held += amount
            held.append((counter, counter.start, amount))
            stands = level(meter, counter, now)
            levels.append(stands)
            if meter.warn is not None and counter.warned != counter.start:
                whole = meter.most
                if whole - stands.left >= meter.warn * whole:
                    counter.warned = counter.start
                    warned.append(stands)
        return Hold(levels, warned, held)

    def leave(self, demand: Demand, now: Now) -> None:
        """There is no other line."""

    def listen(self, freed: Callable[[str], None]) -> None:
        """There is nobody else."""

    def short(self, demands: Sequence[Demand], now: Now) -> Denied | None:
        return refusal(demands, [self._counter(demand.counter, demand.meter, now) for demand in demands], now)

    def settle(self, hold: Hold, amounts: Sequence[int], now: Now) -> None:
        held, hold.held = hold.held, ()
        for (counter, start, amount), true, (meter, _, _) in zip(held, amounts, hold.levels, strict=bool(held)):
            assert isinstance(counter, Counter)
            if meter.burst is not None:
                counter.due += (true - amount) * meter.each
            elif counter.start == start:  # else its window is over, and what follows has nothing of it
                counter.held -= amount
                if meter.window is not None:
                    counter.used += true

    def counter(self, demand: Demand, now: Now) -> Counter:
        """As it is now."""
        return self._counter(demand.counter, demand.meter, now)

    def dump(self) -> Iterator[Settled]:
        for name, counter in self._counters.items():
            if counter.used and counter.end - counter.start > 60:
                yield Settled(name, counter.start, counter.used)

    async def standing(self, now: Now) -> Overview:
        return Overview("this process", list(self.stands(now)))

    def stands(self, now: Now) -> Iterator[Stands]:
        """Of those of which something is used or held."""
        for name, counter in self._counters.items():
            if now.wall < counter.end and (counter.used or counter.held):
                yield Stands(name, counter.used, counter.held, counter.end - now.wall)
            elif counter.end == 0.0 and counter.held:
                yield Stands(name, 0, counter.held, None)

    def add(self, meter: Meter, name: str, start: float, used: int, now: Now, era: str = "") -> None:
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


def refusal(demands: Sequence[Demand], counters: Sequence[Counter], now: Now) -> Denied | None:
    """The verdict where one of the counters has no room."""
    short = [
        denial(demand, counter, now)
        for demand, counter in zip(demands, counters, strict=True)
        if not _fits(demand, counter, now)
    ]
    if not short:
        return None
    levels = [level(demand.meter, counter, now) for demand, counter in zip(demands, counters, strict=True)]
    return worst(short, levels)


def _fits(demand: Demand, counter: Counter, now: Now) -> bool:
    meter, amount = demand.meter, demand.amount
    if not demand.firm:
        return True
    if meter.burst is not None:
        return _wait(demand, counter, now) <= 0
    # what costs nothing may go on when all is spent
    return amount == 0 or counter.used + counter.held + amount <= meter.amount


def _wait(demand: Demand, counter: Counter, now: Now) -> float:
    """Seconds until there can be room."""
    meter = demand.meter
    if meter.burst is not None:
        return max(counter.due - now.steady, 0.0) + (demand.amount - meter.burst - ROUNDING) * meter.each
    return max(counter.end - now.wall, 0.0) if meter.window is not None else inf


def denial(demand: Demand, counter: Counter, now: Now) -> Denied:
    """That there is no room for it."""
    never = demand.amount > demand.meter.most
    return Denied(demand, level(demand.meter, counter, now).left, max(_wait(demand, counter, now), 0.0), never)


def worst(short: Sequence[Denied], levels: Sequence[Level]) -> Denied:
    """The verdict: of all that have no room, the one that takes longest."""
    return replace(max(short, key=_how_long), levels=levels)


def _how_long(denied: Denied) -> tuple[bool, float]:
    return denied.never, denied.after


def level(meter: Meter, counter: Counter, now: Now) -> Level:
    if meter.burst is not None:
        full = max(counter.due - now.steady, 0.0)
        return Level(meter, max(int(meter.burst - full / meter.each + ROUNDING), 0), full)
    left = max(meter.amount - counter.used - counter.held, 0)
    return Level(meter, left, max(counter.end - now.wall, 0.0) if meter.window is not None else inf)
