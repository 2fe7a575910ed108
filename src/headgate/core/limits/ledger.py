"""What a process knows of limits, kept when the configuration changes: counters, those who wait, what became of it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Any

from headgate.core.limits.memory import MemoryCounters
from headgate.core.limits.meter import Counters, Demand, Denied, Hold, Now
from headgate.core.limits.queue import Full, Room
from headgate.core.limits.rule import BETWEEN, Rule


def clock() -> Now:
    return Now(time.time(), time.monotonic())


class Ledger:
    def __init__(self, counters: Counters | None = None, clock: Callable[[], Now] = clock) -> None:
        self.own = MemoryCounters()
        self.counters: Counters = counters or self.own
        self.counters.listen(self._freed)
        self.clock = clock
        self.rooms: dict[str, Room] = {}
        """By the counter in front of which they wait."""
        self.denied: dict[tuple[str, ...], float] = defaultdict(float)
        """By limit, and what followed."""
        self.warned: dict[tuple[str, ...], float] = defaultdict(float)

    async def reserve(
        self,
        rules: Sequence[Rule],
        demands: Sequence[Demand],
        priority: int,
        tenant: str,
        seconds: float = inf,
        *,
        patient: bool = True,
    ) -> Hold | Denied:
        """All that is wanted of the rules' counters, or nothing. `patient`: it is waited for where a rule says so, as
        long as that one says and for at most so many `seconds`."""
        outcome: Hold | Denied | None = self._behind_others(rules, demands) if self.rooms else None
        if outcome is None:
            outcome = await self.counters.reserve(demands, self.clock())
        while patient and isinstance(outcome, Denied) and not outcome.never:
            rule = rules[demands.index(outcome.demand)]
            if rule.then != "queue":
                break
            room = self.room(outcome.demand.counter)
            most = min(rule.queue_seconds, seconds)
            try:
                outcome = await room.wait(demands, outcome, priority, tenant, rule.queue, most)
            except Full as full:
                return full.denied
        return outcome

    def _behind_others(self, rules: Sequence[Rule], demands: Sequence[Demand]) -> Denied | None:
        """Nobody is served before those who wait already."""
        for rule, demand in zip(rules, demands, strict=True):
            room = self.rooms.get(demand.counter)
            if room is not None and room.waiting and rule.then == "queue":
                return Denied(demand, 0, 0.0)
        return None

    def settle(self, hold: Hold, demands: Sequence[Demand], used: Mapping[str, int], counted: dict[str, int]) -> None:
        """What it came to, by what is counted; where that is not known, what was held is taken for it. What is to be
        known after a restart is put into `counted`, by counter. A second call does nothing."""
        if not hold.held:
            return
        amounts = [used.get(demand.meter.what, demand.amount) for demand in demands]
        self.counters.settle(hold, amounts, self.clock())
        rooms = self.rooms
        for (meter, counter, _, _), amount in zip(demands, amounts, strict=True):
            if amount and meter.lasting:
                counted[counter] = counted.get(counter, 0) + amount
            if rooms and counter in rooms:
                rooms[counter].wake()

    def _freed(self, counter: str) -> None:
        room = self.rooms.get(counter)
        if room is not None:
            room.wake()

    def room(self, counter: str) -> Room:
        found = self.rooms.get(counter)
        if found is None:
            self.rooms = {name: room for name, room in self.rooms.items() if room.waiting}
            found = self.rooms[counter] = Room(counter, self.counters, self.clock)
        return found

    async def told(self, now: Now, most: int) -> dict[str, Any]:
        """How counters stand, the fullest first, `most` of them; and who says so."""
        source, counters, whole = await self.counters.standing(now)
        found = []
        for name, used, held, resets in sorted(counters, key=lambda each: -each.used - each.held)[:most]:
            limit, what, *per = [*name.split(BETWEEN), ""]
            found.append(
                {"limit": limit, "what": what, "counter": name, "used": used, "held": held,
                 "per": per[:-1], "resets_in": round(resets, 1) if resets is not None else None}
            )  # fmt: skip
        return {"source": source, "complete": whole and len(counters) <= most, "items": found}

    def waiting(self) -> dict[tuple[str, ...], float]:
        """Requests that wait, by limit."""
        found: dict[tuple[str, ...], float] = defaultdict(float)
        for counter, room in self.rooms.copy().items():
            found[(counter.partition(BETWEEN)[0],)] += room.waiting
        return found
