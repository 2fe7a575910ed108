"""Tables and blocks for people: what goes first where a terminal is too narrow, and the lines."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from headgate.core.printable import printable


class Column(NamedTuple):
    """`rank` orders what goes first where there is no room; 0 stays."""

    title: str
    rank: int
    right: bool = False


def room() -> int | None:
    """Characters of a line of the terminal; None where the output is for a file or a program."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]], room: int | None) -> Iterator[str]:
    """The line of titles, then a line for each row; with only the columns that fit into `room`."""
    widths = [len(column.title) for column in columns]
    for row in rows:
        widths = [max(width, len(cell)) for width, cell in zip(widths, row, strict=True)]
    shown = list(range(len(columns)))
    while room is not None and sum(widths[i] + 2 for i in shown) - 2 > room:
        last = max(shown, key=lambda i: columns[i].rank)
        if columns[last].rank == 0:
            break
        shown.remove(last)
    for cells in ([column.title for column in columns], *rows):
        padded = (cells[i].rjust(widths[i]) if columns[i].right else cells[i].ljust(widths[i]) for i in shown)
        yield "  ".join(padded).rstrip()


def block(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Lines of one thing told in full: the name of a field, or as much space, and what there is to say of it."""
    width = max(map(len, fields), default=0) + 2
    for name, value in fields.items():
        label = printable(name).ljust(width)
        for line in readable(value):
            yield label, line
            label = " " * width


def readable(value: Any) -> Iterator[str]:
    """A value as one or more lines."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            lines = list(readable(item))
            if len(lines) == 1:
                yield f"{printable(str(key))}: {lines[0]}"
            else:
                yield f"{printable(str(key))}:"
                yield from (f"  {line}" for line in lines)
    elif isinstance(value, list) and value:
        for number, item in enumerate(value, 1):
            yield f"{number}. {'  '.join(readable(item))}"
    else:
        yield printable(str(value))
