"""The clock of all connections: one timer for the whole client instead of one for each request or chunk."""

from __future__ import annotations

import asyncio
import math
from typing import Protocol

GRAIN = 0.02
"""Seconds between two sweeps at least; a deadline is met at most this late."""


class Watched(Protocol):
    """Something with a moment at which it must be looked at."""

    deadline: float

    def overdue(self, now: float) -> None:
        """`deadline` has passed: fail, go away, or set a later one."""


class Deadlines:
    """Calls `overdue` on members whose deadline has passed.

    Moving a deadline costs an assignment and one comparison: the timer is set anew only when the earliest moment
    moves forward, which hardly happens, because deadlines nearly always move back.
    """

    __slots__ = ("_handle", "_loop", "_next", "members")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._handle: asyncio.TimerHandle | None = None
        self._next = math.inf
        self.members: set[Watched] = set()

    def expect(self, deadline: float) -> None:
        """Be there at `deadline` (loop time)."""
        if deadline < self._next:
            self._arm(deadline)

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._handle = None
        self._next = math.inf

    def _arm(self, at: float) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._next = at
        self._handle = self._loop.call_at(at, self._sweep)

    def _sweep(self) -> None:
        self._handle = None
        self._next = math.inf
        now = self._loop.time()
        for member in [each for each in self.members if each.deadline <= now]:
            member.overdue(now)
        earliest = min((each.deadline for each in self.members), default=math.inf)
        if earliest < self._next:
            self._arm(max(earliest, now + GRAIN))
