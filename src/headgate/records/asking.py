"""Questions about usage as people write them: dimensions, times, time zones."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from headgate.records.sums import HOUR
from headgate.records.usage import DIMENSIONS, MOST, TAG, Span

EARLIEST, LATEST = 0, 7_258_118_400
"""Unix seconds: from 1970 up to 2200, which leaves room for the period before, in any time zone."""


def span(
    now: datetime,
    zone: tzinfo,
    *,
    month: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> Span:
    """Of a month; else from the hour of `since` (the current month's beginning) to the end of that of `until` (now).

    Raises ValueError.
    """
    if month is not None:
        if since is not None or until is not None:
            raise ValueError("give either a month, or since and until")
        first = beginning(month, zone)
        return _known(int(first.timestamp()), int(following(first).timestamp()))
    start = now.astimezone(zone).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    begin = int(start.timestamp()) if since is None else int(since.timestamp() // HOUR) * HOUR
    end = int(-(-(until or now).timestamp() // HOUR)) * HOUR
    if begin >= end:
        raise ValueError("the time begins only when it ends: since comes before until")
    return _known(begin, end)


def _known(begin: int, end: int) -> Span:
    if begin < EARLIEST or end > LATEST:
        raise ValueError("give times between 1970 and 2200")
    return begin, end


def beginning(month: str, zone: tzinfo = UTC) -> datetime:
    """Of `2026-11`. Raises ValueError."""
    try:
        return datetime.strptime(month, "%Y-%m").replace(tzinfo=zone)
    except ValueError:
        raise ValueError(f"{month!r} is no month: 2026-11") from None


def following(first: datetime) -> datetime:
    """The beginning of the month after one that begins so."""
    return first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)


def dimensions(text: str) -> tuple[str, ...]:
    """Of `team,model`. Raises ValueError."""
    found = tuple(filter(None, map(str.strip, text.split(","))))
    for name in found:
        dimension(name)
    if len(found) > MOST or len(set(found)) != len(found):
        raise ValueError(f"give up to {MOST} different ones")
    return found


def dimension(name: str) -> str:
    """Raises ValueError."""
    if name not in DIMENSIONS and not (name.startswith(TAG) and name != TAG):
        raise ValueError(f"{name!r} is none of {', '.join(DIMENSIONS)}, {TAG}NAME")
    return name


def zone(name: str) -> tzinfo:
    """Of `Europe/Berlin`. Raises ValueError."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is no time zone: Europe/Berlin, America/New_York, UTC") from None
