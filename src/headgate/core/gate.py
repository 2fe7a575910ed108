"""How many requests a target is given at a time, and the line in which the others wait."""

from __future__ import annotations

import asyncio

from headgate.core.errors import Overloaded
from headgate.core.lines import Lines, Place


class Gate:
    """At most `limit` are inside; the others wait in line."""

    __slots__ = ("_lines", "limit", "running", "turned_away")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.running = 0
        self.turned_away = 0
        """Since it is there."""
        self._lines = Lines()

    @property
    def waiting(self) -> int:
        return self._lines.waiting

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
        self._lines.add(place)
        try:
            await asyncio.wait((place.given,), timeout=seconds)
        except asyncio.CancelledError:
            self._give_up(place)
            raise
        if place.given.done():
            place.given.result()
            return
        self._lines.remove(place)
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
            place = self._lines.next()
            self.running += 1
            place.given.set_result(None)

    def _make_room(self, tenant: str, what: str) -> bool:
        """Whether somebody was sent away for this tenant."""
        place = self._lines.make_room(tenant)
        if place is None:
            return False
        place.given.set_exception(_no_room(what))
        self.turned_away += 1
        return True

    def _give_up(self, place: Place) -> None:
        """Its client went away."""
        if not place.given.done():
            self._lines.remove(place)
        elif place.given.exception() is None:
            self.leave()


def _no_room(what: str) -> Overloaded:
    return Overloaded(f"{what} serves all the requests it may at a time; try again later", retry_after=1)
