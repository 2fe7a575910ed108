"""The calendar's seconds, minutes, hours, days, weeks and months, in a time zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Literal

Every = Literal["second", "minute", "hour", "day", "week", "month"]

SECONDS: dict[Every, int] = {
    "second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800, "month": 2_592_000,
}  # fmt: skip
"""Of each; of a month thirty days, for steady rates."""


class Calendar:
    """One kind of window; the one in force is remembered until its end."""

    __slots__ = ("_end", "_start", "every", "zone")

    def __init__(self, every: Every, zone: tzinfo = UTC) -> None:
        self.every = every
        self.zone = zone
        self._start = self._end = 0.0

    def at(self, now: float) -> tuple[float, float]:
        """Beginning and end of the window that a moment is in, all Unix seconds."""
        if not self._start <= now < self._end:
            self._start, self._end = self._found(now)
        return self._start, self._end

    def start(self, moment: float) -> float:
        """When the window began that some moment is in, whichever is in force."""
        return self._found(moment)[0]

    def _found(self, now: float) -> tuple[float, float]:
        if self.every in ("second", "minute"):
            size = SECONDS[self.every]
            start = now // size * size
            return start, start + size
        moment = datetime.fromtimestamp(now, self.zone)
        if self.every == "hour":
            # zones shift by parts of an hour, so that hours begin there at other minutes than in UTC
            start = now - moment.minute * 60 - moment.second - moment.microsecond / 1e6
            return float(round(start)), float(round(start)) + 3600
        day = moment.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
        match self.every:
            case "day":
                first, last = day, day + timedelta(days=1)
            case "week":
                first = day - timedelta(days=day.weekday())
                last = first + timedelta(days=7)
            case _:
                first = day.replace(day=1)
                last = (first + timedelta(days=32)).replace(day=1)
        return self._stamp(first), self._stamp(last)

    def _stamp(self, local: datetime) -> float:
        """Where the clocks are turned back at midnight, the earlier of the two."""
        return local.replace(tzinfo=self.zone, fold=0).timestamp()
