"""How many different values have been seen lately of which the same is said: what is said of too few tells of one."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

MOST = 100_000
"""Values that are known at a time, of all tenants; each is a number of eight bytes, and when it was seen."""


class Crowd:
    """Nothing can be read of what was seen: of values and of what is said of them only hashes are kept, with a key of
    the process. What this process has not seen does not count, so there may be more of it, never less."""

    def __init__(
        self, least: int, seconds: float, clock: Callable[[], float] = time.monotonic, most: int = MOST
    ) -> None:
        """`least` different values, each seen within so many `seconds`."""
        self.least = least
        self.seconds = seconds
        self.clock = clock
        self.most = most
        self._seen: OrderedDict[int, dict[int, float]] = OrderedDict()
        """By what is said: the last few values, in the order in which they were seen."""
        self._count = 0

    def see(self, whose: Sequence[str], value: str, said: Sequence[str]) -> None:
        """A value, and what may be said of it."""
        now, id = self.clock(), hash((*whose, value))
        for each in said:
            name = hash((*whose, each))
            those = self._seen.pop(name, None) or {}
            self._seen[name] = those
            self._count -= len(those)
            those.pop(id, None)
            those[id] = now
            if len(those) > self.least:
                del those[next(iter(those))]
            self._count += len(those)
        while self._count > self.most:
            self._count -= len(self._seen.popitem(last=False)[1])

    def shared(self, whose: Sequence[str], said: Sequence[str]) -> str | None:
        """The first of these that may be said."""
        since = self.clock() - self.seconds
        for each in said:
            those = self._seen.get(hash((*whose, each)))
            if those is not None and len(those) >= self.least and next(iter(those.values())) >= since:
                return each
        return None
