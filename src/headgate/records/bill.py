"""`headgate usage`: what was used and spent, as a table, as JSON, or as CSV for whoever is charged for it."""

from __future__ import annotations

import asyncio
import csv
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from headgate.core.columns import Column, room, table
from headgate.core.money import dollars
from headgate.core.printable import printable
from headgate.records.reading import Records
from headgate.records.sums import HOUR, SUMS
from headgate.records.usage import Hours, Moved, Sums, Usage, usage
from headgate.store.database import StoreAway

MONEY = ("cost", "saved")
MICROS = ("duration", "first_token")
MEANS = {"duration": ("answered", "seconds"), "first_token": ("first_tokens", "seconds_to_first_token")}
"""Of sums of time: what they are divided by, and what the mean is called."""
COLUMNS = (
    Column("REQUESTS", 0, right=True), Column("ERRORS", 2, right=True), Column("TOKENS IN", 1, right=True),
    Column("CACHED", 4, right=True), Column("OUT", 1, right=True), Column("COST $", 0, right=True),
    Column("UNPRICED", 3, right=True), Column("TTFT", 6, right=True), Column("TOOK", 5, right=True),
)  # fmt: skip


def bill(data_dir: Path, url: str | None, by: tuple[str, ...], hours: Hours, top: int | None, how: str | None) -> None:
    """Print it to standard output: as a table, or `how` says, `json` or `csv`. Raises click.ClickException."""
    try:
        found = asyncio.run(_asked(data_dir, url, by, hours))
    except StoreAway as away:
        raise click.ClickException(f"the database of records is away: {away}") from away
    except Moved as moved:
        raise click.ClickException("the journal moved while it was read: try again") from moved
    except OSError as error:
        raise click.ClickException(f"the records in {data_dir} cannot be read: {error.strerror}") from error
    shown = found._replace(items=found.items[:top])
    if how == "csv":
        _csv(shown)
    elif how == "json":
        click.echo(json.dumps(_json(shown), indent=2, ensure_ascii=False))
    else:
        for line in _table(shown, len(found.items)):
            click.echo(line)


async def _asked(data_dir: Path, url: str | None, by: tuple[str, ...], hours: Hours) -> Usage:
    records = Records(data_dir, url)
    try:
        return await usage(records, by, hours)
    finally:
        await records.close()


def told(values: Sums) -> dict[str, Any]:
    """By name: whole numbers, exact amounts of US dollars, mean seconds (None: of nothing)."""
    found: dict[str, Any] = dict(zip(SUMS, values, strict=True))
    for name in MONEY:
        found[name] = dollars(found[name])
    for name, (count, mean) in MEANS.items():
        micros = found.pop(name)
        found[mean] = round(micros / found[count] / 1e6, 3) if found[count] else None
    del found["first_tokens"]
    return found


def _csv(found: Usage) -> None:
    out = csv.writer(sys.stdout)
    out.writerow([*found.by, *told(found.total)])
    for names, values in found.items:
        out.writerow([*map(_plain, names), *told(values).values()])


def _plain(name: str) -> str:
    """A spreadsheet takes what begins so for a formula."""
    return f"'{name}" if name.startswith(("=", "+", "-", "@", "\t", "\r")) else name


def _json(found: Usage) -> dict[str, Any]:
    since, until = (_moment(hour) for hour in found.hours)
    items = [
        {**{of: name or None for of, name in zip(found.by, names, strict=True)}, **told(values)}
        for names, values in found.items
    ]
    return {"since": since, "until": until, "by": list(found.by), "items": items, "total": told(found.total)}


def _moment(hour: int) -> str:
    return datetime.fromtimestamp(hour * HOUR, UTC).strftime("%Y-%m-%dT%H:%MZ")


def _table(found: Usage, count: int) -> Iterator[str]:
    yield f"From {_moment(found.hours[0])} to {_moment(found.hours[1])}"
    columns = [*(Column(name.upper(), 0) for name in found.by), *COLUMNS]
    rows = [[*(printable(name) or "-" for name in names), *_cells(values)] for names, values in found.items]
    if found.by:
        rows.append(["all", *[""] * (len(found.by) - 1), *_cells(found.total)])
    yield from table(columns, rows, room())
    if len(found.items) < count:
        yield f"{count - len(found.items)} more, which are in the last line, too"


def _cells(values: Sums) -> list[str]:
    said = told(values)
    errors = said["errors_gateway"] + said["errors_provider"]
    means = ["-" if said[mean] is None else f"{said[mean]:.2f}s" for _, mean in reversed(MEANS.values())]
    numbers = [said["requests"], errors, said["input"], said["cache_read"], said["output"]]
    return [*(f"{number:,}" for number in numbers), said["cost"], f"{said['unpriced']:,}", *means]
