"""Counts what guards found, by what followed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from headgate.core.record import Record
from headgate.telemetry.families import Labels

OTHER = "other"
"""What there is no series for any more."""


class Guarded:
    """Of one worker. Policies are those of the configuration, categories what a guard calls them."""

    __slots__ = ("_most", "_requests", "_seconds", "_verdicts")

    def __init__(self, most: int) -> None:
        """`most`: series."""
        self._most = most
        self._requests = 0
        self._seconds = 0.0
        self._verdicts: dict[Labels, int] = {}

    def count(self, record: Record, seconds: float) -> bool:
        """Whether there was a series for all of it."""
        self._requests += 1
        self._seconds += seconds
        room = True
        for each in record.guards:
            labels: Labels = (each.policy, each.category, each.action, each.mode)
            if labels not in self._verdicts and len(self._verdicts) >= self._most:
                labels, room = (OTHER,) * 4, False
            self._verdicts[labels] = self._verdicts.get(labels, 0) + 1
        return room

    def given(self) -> Iterator[tuple[str, Mapping[Labels, float]]]:
        """By the metric's name; read in another thread."""
        yield "headgate_guard_verdicts", self._verdicts.copy()
        yield "headgate_guard_requests", {(): self._requests} if self._requests else {}
        yield "headgate_guard_seconds", {(): self._seconds} if self._requests else {}
