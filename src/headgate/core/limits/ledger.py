"""What a process knows of limits, kept when the configuration changes: counters, those who wait, what became of it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from headgate.core.limits.memory import MemoryCounters
from headgate.core.limits.meter import Counters, Now
from headgate.core.limits.queue import Room
from headgate.core.limits.rule import BETWEEN


def clock() -> Now:
    return Now(time.time(), time.monotonic())


class Ledger:
    def __init__(self, counters: Counters | None = None, clock: Callable[[], Now] = clock) -> None:
        self.own = MemoryCounters()
        self.counters: Counters = counters or self.own
        self.clock = clock
        self.rooms: dict[str, Room] = {}
        """By the counter in front of which they wait."""
        self.denied: dict[tuple[str, ...], float] = defaultdict(float)
        """By limit, and what followed."""
        self.warned: dict[tuple[str, ...], float] = defaultdict(float)

    def room(self, counter: str) -> Room:
        found = self.rooms.get(counter)
        if found is None:
            self.rooms = {name: room for name, room in self.rooms.items() if room.waiting}
            found = self.rooms[counter] = Room(counter, self.counters, self.clock)
        return found

    def told(self, now: Now) -> list[dict[str, Any]]:
        """How counters stand, the fullest first."""
        found = []
        for name, used, held, end in self.own.standing(now):
            limit, what, *per = name.split(BETWEEN)
            found.append(
                {"limit": limit, "what": what, "counter": name, "used": used, "held": held,
                 "per": per, "resets_in": round(max(end - now.wall, 0.0), 1)}
            )  # fmt: skip
        return sorted(found, key=lambda each: -int(each["used"] + each["held"]))

    def waiting(self) -> dict[tuple[str, ...], float]:
        """Requests that wait, by limit."""
        found: dict[tuple[str, ...], float] = defaultdict(float)
        for counter, room in self.rooms.copy().items():
            found[(counter.partition(BETWEEN)[0],)] += room.waiting
        return found
