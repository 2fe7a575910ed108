"""Prints the catalogue: models as a table or as JSON, and all that is known of one of them."""

from __future__ import annotations

import difflib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import click

from headgate.catalog.entry import Entry
from headgate.catalog.shelf import Shelf, bundled, kinds
from headgate.core.columns import Column, room, table
from headgate.core.printable import printable


@dataclass(frozen=True)
class Wanted:
    """Which models are shown; all that is given must fit. `price` is the most for a million tokens of input."""

    provider: Sequence[str] = ()
    operation: str | None = None
    takes: Sequence[str] = ()
    gives: Sequence[str] = ()
    can: Sequence[str] = ()
    context: int | None = None
    price: Decimal | None = None
    search: str | None = None
    retired: bool = False

    def fits(self, entry: Entry, now: datetime) -> bool:
        return (
            (not self.provider or entry.provider in self.provider)
            and (self.operation is None or self.operation in entry.ops.split())
            and {*self.takes} <= {*entry.takes.split()}
            and {*self.gives} <= {*entry.gives.split()}
            and {*self.can} <= {*entry.can.split()}
            and (self.context is None or (entry.context or 0) >= self.context)
            and (self.price is None or self._cheap(entry.rate("input", now)))
            and self._found(f"{entry.provider}/{entry.id}".lower())
            and (self.retired or entry.lifecycle(now.date()) != "retired")
        )

    def _cheap(self, rate: Decimal | None) -> bool:
        return rate is not None and self.price is not None and rate <= self.price

    def _found(self, name: str) -> bool:
        return self.search is None or all(word in name for word in self.search.lower().split())


def everything() -> dict[str, Shelf]:
    """All that came along, by kind of provider."""
    return {kind: Shelf(kind, [layer]) for kind in kinds() if (layer := bundled(kind)) is not None}


def listed(shelves: Mapping[str, Shelf], wanted: Wanted) -> Iterator[Entry]:
    now = datetime.now(UTC)
    chosen = wanted.provider or shelves
    return (entry for name in chosen if name in shelves for entry in shelves[name].models() if wanted.fits(entry, now))


def show_list(shelves: Mapping[str, Shelf], wanted: Wanted, *, as_json: bool, count: bool) -> int:
    """Prints the models; gives the exit code: 1 where a provider is not there."""
    unknown = [name for name in wanted.provider if name not in shelves]
    if unknown:
        near = difflib.get_close_matches(unknown[0], shelves, n=3)
        hint = f"did you mean {', '.join(near)}?" if near else f"there are {', '.join(shelves)}"
        click.echo(f"headgate: nothing is known of a provider {printable(unknown[0])}; {hint}", err=True)
        return 1
    found = listed(shelves, wanted)
    if count:
        click.echo(json.dumps(sum(1 for _ in found)))
    elif as_json:
        click.echo(json.dumps([_as_json(entry, shelves[entry.provider]) for entry in found], indent=1))
    else:
        _table(list(found))
    return 0


def show_one(shelves: Mapping[str, Shelf], name: str, *, as_json: bool) -> int:
    """Prints all that is known of `provider/model`; gives the exit code: 1 where it is not there."""
    provider, _, model = name.partition("/")
    shelf = shelves.get(provider)
    entry = shelf.find(model) if shelf is not None else None
    if entry is None or shelf is None:
        click.echo(f"headgate: nothing is known of the model {printable(name)}{_near(shelves, name)}", err=True)
        return 1
    if as_json:
        click.echo(json.dumps(_as_json(entry, shelf), indent=1))
        return 0
    for label, value, source in _facts(entry, shelf, asked=model):
        dim = click.style(source, dim=True) if sys.stdout.isatty() else source
        click.echo(f"{label:<28} {value:<48} {dim}".rstrip())
    return 0


def _near(shelves: Mapping[str, Shelf], name: str) -> str:
    names = [f"{kind}/{entry.id}" for kind, shelf in shelves.items() for entry in shelf.models()]
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.6)
    return f"; did you mean {', '.join(near)}?" if near else "; `headgate models` lists what there is"


def _as_json(entry: Entry, shelf: Shelf) -> dict[str, Any]:
    """Every field, with its source."""
    now = datetime.now(UTC)
    words = {
        name: getattr(entry, field).split()
        for name, field in (
            ("operations", "ops"), ("takes", "takes"), ("gives", "gives"), ("can", "can"), ("cannot", "cannot"),
        )
    }  # fmt: skip
    plain = ("context", "max_input", "max_output", "dimensions", "released", "retires", "successor")
    facts = [field for field in ("ops", "takes", "gives", "can", "cannot", *plain) if getattr(entry, field)]
    rates = dict(entry.rates(now))
    return {
        "model": f"{entry.provider}/{entry.id}",
        "provider": entry.provider,
        "id": entry.id,
        "aliases": shelf.aliases(entry.id),
        "status": entry.lifecycle(now.date()),
        **words,
        **{name: getattr(entry, name) for name in plain},
        "rates": rates,
        "prices": entry.prices,
        "page": shelf.page(entry),
        "sources": {name: shelf.source(entry, name) for name in [*facts, *rates]},
    }


def _facts(entry: Entry, shelf: Shelf, asked: str) -> Iterator[tuple[str, str, str]]:
    """Label, value and source of all that is known."""
    now = datetime.now(UTC)
    yield "model", printable(f"{entry.provider}/{entry.id}"), ""
    if asked != entry.id:
        yield "asked for as", printable(asked), ""
    if aliases := shelf.aliases(entry.id):
        yield "also", ", ".join(aliases), ""
    yield "status", entry.lifecycle(now.date()), ""
    for label, field in (
        ("serves", "ops"), ("takes", "takes"), ("gives", "gives"), ("can", "can"), ("cannot", "cannot"),
        ("context", "context"), ("prompt at most", "max_input"), ("answer at most", "max_output"),
        ("dimensions", "dimensions"), ("version of", "released"), ("retires", "retires"), ("successor", "successor"),
    ):  # fmt: skip
        value = getattr(entry, field)
        if value:
            yield label, f"{value:,}" if isinstance(value, int) else printable(value), shelf.source(entry, field)
    for name, rate in entry.rates(now).items():
        yield f"price {name}", f"${rate} {_per(name)}", shelf.source(entry, name)
    if len(entry.prices) > 1:
        yield "prices", f"{len(entry.prices)} periods; --json shows all", shelf.source(entry, "prices")
    if page := shelf.page(entry):
        yield "page", page, ""


PER_MILLION = ("input", "output", "cache_", "reasoning", "citations")


def _per(name: str) -> str:
    """What a class of prices is per, in words."""
    name, _, above = name.rpartition(".")[2].partition(">")
    tokens = name.startswith(PER_MILLION) and not name.endswith(("images", "seconds", "characters"))
    one = name.partition("@")[0].replace("searches", "search").removesuffix("s").replace("_", " ")
    unit = "per million tokens" if tokens else f"per {one}"
    return f"{unit}, above {int(above):,} of prompt" if above else unit


COLUMNS = (
    Column("MODEL", 0),
    Column("SERVES", 4),
    Column("CONTEXT", 1, right=True),
    Column("OUTPUT", 5, right=True),
    Column("TAKES", 3),
    Column("CAN", 6),
    Column("IN $/M", 2, right=True),
    Column("OUT $/M", 2, right=True),
    Column("STATUS", 7),
)


def _table(entries: Sequence[Entry]) -> None:
    now = datetime.now(UTC)
    rows = [_row(entry, now) for entry in entries]
    head, *lines = table(COLUMNS, rows, room())
    click.echo(click.style(head, bold=True) if sys.stdout.isatty() else head)
    for line in lines:
        click.echo(line)
    click.echo(f"{len(rows)} model{'' if len(rows) == 1 else 's'}", err=True)


def _row(entry: Entry, now: datetime) -> list[str]:
    rates = entry.rates(now)
    return [
        printable(f"{entry.provider}/{entry.id}"),
        entry.ops,
        _short(entry.context),
        _short(entry.max_output),
        " ".join(word for word in entry.takes.split() if word != "text"),
        " ".join(word for word in entry.can.split() if word in ("tools", "schema", "reasoning")),
        rates.get("input", ""),
        rates.get("output", ""),
        entry.lifecycle(now.date()) if entry.lifecycle(now.date()) != "active" else "",
    ]


def _short(tokens: int | None) -> str:
    """`128k`, `1M`: as the vendors say it."""
    if tokens is None:
        return ""
    if tokens >= 1_000_000:
        return f"{tokens / 1_000_000:.3g}M"
    return f"{tokens / 1000:.3g}k" if tokens >= 1000 else str(tokens)
