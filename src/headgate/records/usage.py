"""What was used and spent, by whom and of what: the sums in the database, and what still waits in the journal."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from headgate.records import statements as sql
from headgate.records.drain import lines
from headgate.records.reading import Records
from headgate.records.row import Row, read
from headgate.records.status import undrained
from headgate.records.sums import GROUPS, HOUR, SUMS, sums

PERIODS = {"hour": "%Y-%m-%dT%H:00Z", "day": "%Y-%m-%d", "month": "%Y-%m"}
"""Of UTC, as they are written."""
DIMENSIONS = (*GROUPS, "provider", *PERIODS)
MOST = 2
BLOCK = 4 << 20
TRIES = 5
Hours = tuple[int, int]
"""From one hour (Unix time / 3600) on, before another."""
Sums = list[int]
"""In the order of SUMS."""


class Moved(Exception):
    """The journal was moved into the database while both were read, time and again."""


class Usage(NamedTuple):
    """Sums by the values of some dimensions ("": it has none), and of all."""

    hours: Hours
    by: Sequence[str]
    items: list[tuple[tuple[str, ...], Sums]]
    total: Sums


async def usage(records: Records, by: Sequence[str], hours: Hours) -> Usage:
    """The largest amounts first; periods in their order. Raises StoreAway, OSError, Moved."""
    found: dict[tuple[str, ...], Sums] = {}
    for row in await _rows(records, by, hours):
        group, values = _named(by, row[0], row[1 : len(GROUPS) + 1]), row[len(GROUPS) + 1 :]
        into = found.setdefault(group, [0] * len(SUMS))
        for place, value in enumerate(values):
            into[place] += int(value)
    cost, requests = SUMS.index("cost"), SUMS.index("requests")
    items = sorted(found.items(), key=lambda item: (-item[1][cost], -item[1][requests], item[0]))
    if set(by) & PERIODS.keys():
        items.sort(key=lambda item: tuple(name for name, of in zip(item[0], by, strict=True) if of in PERIODS))
    return Usage(hours, by, items, [sum(column) for column in zip(*found.values(), strict=True)] or [0] * len(SUMS))


async def _rows(records: Records, by: Sequence[str], hours: Hours) -> list[Sequence[Any]]:
    """Rows as `sums` makes them; of each record, either in the database or in the journal, never both."""
    for _ in range(TRIES):
        rows, positions = await _stored(records, by, hours)
        rest = _rest(records.folder, positions)
        if rest is not None:
            return [*rows, *(row for row in sums(rest) if hours[0] <= row[0] < hours[1])]
    raise Moved


async def _stored(records: Records, by: Sequence[str], hours: Hours) -> tuple[list[Sequence[Any]], dict[str, int]]:
    """Sums, and how far the journal is in them: one statement, so that they are of one moment."""
    wanted = {*by, "target"} if "provider" in by else set(by)
    grouped = [sql.quoted([name]) for name in GROUPS if name in wanted]
    columns = ["0", *(sql.quoted([name]) if name in wanted else "''" for name in GROUPS)]
    if wanted & PERIODS.keys():
        grouped, columns = ["hour", *grouped], ["hour", *columns[1:]]
    columns += (f"SUM({name})" for name in SUMS)
    groups = f"GROUP BY {', '.join(grouped)}" if grouped else ""
    places = ["-1", "segment", *["''"] * (len(GROUPS) - 1), "position", *["0"] * (len(SUMS) - 1)]
    text = (
        f"SELECT {', '.join(columns)} FROM sums WHERE hour >= ? AND hour < ? {groups} "  # noqa: S608 - our names
        f"UNION ALL SELECT {', '.join(places)} FROM drained WHERE source = ?"
    )
    first = len(GROUPS) + 1
    rows = await records.rows(text, *hours, records.source())
    positions = {str(row[1]): int(row[first]) for row in rows if row[0] == -1}
    return [row for row in rows if row[0] != -1 and row[first] is not None], positions


def _rest(folder: Path, positions: dict[str, int]) -> list[Row] | None:
    """What is not in the database; None where a segment went while it was read."""
    found: dict[str, Row] = {}
    for path, start, end in undrained(folder, positions):
        place = start
        while place < end and (data := lines(path, place, BLOCK)):
            place += len(data)
            found.update((entry.row.id, entry.row) for entry in map(read, data.split(b"\n")[:-1]) if entry is not None)
        if not path.exists():
            return None
    return list(found.values())


def _named(by: Sequence[str], hour: int, groups: Sequence[str]) -> tuple[str, ...]:
    named = dict(zip(GROUPS, groups, strict=True))
    named["provider"] = named["target"].partition("/")[0]
    for period in set(by) & PERIODS.keys():
        named[period] = datetime.fromtimestamp(hour * HOUR, UTC).strftime(PERIODS[period])
    return tuple(named[name] for name in by)


def whole_hours(since: datetime, until: datetime) -> Hours:
    """The hours in which some of this time is."""
    return int(since.timestamp() // HOUR), int(-(-until.timestamp() // HOUR))


def month(text: str) -> tuple[datetime, datetime]:
    """The beginning of `2026-11`, in UTC, and of the month after it. Raises ValueError."""
    first = datetime.strptime(text, "%Y-%m").replace(tzinfo=UTC)
    return first, first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)


def dimensions(text: str) -> tuple[str, ...]:
    """Of `team,model`. Raises ValueError."""
    found = tuple(filter(None, map(str.strip, text.split(","))))
    for name in found:
        if name not in DIMENSIONS:
            raise ValueError(f"{name!r} is none of {', '.join(DIMENSIONS)}")
    if len(found) > MOST or len(set(found)) != len(found):
        raise ValueError(f"give up to {MOST} different ones")
    return found
