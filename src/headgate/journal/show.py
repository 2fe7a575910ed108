"""Records on a terminal: a table, one record in full, or the lines as they are for programs."""

from __future__ import annotations

import io
import os
import shutil
import sys
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, TextIO, cast, get_args

import click
import msgspec

from headgate.core.printable import json_safe, printable
from headgate.core.record import Ending, Record
from headgate.journal.read import Filter, Stored, find, follow, latest, read

_COLOURS = {"complete": "green", "failed": "red", "refused": "yellow", "cut": "red", "cancelled": "magenta"}
_FOLLOWED = 10


class _Column(NamedTuple):
    """`rank` orders what goes first when the terminal is narrow (0 stays); `wide` is how far it may grow."""

    title: str
    rank: int
    narrow: int
    wide: int
    right: bool = False


_COLUMNS = (
    _Column("TIME", 0, 8, 23),
    _Column("ID", 0, 30, 30),
    _Column("KEY", 5, 6, 16),
    _Column("MODEL", 4, 8, 24),
    _Column("TARGET", 1, 12, 40),
    _Column("STATUS", 0, 6, 6, right=True),
    _Column("ENDING", 2, 9, 9),
    _Column("IN", 7, 7, 7, right=True),
    _Column("OUT", 6, 6, 6, right=True),
    _Column("TTFT", 8, 7, 7, right=True),
    _Column("DURATION", 3, 8, 8, right=True),
    _Column("TRIES", 9, 5, 5, right=True),
)


def show(
    data_dir: Path,
    *,
    follow: bool = False,
    as_json: bool = False,
    id: str | None = None,
    key: str | None = None,
    model: str | None = None,
    target: str | None = None,
    status: str | int | None = None,
    ending: str | None = None,
    since: datetime | None = None,
    limit: int | None = None,
) -> None:
    """Print the records of `data_dir` that pass every filter given, oldest first, to standard output.

    `status` is 429 or 5xx; `target` provider/model or a provider; a `since` without a time zone is local; `limit`
    takes the latest so many (None: all; when following, the latest 10 come first). Raises click.BadParameter for a
    filter that can never match, click.ClickException where the journal cannot be read.
    """
    folder = data_dir / "journal"
    want = Filter(id, key, model, target, _statuses(status), _ending(ending), since.timestamp() if since else None)
    out = sys.stdout
    if isinstance(out, io.TextIOWrapper):
        out.reconfigure(errors="replace")
    try:
        count = _print(_chosen(folder, want, follow, limit), out, as_json=as_json, full=id is not None, live=follow)
        out.flush()
    except BrokenPipeError:
        _close_quietly()
        return
    except KeyboardInterrupt:
        return
    except OSError as error:
        raise click.ClickException(f"the records in {folder} cannot be read: {error.strerror}") from error
    if not count:
        click.echo(_nothing(folder, filtered=want != Filter()), err=True)


def _chosen(folder: Path, want: Filter, following: bool, limit: int | None) -> Iterable[Stored]:
    if want.id is not None and not following:
        found = find(folder, want.id)
        return [found] if found and want.passes(found.record) else []
    if following:
        return follow(folder, want, last=_FOLLOWED if limit is None else limit)
    return read(folder, want) if limit is None else latest(folder, limit, want)


def _print(stored: Iterable[Stored], out: TextIO, *, as_json: bool, full: bool, live: bool) -> int:
    terminal = out.isatty()
    colour = terminal and "NO_COLOR" not in os.environ
    table = None if as_json or full else _Table(shutil.get_terminal_size().columns if terminal else None, colour)
    count = 0
    for one in stored:
        if table is None:
            text = one.raw.decode("utf-8", "replace")
            out.write(f"{json_safe(text) if terminal else text}\n" if as_json else _in_full(one.record, colour))
        else:
            if not count:
                out.write(table.head())
            out.write(table.line(one.record))
        count += 1
        if live:
            out.flush()
    return count


class _Table:
    """Lines of columns whose widths are settled at the start, so that a followed journal stays aligned."""

    def __init__(self, width: int | None, colour: bool) -> None:
        self.colour = colour
        self.columns = list(_COLUMNS)
        if width is None:
            self.widths = [column.wide for column in self.columns]
            return
        while len(self.columns) > 1 and self._least() > width:
            last = max(self.columns, key=lambda column: column.rank)
            if not last.rank:
                break
            self.columns.remove(last)
        spare = width - self._least()
        self.widths = []
        for column in self.columns:
            more = max(0, min(column.wide - column.narrow, spare))
            if column.title == "TIME" and more < column.wide - column.narrow:
                more = 0  # the time of day, or date and time
            self.widths.append(column.narrow + more)
            spare -= more

    def _least(self) -> int:
        return sum(column.narrow + 1 for column in self.columns) - 1

    def head(self) -> str:
        cells = [_fit(c.title, width, c.right) for c, width in zip(self.columns, self.widths, strict=True)]
        line = " ".join(cells).rstrip()
        return (click.style(line, bold=True) if self.colour else line) + "\n"

    def line(self, record: Record) -> str:
        values = _cells(record, short_time=self.widths[0] < _COLUMNS[0].wide)
        cells = []
        for column, width in zip(self.columns, self.widths, strict=True):
            cell = _fit(values[column.title], width, column.right)
            if self.colour and column.title in ("STATUS", "ENDING"):
                cell = click.style(cell, fg=_COLOURS.get(record.ending))
            cells.append(cell)
        return " ".join(cells).rstrip() + "\n"


def _fit(text: str, width: int, right: bool) -> str:
    text = printable(text)
    if len(text) > width:
        return text[: width - 1] + "…"
    return text.rjust(width) if right else text.ljust(width)


def _cells(record: Record, *, short_time: bool) -> dict[str, str]:
    usage = record.usage
    return {
        "TIME": _moment(record.time)[11:19] if short_time else _moment(record.time),
        "ID": record.id,
        "KEY": record.key or "-",
        "MODEL": record.model or "-",
        "TARGET": record.target or "-",
        "STATUS": str(record.status or "-"),
        "ENDING": record.ending,
        "IN": str(usage.prompt) if usage else "-",
        "OUT": str(usage.completion) if usage else "-",
        "TTFT": _seconds(record.first_token),
        "DURATION": _seconds(record.duration),
        "TRIES": str(len(record.attempts)) if len(record.attempts) > 1 else "",
    }


def _moment(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds).isoformat(sep=" ", timespec="milliseconds")  # the reader's local time
    except (ValueError, OverflowError, OSError):
        return str(seconds)


def _seconds(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value * 1000:.0f}ms" if value < 1 else f"{value:.1f}s"


def _in_full(record: Record, colour: bool) -> str:
    fields = cast("dict[str, Any]", msgspec.to_builtins(record))
    fields = {"time": _moment(record.time), **{k: v for k, v in fields.items() if k != "time"}, "ending": record.ending}
    for name in ("first_token", "duration"):
        if name in fields:
            fields[name] = _seconds(fields[name])
    width = max(map(len, fields)) + 2
    lines = []
    for name, value in fields.items():
        label = name.ljust(width)
        first, *rest = list(_readable(value))
        lines.append((click.style(label, bold=True) if colour else label) + first)
        lines += [" " * width + line for line in rest]
    return "\n".join(lines) + "\n"


def _readable(value: Any) -> Iterator[str]:
    """A value of a record as one or more lines."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            lines = list(_readable(item))
            if len(lines) == 1:
                yield f"{printable(str(key))}: {lines[0]}"
            else:
                yield f"{printable(str(key))}:"
                yield from (f"  {line}" for line in lines)
    elif isinstance(value, list) and value:
        for number, item in enumerate(value, 1):
            yield f"{number}. {'  '.join(_readable(item))}"
    else:
        yield printable(str(value))


def _statuses(status: str | int | None) -> tuple[int, int] | None:
    if status is None:
        return None
    text = str(status).lower()
    if len(text) == 3 and text[0].isdigit() and text[1:] == "xx":
        return int(text[0]) * 100, int(text[0]) * 100 + 99
    if not (text.isascii() and text.isdigit()):
        raise click.BadParameter(f"{text!r} is no status: give a number such as 429, or a class such as 5xx")
    return int(text), int(text)


def _ending(ending: str | None) -> Ending | None:
    if ending is not None and ending not in get_args(Ending):
        raise click.BadParameter(f"{ending!r} is no ending: {', '.join(get_args(Ending))}")
    return cast("Ending | None", ending)


def _nothing(folder: Path, *, filtered: bool) -> str:
    if not folder.is_dir():
        return f"there is no journal in {folder} yet: `headgate serve` with this data_dir writes it"
    return "no record matches" if filtered else f"no record yet in {folder}"


def _close_quietly() -> None:
    """What reads the output has gone (`| head`): nothing more is written, and Python's own last flush says nothing."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
