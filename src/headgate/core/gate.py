"""How many requests a target is given at a time, and the line in which the others wait."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from typing import NamedTuple

from headgate.core.errors import Overloaded

SHARES = {1: 16, 0: 4, -1: 1}
"""Places that each priority gets of those that become free, while all wait."""


class Place(NamedTuple):
    """One who waits."""

    given: asyncio.Future[None]
    priority: int
    tenant: str


class Line:
    """Those of one priority who wait, by tenant: tenants take turns."""

    __slots__ = ("_tenants", "due")

    def __init__(self) -> None:
        self._tenants: dict[str, deque[Place]] = {}
        self.due = 0.0
        """When it is its turn, by a clock of places; whose is earliest is next (stride scheduling:
        https://dl.acm.org/doi/10.5555/889650)."""

    def __bool__(self) -> bool:
        return bool(self._tenants)

    def add(self, place: Place) -> None:
        self._tenants.setdefault(place.tenant, deque()).append(place)

    def first(self) -> Place:
        """Who is next, taken out; the other tenants' turn comes after that."""
        tenant = next(iter(self._tenants))
        places = self._tenants.pop(tenant)
        place = places.popleft()
        if places:
            self._tenants[tenant] = places
        return place

    def last_of(self, tenant: str) -> Place | None:
        """Who of a tenant came last."""
        places = self._tenants.get(tenant)
        return places[-1] if places else None

    def remove(self, place: Place) -> None:
        places = self._tenants[place.tenant]
        places.remove(place)
        if not places:
            del self._tenants[place.tenant]


class Gate:
    """At most `limit` are inside. Those of a higher priority come first, but for a few places that lower ones get
    meanwhile; of one priority, tenants take turns. Who sends a thousand urgent requests neither holds up who sends one
    for ever nor takes all the room in the line."""

    __slots__ = ("_lines", "_tenants", "_time", "limit", "running", "turned_away", "waiting")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.running = 0
        self.waiting = 0
        self.turned_away = 0
        """Since it is there."""
        self._lines = {priority: Line() for priority in SHARES}
        self._time = 0.0
        """When the last turn was due."""
        self._tenants: Counter[str] = Counter()
        """How many of each wait."""

    @property
    def full(self) -> bool:
        return self.running >= self.limit or self.waiting > 0

    async def enter(self, priority: int, tenant: str, most: int, seconds: float, what: str) -> None:
        """Wait for a place, for at most so many `seconds` and with at most so many (`most`) others. Where there is no
        room to wait, the tenant with most in the line gives up one, unless it is this one's.

        Raises Overloaded. Who is cancelled while waiting holds no place.
        """
        if not self.full:
            self.running += 1
            return
        if self.waiting >= most and not self._make_room(tenant, what):
            self.turned_away += 1
            raise _no_room(what)
        place = Place(asyncio.get_running_loop().create_future(), priority, tenant)
        self._add(place)
        try:
            await asyncio.wait((place.given,), timeout=seconds)
        except asyncio.CancelledError:
            self._give_up(place)
            raise
        if place.given.done():
            place.given.result()
            return
        self._remove(place)
        self.turned_away += 1
        raise Overloaded(f"{what} had no place for {seconds:g} s; try again later", retry_after=1)

    def leave(self) -> None:
        self.running -= 1
        self._admit()

    def allow(self, limit: int) -> None:
        """Another limit, from a configuration just applied."""
        self.limit = limit
        self._admit()

    def _admit(self) -> None:
        while self.waiting and self.running < self.limit:
            line = min((line for line in self._lines.values() if line), key=_due)  # of equal ones the highest
            place = line.first()
            self._time = line.due
            line.due += 1 / SHARES[place.priority]
            self._gone(place)
            self.running += 1
            place.given.set_result(None)

    def _make_room(self, tenant: str, what: str) -> bool:
        """Whether somebody was sent away for this tenant: the last, of the lowest priority, of who has most."""
        if not self.waiting:
            return False
        greedy, most = self._tenants.most_common(1)[0]
        if greedy == tenant or most <= self._tenants[tenant] + 1:
            return False
        for _, line in sorted(self._lines.items()):
            place = line.last_of(greedy)
            if place is not None:
                self._remove(place)
                place.given.set_exception(_no_room(what))
                self.turned_away += 1
                return True
        return False

    def _add(self, place: Place) -> None:
        line = self._lines[place.priority]
        if not line:  # turns while nobody stood there are not made up for
            line.due = max(line.due, self._time + 1 / SHARES[place.priority])
        line.add(place)
        self._tenants[place.tenant] += 1
        self.waiting += 1

    def _remove(self, place: Place) -> None:
        self._lines[place.priority].remove(place)
        self._gone(place)

    def _gone(self, place: Place) -> None:
        self.waiting -= 1
        self._tenants[place.tenant] -= 1
        if not self._tenants[place.tenant]:
            del self._tenants[place.tenant]

    def _give_up(self, place: Place) -> None:
        """Its client went away."""
        if not place.given.done():
            self._remove(place)
        elif place.given.exception() is None:
            self.leave()


def _due(line: Line) -> float:
    return line.due


def _no_room(what: str) -> Overloaded:
    return Overloaded(f"{what} serves all the requests it may at a time; try again later", retry_after=1)
