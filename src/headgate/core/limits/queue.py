"""Those who wait until a limit has room for them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import islice
from math import inf

from headgate.core.limits.meter import Counters, Demand, Denied, Hold, Now, Waiting
from headgate.core.lines import Lines, Place

Clock = Callable[[], Now]
OTHERS = 20
"""Tenants of whom other processes are told that they wait here."""
SHORTEST, LONGEST = 0.002, 1.0
"""Seconds between two looks whether there is room; what is given back is seen at once, in other processes as well if
they can tell."""


class Full(Exception):
    """There is no room to wait, or it took too long."""

    def __init__(self, denied: Denied) -> None:
        super().__init__()
        self.denied = denied


class Room:
    """The line in front of one counter. Whose turn it is asks again and again, all others wait behind; so the one who
    asks least often is not overtaken by who asks most."""

    def __init__(self, counter: str, counters: Counters, clock: Clock) -> None:
        self.counter = counter
        self.lines = Lines()
        self.turned_away = 0
        self._counters = counters
        self._clock = clock
        self._demands: dict[asyncio.Future[Hold | Denied], Sequence[Demand]] = {}
        self._first: Place | None = None
        self._known: Demand | None = None
        """What other processes may know is waited for here."""
        self._woken = asyncio.Event()
        self._asking: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        return self.lines.waiting + (self._first is not None)

    async def wait(
        self, demands: Sequence[Demand], denied: Denied, priority: int, tenant: str, most: int, seconds: float
    ) -> Hold | Denied:
        """Wait for all of it, with at most so many (`most`) others, for at most so many `seconds`. Denied is who at the
        end of the line finds that another counter has no room. Raises Full."""
        if self.waiting >= most:
            other = self.lines.make_room(tenant)
            self.turned_away += 1
            if other is None:
                raise Full(denied)
            other.given.set_exception(Full(denied))
        given: asyncio.Future[Hold | Denied] = asyncio.get_running_loop().create_future()
        place = Place(given, priority, tenant)
        self._demands[given] = demands
        self.lines.add(place)
        if self._asking is None or self._asking.done():
            self._asking = asyncio.get_running_loop().create_task(self._ask())
        try:
            await asyncio.wait((given,), timeout=seconds)
        except asyncio.CancelledError:
            self._leave(place)
            if given.done() and given.exception() is None:
                self._give_back(given.result())
            raise
        if not given.done():
            self._leave(place)
            self.turned_away += 1
            raise Full(denied)
        return given.result()

    def wake(self) -> None:
        """Room was given back."""
        self._woken.set()

    def _leave(self, place: Place) -> None:
        self._demands.pop(place.given, None)
        if self._first is place:
            self._first = None
            self._woken.set()
        elif not place.given.done():
            self.lines.remove(place)

    def _give_back(self, outcome: Hold | Denied) -> None:
        """Who waited has gone meanwhile."""
        if isinstance(outcome, Hold):
            self._counters.settle(outcome, [0] * len(outcome.held), self._clock())

    async def _ask(self) -> None:
        while self._first is not None or self.lines.waiting:
            if self._first is None:
                self._first = self.lines.next()
            place = self._first
            now = self._clock()
            self._woken.clear()
            demands = self._demands[place.given]
            others = islice(self.lines.tenants(), OTHERS)
            waiting = Waiting(self.counter, [(place.priority, place.tenant), *others])
            outcome = await self._counters.reserve(demands, now, waiting)
            held_up = isinstance(outcome, Denied) and outcome.demand.counter == self.counter
            alone = isinstance(outcome, Hold) and len(waiting.whose) == 1
            self._known = None if alone else next(each for each in demands if each.counter == self.counter)
            if self._first is not place:
                self._give_back(outcome)
                continue
            if isinstance(outcome, Denied) and outcome.turn:
                self._first = self.lines.instead(place, *waiting.whose[outcome.turn])
                continue
            if isinstance(outcome, Hold) or not held_up:
                self._first = None
                del self._demands[place.given]
                place.given.set_result(outcome)
                continue
            after = outcome.after if outcome.after != inf else LONGEST
            try:
                async with asyncio.timeout(min(max(after, SHORTEST), LONGEST)):
                    await self._woken.wait()
            except TimeoutError:
                continue
        if self._known is not None:
            self._counters.leave(self._known, self._clock())
            self._known = None
