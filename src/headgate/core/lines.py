"""Those who wait: the more urgent first, but not alone; of one priority, tenants in turn."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

SHARES = {1: 16, 0: 4, -1: 1}
"""Places that each priority gets of those that become free, while all wait."""


class Place(NamedTuple):
    """One who waits."""

    given: asyncio.Future[Any]
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
        return self.first_of(next(iter(self._tenants)))

    def first_of(self, tenant: str) -> Place:
        """Who of a tenant is next, taken out, as if it were its turn."""
        places = self._tenants.pop(tenant)
        place = places.popleft()
        if places:
            self._tenants[tenant] = places
        return place

    def put_back(self, place: Place) -> None:
        """To where it was taken from."""
        places = self._tenants.pop(place.tenant, deque())
        places.appendleft(place)
        self._tenants = {place.tenant: places, **self._tenants}

    @property
    def tenants(self) -> Iterable[str]:
        """In the order of their turns."""
        return self._tenants

    def last_of(self, tenant: str) -> Place | None:
        """Who of a tenant came last."""
        places = self._tenants.get(tenant)
        return places[-1] if places else None

    def remove(self, place: Place) -> None:
        places = self._tenants[place.tenant]
        places.remove(place)
        if not places:
            del self._tenants[place.tenant]


class Lines:
    """Those of a higher priority come first, but for a few places that lower ones get meanwhile; of one priority,
    tenants take turns. Who has a thousand urgent requests neither holds up who has one for ever nor takes all the
    room."""

    __slots__ = ("_lines", "_tenants", "_time", "waiting")

    def __init__(self) -> None:
        self.waiting = 0
        self._lines = {priority: Line() for priority in SHARES}
        self._time = 0.0
        """When the last turn was due."""
        self._tenants: Counter[str] = Counter()
        """How many of each wait."""

    def add(self, place: Place) -> None:
        line = self._lines[place.priority]
        if not line:  # turns while nobody stood there are not made up for
            line.due = max(line.due, self._time + 1 / SHARES[place.priority])
        line.add(place)
        self._tenants[place.tenant] += 1
        self.waiting += 1

    def next(self) -> Place:
        """Whose turn it is, taken out."""
        line = min((line for line in self._lines.values() if line), key=_due)  # of equal ones the highest
        place = line.first()
        self._time = line.due
        line.due += 1 / SHARES[place.priority]
        self._gone(place)
        return place

    def instead(self, place: Place, priority: int, tenant: str) -> Place:
        """Who of another tenant is next, taken out instead of `place`, which was and goes back; that one, where nobody
        of the other waits any more."""
        line = self._lines[priority]
        if tenant not in line.tenants:
            return place
        own = self._lines[place.priority]
        own.put_back(place)
        own.due -= 1 / SHARES[place.priority]
        self._tenants[place.tenant] += 1
        line.due += 1 / SHARES[priority]
        other = line.first_of(tenant)
        self._gone(other)
        self.waiting += 1
        return other

    def tenants(self) -> Iterator[tuple[int, str]]:
        """Whose turn it may be: priority and tenant."""
        for priority, line in self._lines.items():
            for tenant in line.tenants:
                yield priority, tenant

    def remove(self, place: Place) -> None:
        self._lines[place.priority].remove(place)
        self._gone(place)

    def make_room(self, tenant: str) -> Place | None:
        """Who gives up a place for this tenant, taken out: the last, of the lowest priority, of who has most."""
        if not self.waiting:
            return None
        greedy, most = self._tenants.most_common(1)[0]
        if greedy == tenant or most <= self._tenants[tenant] + 1:
            return None
        for _, line in sorted(self._lines.items()):
            place = line.last_of(greedy)
            if place is not None:
                self.remove(place)
                return place
        return None

    def _gone(self, place: Place) -> None:
        self.waiting -= 1
        self._tenants[place.tenant] -= 1
        if not self._tenants[place.tenant]:
            del self._tenants[place.tenant]


def _due(line: Line) -> float:
    return line.due
