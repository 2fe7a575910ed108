"""Answers that are kept elsewhere, with those that were wanted lately in memory."""

from __future__ import annotations

from collections.abc import Sequence

from headgate.core.cached import Entry, Which
from headgate.core.ports import Cache
from headgate.state.answers import Memory


class TwoLevels:
    """Implements core.ports.Cache. Memory is not told of newer answers of other processes: it holds each for so many
    seconds only."""

    def __init__(self, front: Memory, back: Cache, seconds: float) -> None:
        self.front = front
        self.back = back
        self.seconds = seconds

    async def get(self, key: bytes) -> Entry | None:
        entry = await self.front.get(key)
        if entry is None:
            entry = await self.back.get(key)
            if entry is not None:
                self._hold(key, entry)
        return entry

    async def get_many(self, keys: Sequence[bytes]) -> Sequence[Entry | None]:
        found = list(await self.front.get_many(keys))
        lacking = [place for place, entry in enumerate(found) if entry is None]
        behind = await self.back.get_many([keys[place] for place in lacking]) if lacking else ()
        for place, entry in zip(lacking, behind, strict=True):
            if entry is not None:
                self._hold(keys[place], entry)
                found[place] = entry
        return found

    async def claim(self, key: bytes, seconds: float) -> bool:
        return await self.back.claim(key, seconds)

    async def release(self, key: bytes) -> None:
        await self.back.release(key)

    def put(self, key: bytes, entry: Entry) -> None:
        self._hold(key, entry)
        self.back.put(key, entry)

    def _hold(self, key: bytes, entry: Entry) -> None:
        """Until it is stale at most: there may be a newer one behind."""
        left = entry.until - self.front.clock()
        if left > 0:
            self.front.put(key, entry, min(self.seconds, left))

    async def clear(self, which: Which) -> int:
        await self.front.clear(which)
        return await self.back.clear(which)

    async def heard(self, which: Which) -> None:
        await self.front.clear(which)
        await self.back.heard(which)
