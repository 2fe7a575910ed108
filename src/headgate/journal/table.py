"""Records as a table that fits its terminal: what matters least goes first, and nothing is cut that had room."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import NamedTuple

import click

from headgate.core.ids import SHORT
from headgate.core.printable import printable
from headgate.core.record import Record

_COLOURS = {"complete": "green", "failed": "red", "refused": "yellow", "cut": "red", "cancelled": "magenta"}
_COLOURED = frozenset({"HTTP", "ENDING", "ERROR"})
_ID_LENGTH = 30
_DATE_AND_TIME, _SHORT_DATE = 23, 14


class Column(NamedTuple):
    """`rank` orders what goes first where there is no room (0 stays). It has `narrow` to `wide` characters; in `fair`
    ones most values can be read. With `forms` it has exactly one of those widths.
    """

    title: str
    rank: int
    narrow: int
    fair: int
    wide: int
    right: bool = False
    forms: tuple[int, ...] = ()


_COLUMNS = (
    Column("TIME", 3, 8, 8, _DATE_AND_TIME, forms=(8, _SHORT_DATE, _DATE_AND_TIME)),
    Column("ID", 0, 11, 11, _ID_LENGTH, forms=(11, _ID_LENGTH)),
    Column("KEY", 5, 6, 11, 16),
    Column("MODEL", 1, 8, 16, 24),
    Column("TARGET", 4, 10, 25, 40),
    Column("IN/OUT", 6, 9, 12, 15, right=True),
    Column("HTTP", 0, 4, 4, 4, right=True),
    Column("ENDING", 10, 9, 9, 9),
    Column("ERROR", 2, 10, 20, 30),
    Column("TTFT", 8, 6, 6, 6, right=True),
    Column("TOOK", 7, 6, 6, 6, right=True),
    Column("TRIES", 9, 5, 5, 5, right=True),
)
_EXTRA = 8
"""Columns from this rank on stand only where the others have a fair width."""
_GROWING = ("TARGET", "MODEL", "ERROR", "KEY", "IN/OUT", "TIME", "ID")


class Table:
    """Lines of columns whose widths are settled at the start, so that a followed journal stays aligned."""

    def __init__(self, width: int | None, *, colour: bool, zone: tzinfo, known: Sequence[Record] | None = None) -> None:
        """`width` None: as wide as it gets. `zone` is that of the times. `known` are its records where all are."""
        self.colour = colour
        self.zone = zone
        if width is None:
            self.widths = {column.title: column.wide for column in _COLUMNS}
        else:
            columns = _COLUMNS if known is None else [_needed(column, known, zone) for column in _COLUMNS]
            self.widths = _settled(_chosen(columns, width), width)
        self.columns = [column for column in _COLUMNS if column.title in self.widths]

    def head(self) -> str:
        cells = []
        for column in self.columns:
            width = self.widths[column.title]
            title = _zoned(self.zone, width) if column.title == "TIME" else column.title
            cells.append(_fit(title, width, column.right))
        line = " ".join(cells).rstrip()
        return (click.style(line, bold=True) if self.colour else line) + "\n"

    def line(self, record: Record) -> str:
        cells = []
        told = "ENDING" in self.widths
        for column in self.columns:
            width = self.widths[column.title]
            cell = _fit(_cell(column.title, record, width, self.zone, told), width, column.right)
            if self.colour and column.title in _COLOURED:
                cell = click.style(cell, fg=_COLOURS.get(record.ending))
            cells.append(cell)
        return " ".join(cells).rstrip() + "\n"


def _cell(title: str, record: Record, width: int, zone: tzinfo, told: bool) -> str:
    match title:
        case "TIME":
            return _time(record.time, zone, width)
        case "ID":
            return _id(record.id, width)
        case "KEY":
            return record.key or "-"
        case "MODEL":
            return _model(record, width)
        case "TARGET":
            return record.target or "-"
        case "IN/OUT":
            return _tokens(record, width)
        case "HTTP":
            return str(record.status or "-")
        case "ENDING":
            return record.ending
        case "ERROR":
            return _error(record, told)
        case "TTFT":
            return seconds(record.first_token)
        case "TOOK":
            return seconds(record.duration)
        case _:
            return str(len(record.attempts)) if len(record.attempts) > 1 else ""


def _needed(column: Column, known: Sequence[Record], zone: tzinfo) -> Column:
    """The column no wider than its longest value."""
    if column.forms:
        return column
    values = (printable(_cell(column.title, record, column.wide, zone, False)) for record in known)
    need = max(len(column.title), max(map(len, values), default=0))
    whole = min(column.wide, need)
    return column._replace(narrow=min(column.narrow, need), fair=whole, wide=whole)


def _chosen(columns: Sequence[Column], width: int) -> list[Column]:
    """The columns there is room for."""
    left = sorted(columns, key=lambda column: column.rank)
    while left[-1].rank >= _EXTRA and sum(column.fair + 1 for column in left) - 1 > width:
        left.pop()
    while left[-1].rank and sum(column.narrow + 1 for column in left) - 1 > width:
        left.pop()
    return left


def _settled(columns: Sequence[Column], width: int) -> dict[str, int]:
    """How wide each is: first all that can grow to a fair width, then as far as there is room."""
    widths = {column.title: column.narrow for column in columns}
    spare = width - sum(widths.values()) - len(widths) + 1
    growing = sorted((c for c in columns if c.title in _GROWING), key=lambda column: _GROWING.index(column.title))
    for goals in ([column.fair for column in growing], [column.wide for column in growing]):
        for column, goal in zip(growing, goals, strict=True):
            now = widths[column.title]
            most = min(goal, now + max(spare, 0))
            if column.forms:
                most = max((form for form in column.forms if form <= most), default=now)
            widths[column.title] = max(now, most)
            spare -= widths[column.title] - now
    return widths


def _fit(text: str, width: int, right: bool) -> str:
    """Cut in the middle: names of models, paths and codes differ at both ends."""
    text = printable(text)
    if len(text) > width:
        tail = width // 2
        text = f"{text[: width - 1 - tail]}…{text[len(text) - tail :]}"
    return text.rjust(width) if right else text.ljust(width)


def moment(unix: float, zone: tzinfo) -> str:
    """Date and time in `zone` to the millisecond (23 characters); the number itself where it is no time."""
    try:
        return datetime.fromtimestamp(unix, zone).replace(tzinfo=None).isoformat(sep=" ", timespec="milliseconds")
    except (ValueError, OverflowError, OSError):
        return str(unix)


def offset(zone: tzinfo) -> str:
    """UTC, or such as UTC+02:00."""
    text = datetime.now(zone).isoformat()[-6:]
    return "UTC" if text == "+00:00" else f"UTC{text}"


def _time(unix: float, zone: tzinfo, width: int) -> str:
    text = moment(unix, zone)
    if width >= _DATE_AND_TIME or len(text) != _DATE_AND_TIME:
        return text
    return text[5:19] if width >= _SHORT_DATE else text[11:19]


def _zoned(zone: tzinfo, width: int) -> str:
    """The title of the column of times, which says their zone once for all."""
    name = offset(zone)
    if width >= _DATE_AND_TIME:
        return f"TIME ({name})"
    if len(name) + len("TIME ") <= width:
        return f"TIME {name}"
    short = name.replace("+0", "+").replace("-0", "-").removesuffix(":00")
    return short if len(short) <= width else short.removeprefix("UTC")


def _id(id: str, width: int) -> str:
    """Where it does not fit, the part that tells it from others, which a filter for ids takes as well."""
    if len(id) <= width:
        return id
    return id[SHORT] if len(id) == _ID_LENGTH else id[-width:]


def _model(record: Record, width: int) -> str:
    """What was asked for, or the path. A model called by its target's name drops the provider where it does not fit."""
    model = record.model
    if model is None:
        return record.path or "-"
    return model.partition("/")[2] if len(model) > width and model == record.target else model


def _tokens(record: Record, width: int) -> str:
    usage = record.usage
    if usage is None:
        return "-"
    text = f"{usage.prompt}/{usage.completion}"
    return text if len(text) <= width else f"{_rounded(usage.prompt)}/{_rounded(usage.completion)}"


def _rounded(number: int) -> str:
    """At most four characters, rounded down: 999, 1.2k, 128k, 1.0M."""
    for unit, size in (("M", 1_000_000), ("k", 1_000)):
        if number >= 10 * size:
            return f"{number // size}{unit}"
        if number >= size:
            return f"{number * 10 // size / 10}{unit}"
    return str(number)


def _error(record: Record, told: bool) -> str:
    """The code, in front of it whose error it was; without an error the ending, unless another column has `told` it."""
    if record.error is None:
        return "-" if told or record.ending == "complete" else record.ending
    if record.origin is None or record.error.startswith(f"{record.origin}_"):
        return record.error
    return f"{record.origin}:{record.error}"


def seconds(value: float | None) -> str:
    """At most six characters below 100,000 seconds: 210ms, 1.5s, 1200s."""
    if value is None:
        return "-"
    if value < 1:
        return f"{value * 1000:.0f}ms"
    return f"{value:.1f}s" if value < 999.95 else f"{value:.0f}s"
