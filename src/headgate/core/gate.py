"""How many requests a target is given at a time, and the line in which the others wait."""

from __future__ import annotations

import asyncio
from collections import deque

from headgate.core.errors import Overloaded

Place = asyncio.Future[None]
Line = dict[str, deque[Place]]
"""Of one priority, by tenant."""


class Gate:
    """At most `limit` are inside. Those of a higher priority come first; of one priority, tenants take turns, so that
    who sends a thousand does not hold up who sends one."""

    __slots__ = ("_lines", "limit", "running", "waiting")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.running = 0
        self.waiting = 0
        self._lines: dict[int, Line] = {}

    @property
    def full(self) -> bool:
        return self.running >= self.limit or self.waiting > 0

    async def enter(self, priority: int, tenant: str, most: int, seconds: float, what: str) -> None:
        """Wait for a place, for at most so many `seconds` and with at most so many (`most`) others.

        Raises Overloaded. Who is cancelled while waiting holds no place.
        """
        if not self.full:
            self.running += 1
            return
        if self.waiting >= most:
            raise Overloaded(f"{what} serves all the requests it may at a time; try again later", retry_after=1)
        place: Place = asyncio.get_running_loop().create_future()
        self._lines.setdefault(priority, {}).setdefault(tenant, deque()).append(place)
        self.waiting += 1
        try:
            await asyncio.wait((place,), timeout=seconds)
        except asyncio.CancelledError:
            self._give_up(place, priority, tenant)
            raise
        if not place.done():
            self._give_up(place, priority, tenant)
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
            priority = max(self._lines)
            tenants = self._lines[priority]
            tenant, line = next(iter(tenants.items()))
            place = line.popleft()
            del tenants[tenant]
            if line:
                tenants[tenant] = line  # at the end: the others' turn
            elif not tenants:
                del self._lines[priority]
            self.waiting -= 1
            self.running += 1
            place.set_result(None)

    def _give_up(self, place: Place, priority: int, tenant: str) -> None:
        if place.done():
            self.leave()
            return
        tenants = self._lines[priority]
        tenants[tenant].remove(place)
        self.waiting -= 1
        if not tenants[tenant]:
            del tenants[tenant]
            if not tenants:
                del self._lines[priority]
