"""What was used and spent, by whom and of what: the sums in the database, and what still waits in the journal.

Sums by the hour answer most questions. What they do not tell apart (end users, tags …), and days of a time zone that do
not begin with an hour of UTC, are summed from the requests themselves: exact as well, and slower.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from math import floor
from pathlib import Path
from typing import NamedTuple

from headgate.records import statements as sql
from headgate.records.drain import lines
from headgate.records.reading import Records
from headgate.records.row import BETWEEN, TEXTS, Entry, Row, read
from headgate.records.search import Condition, Scope
from headgate.records.status import undrained
from headgate.records.sums import COUNTS, GROUPS, HOUR, SPREAD, SUMS, spreads, sums

PERIODS = {"hour": "%Y-%m-%dT%H:00", "day": "%Y-%m-%d", "week": "%G-W%V", "month": "%Y-%m"}
"""As they are written."""
OTHERS = ("end_user", "client", "ending", "error", "origin", "data_class", "fingerprint")
"""Columns that are not in the sums."""
DIMENSIONS = (*GROUPS, "provider", *OTHERS, "tag", *PERIODS)
TAG = "tag:"
"""With a name behind it: what stands behind `name=` in a tag, such as `search` of `feature=search`."""
MOST = 2
BLOCK = 4 << 20
TRIES = 5
DAY = 86_400
QUARTER = 900
"""Seconds of which requests are summed together where not by the hour: time zones differ by them."""
Span = tuple[int, int]
"""Unix seconds: from one on, before the other."""
Sums = list[int]
"""In the order of SUMS."""
Counts = dict[int, list[int]]
"""By the bucket of time: how many requests took so long, and to how many the first piece came then."""


class Moved(Exception):
    """The journal was moved into the database while both were read, time and again."""


class Question(NamedTuple):
    """`where`: values of dimensions, "" for none; `scope` None: everybody's requests."""

    by: Sequence[str]
    span: Span
    where: Mapping[str, str] = {}
    scope: Scope | None = None
    zone: tzinfo = UTC
    order: str = "cost"


class Usage(NamedTuple):
    """Sums by the values of some dimensions ("": it has none), and of all; a request of several tags is in the sums of
    each of them, and once in those of all. `counts` are by the same values, where they are kept so."""

    question: Question
    items: list[tuple[tuple[str, ...], Sums]]
    total: Sums
    counts: dict[tuple[str, ...], Counts]


class Table(NamedTuple):
    """Where sums come from: `slot` is SQL for the time, in units of `unit` seconds; `columns` and `sums` by name."""

    name: str
    unit: int
    slot: str
    columns: Mapping[str, str]
    sums: Mapping[str, str]


class Of(NamedTuple):
    """Some requests summed: when, the values of columns, and sums."""

    slot: int
    values: Sequence[str]
    sums: Sequence[int]


def _plain(names: Sequence[str]) -> dict[str, str]:
    return {name: sql.quoted([name]) for name in names}


_ASKED, _WHOLE = "kind = 'request'", "kind = 'request' AND ending = 'complete'"
_COUNTED = {
    "requests": (_ASKED, "1"), "answered": (_WHOLE, "1"), "errors_gateway": (f"{_ASKED} AND origin = 'gateway'", "1"),
    "errors_provider": (f"{_ASKED} AND origin = 'provider'", "1"), "retries": (_ASKED, "retries"),
    "duration": (_WHOLE, "duration"), "first_tokens": (f"{_WHOLE} AND first_token IS NOT NULL", "1"),
    "first_token": (_WHOLE, "COALESCE(first_token, 0)"),
}  # fmt: skip
"""What is added up of which requests; all else is of all."""
HOURS = Table("sums", HOUR, "hour", _plain(GROUPS), _plain(SUMS))
SPREADS = Table("spreads", HOUR, "hour", _plain(SPREAD[1:]), _plain(COUNTS))
REQUESTS = Table(
    "requests", QUARTER, f"CAST(FLOOR(time / {QUARTER}) AS BIGINT)",
    {name: f"COALESCE(CAST({text} AS TEXT), '')"
     for name, text in _plain([*GROUPS, *OTHERS, "provider", "tagged"]).items()},
    {name: f"CASE WHEN {_COUNTED[name][0]} THEN {_COUNTED[name][1]} ELSE 0 END" if name in _COUNTED
     else f"COALESCE({name}, 0)" for name in SUMS},
)  # fmt: skip


async def usage(records: Records, question: Question) -> Usage:
    """The largest first, by `order`; periods in their order. Raises StoreAway, OSError, Moved."""
    hourly = _by_the_hour(question)
    table = _daily(HOURS if hourly else REQUESTS, question)
    found: dict[tuple[str, ...], Sums] = {}
    total = [0] * len(SUMS)
    for each in await _rows(records, table, question, _columns(table, question)):
        _add(total, each.sums)
        for names in _named(table, question, each):
            _add(found.setdefault(names, [0] * len(SUMS)), each.sums)
    order, requests = SUMS.index(question.order), SUMS.index("requests")
    items = sorted(found.items(), key=lambda item: (-item[1][order], -item[1][requests], item[0]))
    if set(question.by) & PERIODS.keys():
        items.sort(key=lambda item: [name for name, of in zip(item[0], question.by, strict=True) if of in PERIODS])
    counts = await _counts(records, question) if hourly and _spread(question) else {}
    return Usage(question, items, total, counts)


def _add(into: Sums, values: Sequence[int]) -> None:
    for place, value in enumerate(values):
        into[place] += int(value)


async def _counts(records: Records, question: Question) -> dict[tuple[str, ...], Counts]:
    table = _daily(SPREADS, question)
    columns = _columns(table, question)
    found: dict[tuple[str, ...], Counts] = {}
    for each in await _rows(records, table, question, [*columns, "bucket"]):
        for names in _named(table, question, each):
            _add(found.setdefault(names, {}).setdefault(int(each.values[-1]), [0] * len(COUNTS)), each.sums)
    return found


def _by_the_hour(question: Question) -> bool:
    """Whether the sums tell what is asked for."""
    known = {*GROUPS, "provider", *PERIODS}
    moments = (*range(*question.span, 30 * DAY), question.span[1])  # a zone may have a summer of half an hour
    offsets = {datetime.fromtimestamp(moment, question.zone).utcoffset() for moment in moments}
    whole = all(offset is not None and not offset.total_seconds() % HOUR for offset in offsets)
    return {*question.by, *question.where} <= known and whole and not any(moment % HOUR for moment in question.span)


def _daily(table: Table, question: Question) -> Table:
    """The same by days, where nothing is asked for by the hour and days are those of UTC: there are fewer of them."""
    periods = set(question.by) & PERIODS.keys()
    if question.zone is not UTC or not periods or "hour" in periods:
        return table
    slot = f"{table.slot} / {DAY // table.unit}" if table.unit == HOUR else f"CAST(FLOOR(time / {DAY}) AS BIGINT)"
    return table._replace(unit=DAY, slot=slot)


def _spread(question: Question) -> bool:
    known = {"team", "model", "target", "provider", *PERIODS}
    alone = question.scope is None or question.scope.user is None
    return {*question.by, *question.where} <= known and alone


def _columns(table: Table, question: Question) -> list[str]:
    found = [_column(table, name) for name in question.by if name not in PERIODS]
    return list(dict.fromkeys(found))


def _column(table: Table, name: str) -> str:
    """Where the values of a dimension stand."""
    if name == "tag" or name.startswith(TAG):
        return "tagged"
    return "target" if name == "provider" and "provider" not in table.columns else name


async def _rows(records: Records, table: Table, question: Question, columns: Sequence[str]) -> list[Of]:
    """Of each record, either in the database or in the journal, never both."""
    for _ in range(TRIES):
        rows, positions = await _stored(records, table, question, columns)
        rest = _rest(records.folder, positions, question)
        if rest is not None:
            return [*rows, *_summed(table, columns, rest)]
    raise Moved


async def _stored(
    records: Records, table: Table, question: Question, columns: Sequence[str]
) -> tuple[list[Of], dict[str, int]]:
    """Sums, and how far the journal is in them: one statement, so that they are of one moment."""
    timed = bool(set(question.by) & PERIODS.keys())
    slot = table.slot if timed else "0"
    named = [*(table.columns[name] for name in columns), *([table.slot] if timed else [])]
    shown = [slot, *(table.columns[name] for name in columns), *(f"SUM({text})" for text in table.sums.values())]
    text, values = sql.together(_conditions(table, question))
    groups = f"GROUP BY {', '.join(named)}" if named else ""
    place = ["-1", *["0" if name == "bucket" else "segment" for name in columns], "position"]
    place += ["0"] * (len(table.sums) - 1)
    if not columns:
        shown, place = [shown[0], "''", *shown[1:]], [place[0], "segment", *place[1:]]
    statement = (
        f"SELECT {', '.join(shown)} FROM {table.name} WHERE {text} {groups} "  # noqa: S608 - our names
        f"UNION ALL SELECT {', '.join(place)} FROM drained WHERE source = ?"
    )
    first = 1 + max(len(columns), 1)
    rows = await records.rows(statement, *values, records.source())
    positions = {str(row[1]): int(row[first]) for row in rows if row[0] == -1}
    found = (Of(int(row[0]), row[1:first], row[first:]) for row in rows if row[0] != -1 and row[first] is not None)
    return list(found), positions


def _conditions(table: Table, question: Question) -> Iterator[Condition]:
    first, last = question.span
    if table.name == REQUESTS.name:
        yield "time >= ? AND time < ?", [float(first), float(last)]
    else:
        yield "hour >= ? AND hour < ?", [first // HOUR, -(-last // HOUR)]
    for name, value in question.where.items():
        column = table.columns[_column(table, name)]
        if name == "tag" and value:
            yield f"REPLACE({column}, ?, '') <> {column}", [BETWEEN + value[:TEXTS] + BETWEEN]  # LIKE may fold case
        elif name == "provider" and value and "provider" not in table.columns:
            yield f"SUBSTR({column} || '/', 1, ?) = ?", [len(value[:TEXTS]) + 1, f"{value[:TEXTS]}/"]
        else:
            yield f"{column} = ?", [value[:TEXTS]]
    if question.scope is not None:
        text, values = question.scope.condition
        yield text.replace("requests.", ""), values


def _rest(folder: Path, positions: Mapping[str, int], question: Question) -> list[Entry] | None:
    """What is asked for of what is not in the database; None where a segment went while it was read."""
    found: dict[str, Entry] = {}
    for path, start, end in undrained(folder, positions):
        place = start
        while place < end and (data := lines(path, place, BLOCK)):
            place += len(data)
            entries = (entry for entry in map(read, data.split(b"\n")[:-1]) if entry is not None)
            found.update((entry.row.id, entry) for entry in entries if _fits(question, entry.row))
        if not path.exists():
            return None
    return list(found.values())


def _fits(question: Question, row: Row) -> bool:
    if not question.span[0] <= row.time < question.span[1]:
        return False
    scope = question.scope
    if scope is not None and row.team not in scope.teams and (scope.user is None or row.user != scope.user):
        return False
    return all(
        value[:TEXTS] in _tags(row.tagged or "") if name == "tag" and value
        else _said(row, _column(REQUESTS, name)) == value[:TEXTS]
        for name, value in question.where.items()
    )  # fmt: skip


def _summed(table: Table, columns: Sequence[str], entries: Iterable[Entry]) -> Iterator[Of]:
    """Each by itself."""
    for entry in entries:
        row, width = entry.row, len(table.sums)
        slot = floor(row.time / table.unit)
        if table.name == SPREADS.name:
            named = [_said(row, name) for name in columns[:-1]]
            yield from (Of(slot, [*named, each[-1 - width]], each[-width:]) for each in spreads([row]))
        else:
            yield from (Of(slot, [_said(row, name) for name in columns], each[-width:]) for each in sums([row]))


def _said(row: Row, column: str) -> str:
    value = getattr(row, column)
    return "" if value is None else str(value)


def _named(table: Table, question: Question, each: Of) -> Iterator[tuple[str, ...]]:
    """The values of the dimensions; of tags, one after the other."""
    said = dict(zip(_columns(table, question), each.values, strict=False))
    found: list[tuple[str, ...]] = [()]
    for name in question.by:
        if name in PERIODS:
            moment = datetime.fromtimestamp(each.slot * table.unit, question.zone)
            mark = "Z" if name == "hour" and question.zone is UTC else ""
            values = [moment.strftime(PERIODS[name]) + mark]
        elif name == "tag":
            values = _tags(said["tagged"]) or [""]
        elif name.startswith(TAG):
            start = f"{name.removeprefix(TAG)}="
            mine = [tag.removeprefix(start) for tag in _tags(said["tagged"]) if tag.startswith(start)]
            values = [",".join(mine)]
        else:
            value = said[_column(table, name)]
            values = [value.partition("/")[0] if name == "provider" else value]
        found = [(*names, value) for names in found for value in values]
    return iter(found)


def _tags(text: str) -> list[str]:
    return [tag for tag in text.split(BETWEEN) if tag]
