"""Sums over the last so many seconds: what budgets and limits per minute go by."""

from __future__ import annotations


class Sliding:
    """A sum that forgets, a slice at a time. Its methods are told the time, `time.monotonic()` seconds."""

    __slots__ = ("_at", "_slices", "_sum", "_width", "own")

    def __init__(self, seconds: float, slices: int = 10) -> None:
        self._width = seconds / slices
        self._slices = [0.0] * slices
        self._sum = 0.0
        self._at = 0
        self.own = 0.0
        """All that was ever added here, without what was heard of."""

    def add(self, now: float, amount: float = 1.0) -> None:
        self.own += amount
        if int(now / self._width) > self._at:
            self._turn(now)
        self._slices[self._at % len(self._slices)] += amount
        self._sum += amount

    def amend(self, then: float, now: float, amount: float) -> None:
        """Add to what was added `then`, if that counts yet."""
        self._turn(now)
        number = int(then / self._width)
        if self._at - number < len(self._slices):
            self.own += amount
            self._slices[number % len(self._slices)] += amount
            self._sum += amount

    def hear(self, now: float, amount: float) -> None:
        """Another process has added so much."""
        own = self.own
        self.add(now, amount)
        self.own = own

    def sum(self, now: float) -> float:
        self._turn(now)
        return self._sum

    def free_in(self, now: float, amount: float, most: float) -> float:
        """Seconds until `amount` more would not exceed `most`; the whole span where it never would."""
        self._turn(now)
        left, count = self._sum + amount - most, len(self._slices)
        if left <= 0:
            return 0.0
        for step in range(1, count + 1):
            left -= self._slices[(self._at + step) % count]
            if left <= 0:
                return max(0.0, (self._at + step) * self._width - now)
        return count * self._width

    def _turn(self, now: float) -> None:
        number = int(now / self._width)
        passed = number - self._at
        if passed > 0:
            count = len(self._slices)
            for step in range(min(passed, count)):
                self._slices[(number - step) % count] = 0.0
            self._at = number
            self._sum = sum(self._slices)  # anew, so that no error of rounding stays
