"""What was found out of a request that is asked again and again, word for word and by the same caller.

Remembered is only what was given an answer that is kept, for a few minutes and up to so many bytes, by the gateway that
a configuration made: a new one begins with nothing. All of it is read only.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from headgate.core.caller import Caller
    from headgate.core.dialect import Dialect, Relay
    from headgate.core.exchange import Exchange

ROOM = 16 << 20
"""Bytes, about, of all that is remembered."""
LARGEST = 32 << 10
"""Bytes of a body; of a larger one the answer is not where the time goes."""
SECONDS = 60.0
"""After which what was not asked again goes, or after twice as many."""
KEYS = 16
"""Of one request: it may be asked for others, and with other headers."""
BESIDE = 4096
"""Bytes that a request takes beside what it says."""
TEXT, VALUE, OBJECT = 5, 64, 256
"""Bytes of memory, at most, for a byte of a body (a text that has one letter beyond the 16-bit ones takes four for
each), for a value in it, and for an object."""


class Known(msgspec.Struct, eq=False):
    """Of one body of one caller."""

    caller: Caller | None
    dialect: Dialect
    body: bytes
    fields: dict[str, Any]
    model: str
    effort: str | None
    stream: bool
    keys: dict[tuple[Any, ...], bytes] = {}
    """What its answer is kept under, by all else that it depends on."""
    marks: tuple[str, str | None] | None = None
    """Its fingerprints."""
    given: str = ""
    """The id of the request whose answer `relay` has read."""
    relay: Relay | None = None

    def holds(self, exchange: Exchange) -> bool:
        """Whether that is still what is asked: stages may have changed it."""
        return exchange.body is self.body and exchange.fields is self.fields and not exchange.edited

    def kept_under(self, place: tuple[Any, ...], key: bytes) -> None:
        if len(self.keys) >= KEYS:
            self.keys.clear()
        self.keys[place] = key


class Repeats:
    """Two generations: what is asked again while it is in the older one comes into the newer."""

    def __init__(self, room: int = ROOM, clock: Callable[[], float] = time.monotonic) -> None:
        self._half = room // 2
        self._clock = clock
        self._new: dict[tuple[int, str, bytes], Known] = {}
        self._old: dict[tuple[int, str, bytes], Known] = {}
        self._size = 0
        self._until = 0.0

    def find(self, caller: Caller | None, dialect: Dialect, body: bytes) -> Known | None:
        """To be asked for bodies up to `LARGEST` only: they are hashed for it."""
        place = id(caller), dialect.name, body
        known = self._new.get(place) or self._old.get(place)
        # the same id may be another caller's by now, unless it is held here
        return known if known is not None and known.caller is caller and known.dialect is dialect else None

    def keep(self, known: Known) -> None:
        """It was given an answer that was kept."""
        now = self._clock()
        if now >= self._until:
            self._turn(now)
        place = id(known.caller), known.dialect.name, known.body
        if place in self._new or len(known.body) > LARGEST:
            return
        size = _size(known.body)
        if self._size + size > self._half:
            self._turn(now)
        self._new[place] = known
        self._size += size

    def _turn(self, now: float) -> None:
        late = now >= self._until + SECONDS
        self._old, self._new = ({} if late else self._new), {}
        self._size, self._until = 0, now + SECONDS


def _size(body: bytes) -> int:
    """What is known of it takes at most, about: of brackets alone twenty times as much as of a text."""
    values = body.count(b",") + body.count(b"[")
    return BESIDE + TEXT * len(body) + VALUE * values + OBJECT * body.count(b"{")
