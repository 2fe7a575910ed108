"""Prints providers, all there are or those of a configuration: a table for people, or JSON."""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import click

from headgate.config.discover import kinds
from headgate.config.schema import Config
from headgate.core.columns import Column, room, table
from headgate.core.printable import printable
from headgate.providers.provider import Provider

LINK = re.compile(r"https?://[^\s;,]+")
COLUMNS = (
    Column("PROVIDER", 0),
    Column("WHO", 3),
    Column("SERVES", 1),
    Column("KEY", 2),
    Column("ADDRESS", 4),
    Column("SPEAKS", 5),
)


@dataclass(frozen=True)
class Shown:
    """What is told of a provider. `name` is that of the configuration, or of the kind."""

    name: str
    kind: str
    who: str
    page: str | None
    speaks: dict[str, list[str]]
    """Operation to dialects, the best first; {}: whatever is asked."""
    key: str
    """What is known of its key, in a word; of a kind the variable that it stands in."""
    variables: list[str]
    """For its key, the vendor's own first."""
    settings: dict[str, str]
    """Other settings, and the variables they stand in."""
    address: str | None
    """None: as configured. A setting's name in braces stands for its value."""

    def fits(self, operation: str | None, search: str | None) -> bool:
        if operation is not None and self.speaks and operation not in self.speaks:
            return False
        text = " ".join((*self.row(), self.page or "")).lower()
        return search is None or all(word in text for word in search.lower().split())

    def row(self) -> list[str]:
        """Its cells in the table."""
        spoken = (name for names in self.speaks.values() for name in names)
        name = self.name if self.kind == self.name else f"{self.name} ({self.kind})"
        serves, address = " ".join(self.speaks) or "everything", self.address or "as configured"
        return [printable(cell) for cell in (name, self.who, serves, self.key, address, " ".join(spoken))]


def everybody() -> list[Shown]:
    """Every kind of provider that came along."""
    return [_shown(kind, kind, type, type.dialects) for kind, type in kinds().items()]


def configured(config: Config) -> list[Shown]:
    """The providers of a configuration, with what it says of them."""
    found = []
    for name, entry in config.providers.items():
        made = entry.type(name, entry.settings)
        key = "given" if made.key else "none" if not made.proves else "tokens"
        found.append(_shown(name, entry.kind, entry.type, made.speaks, key=key, address=_bare(made.address)))
    return found


def _shown(
    name: str,
    kind: str,
    type: type[Provider],
    dialects: Sequence[object],
    *,
    key: str | None = None,
    address: str | None = None,
) -> Shown:
    about = inspect.cleandoc(getattr(inspect.getmodule(type), "__doc__", None) or "").partition("\n\n")[0]
    about = " ".join(about.split())
    page = LINK.search(about)
    speaks: dict[str, list[str]] = {}
    for dialect in dialects:
        speaks.setdefault(getattr(dialect, "operation", ""), []).append(getattr(dialect, "name", ""))
    variables = list(type.env_keys())
    return Shown(
        name=name,
        kind=kind,
        who=about.partition(": ")[0].rstrip("."),
        page=page[0].rstrip(".") if page else None,
        speaks=speaks,
        key=key if key is not None else variables[0] if variables else "",
        variables=variables,
        settings=dict(type.usual),
        address=address or getattr(type, "base_url", None),
    )


def _bare(address: str) -> str:
    """An address without what may be a secret in it."""
    parts = urlsplit(address)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def show(found: Sequence[Shown], *, as_json: bool) -> int:
    """Prints them; gives the exit code."""
    if as_json:
        click.echo(json.dumps([_as_json(one) for one in found], indent=1))
        return 0
    head, *lines = table(COLUMNS, [one.row() for one in found], room())
    click.echo(click.style(head, bold=True) if sys.stdout.isatty() else head)
    for line in lines:
        click.echo(line)
    click.echo(f"{len(found)} provider{'' if len(found) == 1 else 's'}", err=True)
    return 0


def _as_json(one: Shown) -> dict[str, object]:
    names = ("name", "kind", "who", "page", "speaks", "key", "variables", "settings", "address")
    return {name: getattr(one, name) for name in names}
