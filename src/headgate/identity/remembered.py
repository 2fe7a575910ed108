"""What has been found out about a credential, by the SHA-256 of all its bytes, for a while and no more than fits."""

from __future__ import annotations

from typing import Generic, TypeVar

MOST = 10_000

T = TypeVar("T")


class Remembered(Generic[T]):
    """`seconds`: how long at most. Times are in Unix seconds; what was put in later than now does not count, so a clock
    that is set back makes nothing last longer."""

    def __init__(self, seconds: float, most: int = MOST) -> None:
        self._seconds = seconds
        self._most = most
        self._found: dict[bytes, tuple[float, float, T]] = {}

    def get(self, digest: bytes, now: float) -> T | None:
        held = self._found.get(digest)
        if held is None:
            return None
        since, until, found = held
        if since <= now < until:
            return found
        del self._found[digest]
        return None

    def put(self, digest: bytes, found: T, now: float, until: float) -> None:
        """The oldest gives way."""
        until = min(until, now + self._seconds)
        if until <= now:
            return
        self._found.pop(digest, None)
        if len(self._found) >= self._most:
            del self._found[next(iter(self._found))]
        self._found[digest] = (now, until, found)

    def clear(self) -> None:
        self._found.clear()

    def __len__(self) -> int:
        return len(self._found)
