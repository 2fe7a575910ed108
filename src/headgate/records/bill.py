"""`headgate usage`: what was used and spent, as a table, as JSON, or as CSV for whoever is charged for it."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click

from headgate.core.columns import Column, room, table
from headgate.core.money import Currency, dollars
from headgate.core.printable import printable
from headgate.records.reading import Records
from headgate.records.sums import SUMS, percentile
from headgate.records.usage import Counts, Moved, Question, Sums, Usage, usage
from headgate.store.database import StoreAway

T = TypeVar("T")
MONEY = ("cost", "saved", "saved_routing", "wasted")
MEANS = {"duration": ("answered", "seconds"), "first_token": ("first_tokens", "seconds_to_first_token")}
"""Of sums of time: what they are divided by, and what the mean is called."""
SHARES = (50, 95, 99)
"""Percentiles."""
COLUMNS = (
    Column("REQUESTS", 0, right=True), Column("ERRORS", 2, right=True), Column("TOKENS IN", 1, right=True),
    Column("CACHED", 4, right=True), Column("OUT", 1, right=True), Column("COST $", 0, right=True),
    Column("UNPRICED", 3, right=True), Column("TTFT", 6, right=True), Column("TOOK", 5, right=True),
    Column("P95", 5, right=True),
)  # fmt: skip


def bill(
    data_dir: Path, url: str | None, question: Question, top: int | None, how: str | None, currency: Currency | None
) -> None:
    """Print it to standard output: as a table, or `how` says, `json` or `csv`. Raises click.ClickException."""
    found = asked(data_dir, url, question)
    shown = found.items[:top]
    if how == "csv":
        click.echo(as_csv(found, shown, currency), nl=False)
    elif how == "json":
        click.echo(json.dumps(as_json(found, shown, currency), indent=2, ensure_ascii=False))
    else:
        for line in _table(found, shown, currency):
            click.echo(line)


def asked(data_dir: Path, url: str | None, question: Question) -> Usage:
    """What was used. Raises click.ClickException."""

    return answer(data_dir, url, lambda records: usage(records, question))


def answer(data_dir: Path, url: str | None, ask: Callable[[Records], Awaitable[T]]) -> T:
    """What is asked of the records. Raises click.ClickException."""

    async def asking() -> T:
        records = Records(data_dir, url)
        try:
            return await ask(records)
        finally:
            await records.close()

    try:
        return asyncio.run(asking())
    except StoreAway as away:
        raise click.ClickException(f"the database of records is away: {away}") from away
    except Moved as moved:
        raise click.ClickException("the journal moved while it was read: try again") from moved
    except OSError as error:
        raise click.ClickException(f"the records in {data_dir} cannot be read: {error.strerror}") from error


def told(values: Sums, counts: Counts | None = None, currency: Currency | None = None) -> dict[str, Any]:
    """By name: whole numbers, exact amounts of US dollars, mean seconds (None: of nothing). `counts` None: percentiles
    are not known."""
    found: dict[str, Any] = dict(zip(SUMS, values, strict=True))
    cost = found["cost"]
    for name in MONEY:
        found[name] = dollars(found[name])
    if currency is not None:
        found[f"cost_{currency.code}"] = currency.told(cost)
    for place, (name, (count, mean)) in enumerate(MEANS.items()):
        micros = found.pop(name)
        found[mean] = round(micros / found[count] / 1e6, 3) if found[count] else None
        for share in SHARES:
            some = {bucket: both[place] for bucket, both in (counts or {}).items()}
            found[f"{mean}_p{share}"] = percentile(some, share)
    del found["first_tokens"]
    return found


def as_csv(found: Usage, shown: Sequence[tuple[tuple[str, ...], Sums]], currency: Currency | None) -> str:
    out = io.StringIO()
    written = csv.writer(out)
    written.writerow([*found.question.by, *told(found.total, None, currency)])
    for names, values in shown:
        written.writerow([*map(plain, names), *told(values, found.counts.get(names), currency).values()])
    return out.getvalue()


def plain(name: str) -> str:
    """A spreadsheet takes what begins so for a formula."""
    return f"'{name}" if name.startswith(("=", "+", "-", "@", "\t", "\r")) else name


def as_json(found: Usage, shown: Sequence[tuple[tuple[str, ...], Sums]], currency: Currency | None) -> dict[str, Any]:
    question = found.question
    since, until = (_moment(second) for second in question.span)
    items = [
        {
            **{of: name or None for of, name in zip(question.by, names, strict=True)},
            **told(values, found.counts.get(names), currency),
        }
        for names, values in shown
    ]
    said: dict[str, Any] = {"since": since, "until": until, "zone": str(question.zone), "by": list(question.by)}
    if currency is not None:
        said |= {"currency": {"code": currency.code, "rate": f"{currency.rate:f}"}}
    return {**said, "items": items, "total": told(found.total, _all(found.counts), currency)}


def _all(counts: dict[tuple[str, ...], Counts]) -> Counts:
    total: Counts = {}
    for each in counts.values():
        for bucket, both in each.items():
            before = total.get(bucket, [0] * len(both))
            total[bucket] = [one + other for one, other in zip(before, both, strict=True)]
    return total


def _moment(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%MZ")


def _table(found: Usage, shown: Sequence[tuple[tuple[str, ...], Sums]], currency: Currency | None) -> Iterator[str]:
    question = found.question
    yield f"From {_moment(question.span[0])} to {_moment(question.span[1])}"
    columns = [*(Column(name.upper(), 0) for name in question.by), *COLUMNS]
    if currency is not None:
        columns.append(Column(f"COST {currency.code}", 1, right=True))
    rows = [
        [*(printable(name) or "-" for name in names), *_cells(told(values, found.counts.get(names), currency))]
        for names, values in shown
    ]
    if question.by:
        total = _cells(told(found.total, _all(found.counts), currency))
        rows.append(["all", *[""] * (len(question.by) - 1), *total])
    else:
        rows = [_cells(told(found.total, _all(found.counts), currency))]
    yield from table(columns, rows, room())
    if len(shown) < len(found.items):
        yield f"{len(found.items) - len(shown)} more, which are in the last line, too"
    if currency is not None:
        yield f"1 USD = {currency.rate:f} {currency.code}"


def _cells(said: dict[str, Any]) -> list[str]:
    errors = said["errors_gateway"] + said["errors_provider"]
    times = [said["seconds_to_first_token"], said["seconds"], said["seconds_p95"]]
    numbers = [said["requests"], errors, said["input"], said["cache_read"], said["output"]]
    more = [value for name, value in said.items() if name.startswith("cost_")]
    seconds = ["-" if value is None else f"{value:.2f}s" for value in times]
    return [*(f"{number:,}" for number in numbers), said["cost"], f"{said['unpriced']:,}", *seconds, *more]
