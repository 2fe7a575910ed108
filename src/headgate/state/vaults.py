"""Sessions in the memory of one process, up to so many bytes: of whoever has most of them those go first that were not
used for longest, so that nobody pushes out what others have."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence

from headgate.core.cached import Clock, Which
from headgate.core.kept_vault import Piece

AT_ONCE = 1000
"""Sessions that are looked at to be taken out before others have their turn."""


class _Held:
    __slots__ = ("owner", "pieces", "size", "until")

    def __init__(self, owner: str) -> None:
        self.owner = owner
        self.pieces: list[Piece] = []
        self.size = 0
        self.until = 0.0


class _Owned:
    """What one has."""

    __slots__ = ("bytes", "names")

    def __init__(self) -> None:
        self.bytes = 0
        self.names: OrderedDict[bytes, None] = OrderedDict()
        """In the order in which they end."""


class MemoryVaults:
    """Implements core.ports.Vaults."""

    why: str | None = None

    def __init__(self, room: int, seconds: float, clock: Clock = time.time) -> None:
        """`room` in bytes; `seconds` for which a session lasts after it was used."""
        self.room = room
        self.seconds = seconds
        self.clock = clock
        self.bytes = self.failures = 0
        self._held: OrderedDict[bytes, _Held] = OrderedDict()
        """In the order in which they end."""
        self._owned: dict[str, _Owned] = {}

    def __len__(self) -> int:
        return len(self._held)

    async def read(self, name: bytes) -> Sequence[Piece]:
        self._expire()
        held = self._held.get(name)
        if held is None:
            return ()
        self._use(name, held)
        return held.pieces.copy()

    async def add(self, name: bytes, after: bytes, piece: Piece) -> bool:
        self._expire()
        held = self._held.get(name) or _Held(piece.owner)
        if (held.pieces[-1].mark if held.pieces else b"") != after:
            return False
        self._held[name] = held
        held.pieces.append(piece)
        held.size += piece.size
        self.bytes += piece.size
        self._owned.setdefault(held.owner, _Owned()).bytes += piece.size
        self._use(name, held)
        while self.bytes > self.room:
            most = max(self._owned.values(), key=lambda owned: owned.bytes)
            self._drop(next(iter(most.names)))
        return True

    def late(self, why: str) -> None:
        """It never is."""

    async def clear(self, which: Which) -> int:
        count = 0
        for place, (name, held) in enumerate(list(self._held.items())):
            if place % AT_ONCE == AT_ONCE - 1:
                await asyncio.sleep(0)
            if which.has(name, held.pieces[0].whose) and self._held.get(name) is held:
                self._drop(name)
                count += 1
        return count

    async def expire(self) -> None:
        """Nothing is left that is over."""
        self._expire()

    def close(self) -> None:
        """There is nothing to be done."""

    def _use(self, name: bytes, held: _Held) -> None:
        held.until = self.clock() + self.seconds
        self._held.move_to_end(name)
        names = self._owned[held.owner].names
        names[name] = None
        names.move_to_end(name)

    def _expire(self) -> None:
        now = self.clock()
        while self._held and next(iter(self._held.values())).until <= now:
            self._drop(next(iter(self._held)))

    def _drop(self, name: bytes) -> None:
        held = self._held.pop(name)
        owned = self._owned[held.owner]
        self.bytes -= held.size
        owned.bytes -= held.size
        del owned.names[name]
        if not owned.names:
            del self._owned[held.owner]
