"""Answers kept in the memory of one process, up to so many bytes.

What is to go is decided as S3-FIFO does (https://s3fifo.com): what comes in waits in a short queue, a tenth of the
room, and only what was asked for again there, or is wanted soon after it had to go, comes into the long one. So a scan
of answers that nobody wants twice does not push out those that are.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from math import inf
from typing import Final

from headgate.core.cached import Clock, Entry, Which

SHORT = 0.1
"""Of the room, for what is new."""
OFTEN = 3
"""Up to which it is counted how often an answer was wanted."""
CLEARED = 100
"""How many orders to take some out are remembered, for answers that were under way then."""
AT_ONCE = 1000
"""Answers that are looked at to be taken out before others have their turn."""
CAUSES = ("room", "time", "cleared")
"""Why an answer goes."""
BESIDE: Final = 600
"""Bytes of an entry beside its body, about."""


class _Held:
    __slots__ = ("entry", "size", "until", "wanted")

    def __init__(self, entry: Entry, until: float) -> None:
        self.entry = entry
        self.until = until
        self.size = entry.size + BESIDE
        self.wanted = 0


_Queue = OrderedDict[bytes, _Held]


class Memory:
    """Implements core.ports.Cache."""

    def __init__(self, room: int, clock: Clock = time.time) -> None:
        """`room` in bytes."""
        self.room = room
        self.clock = clock
        self.bytes = self._new_bytes = 0
        self.evictions = dict.fromkeys(CAUSES, 0)
        self._cleared: deque[Which] = deque(maxlen=CLEARED)
        self._new: _Queue = OrderedDict()
        self._main: _Queue = OrderedDict()
        self._ghosts: OrderedDict[bytes, None] = OrderedDict()
        """Keys of what had to go out of the short queue lately."""

    def __len__(self) -> int:
        return len(self._new) + len(self._main)

    async def get(self, key: bytes) -> Entry | None:
        held = self._main.get(key) or self._new.get(key)
        if held is None:
            return None
        if held.until <= self.clock():
            self._drop(key)
            self.evictions["time"] += 1
            return None
        if held.wanted < OFTEN:
            held.wanted += 1
        return held.entry

    async def get_many(self, keys: Sequence[bytes]) -> Sequence[Entry | None]:
        return [await self.get(key) for key in keys]

    async def claim(self, key: bytes, seconds: float) -> bool:
        return True

    async def release(self, key: bytes) -> None:
        """There is nobody else."""

    def put(self, key: bytes, entry: Entry, most: float = inf) -> None:
        """`most`: seconds for which it is held, at most."""
        held = _Held(entry, min(entry.end, self.clock() + most))
        if any(which.has(key, entry) for which in self._cleared):  # it was under way then
            return
        self._drop(key)  # there is a newer one, be it too large
        if held.size > self.room * SHORT:
            return
        if key in self._ghosts:
            del self._ghosts[key]
            self._main[key] = held
        else:
            self._new[key] = held
            self._new_bytes += held.size
        self.bytes += held.size
        while self.bytes > self.room:
            self._evict()

    async def clear(self, which: Which) -> int:
        """How many there were."""
        if which.before is not None:
            self._cleared.append(which)
        keys = [*self._new, *self._main] if which.id is None else [bytes.fromhex(which.id)]
        count = 0
        for place, key in enumerate(keys):
            if place % AT_ONCE == AT_ONCE - 1:
                await asyncio.sleep(0)  # hundreds of thousands may have to be looked at
            held = self._main.get(key) or self._new.get(key)
            if held is not None and which.has(key, held.entry):
                self._drop(key)
                count += 1
        self.evictions["cleared"] += count
        return count

    async def heard(self, which: Which) -> None:
        await self.clear(which)

    def _drop(self, key: bytes) -> None:
        held = self._new.pop(key, None)
        if held is not None:
            self._new_bytes -= held.size
        else:
            held = self._main.pop(key, None)
        if held is not None:
            self.bytes -= held.size

    def _evict(self) -> None:
        """One less in the queue that has more than its share, or one moved to where it stays longer."""
        if self._new and (self._new_bytes > self.room * SHORT or not self._main):
            key, held = self._new.popitem(last=False)
            self._new_bytes -= held.size
            if held.wanted:
                held.wanted = 0
                self._main[key] = held
                return
            self._ghosts[key] = None
            if len(self._ghosts) > max(len(self._main), 1000):
                self._ghosts.popitem(last=False)
        else:
            key, held = self._main.popitem(last=False)
            if held.wanted and held.until > self.clock():
                held.wanted -= 1
                self._main[key] = held
                return
        self.bytes -= held.size
        self.evictions["room"] += 1
