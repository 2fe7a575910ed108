"""The models of one provider: read from the data when they are first asked for, and kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path

import msgspec

from headgate.catalog.entry import CONFIGURATION, Entry, scaled
from headgate.catalog.names import candidates

DATA = Path(__file__).parent / "data"
ONE = Decimal(1)
REMEMBERED = 10_000
"""Answers kept: clients may ask for any name."""

Lines = Mapping[str, msgspec.Raw]
"""Id to its line, undecoded: an entry, or the id that it is another name of."""

_lines = msgspec.json.Decoder(dict[str, msgspec.Raw])
_entry = msgspec.json.Decoder(Entry)


class Host(msgspec.Struct, frozen=True):
    """What holds for all models of the provider."""

    cannot: str = ""
    page: str = ""
    checked: str = ""


class Source(msgspec.Struct, frozen=True):
    """Where facts come from: the version of a data package, and the day it was read."""

    version: str = ""
    read: str = ""


class Head(msgspec.Struct, frozen=True):
    """The first line of a provider's data. `by` is who says a fact (`*`: all others), `firm` what may be refused by."""

    provider: str = ""
    sources: dict[str, Source] = {}
    by: dict[str, str] = {}
    firm: str = ""
    host: Host = Host()
    pages: list[str] = []


class Layer(msgspec.Struct, frozen=True):
    """One provider's data from one place."""

    head: Head
    lines: Lines


def layer(data: bytes) -> Layer:
    """One provider's data, its entries still to be decoded. Raises msgspec.DecodeError."""
    lines = _lines.decode(data)
    head = msgspec.json.decode(lines.pop("", b"{}"), type=Head)
    return Layer(head, lines)


def kinds() -> list[str]:
    """The providers the catalogue came with."""
    return sorted(path.stem for path in DATA.glob("*.json"))


def bundled(kind: str) -> Layer | None:
    """What came with this version; None for a provider it does not know."""
    path = DATA / f"{kind}.json"
    return layer(path.read_bytes()) if kind.isidentifier() and path.is_file() else None


class Shelf:
    """`layers` from the lowest to the one that counts most; `own` are whole entries above all of them. `factor` says of
    a model's id what is paid of the prices that the layers have."""

    def __init__(
        self,
        provider: str,
        layers: list[Layer],
        own: Mapping[str, Entry] | None = None,
        factor: Callable[[str], Decimal] | None = None,
    ) -> None:
        self.provider = provider
        self.layers = layers
        self.own = own or {}
        self.factor = factor
        self.firm = frozenset(layers[-1].head.firm.split()) if layers else frozenset()
        self.cannot = frozenset(layers[-1].head.host.cannot.split()) if layers else frozenset()
        self._found: dict[str, Entry | None] = {}
        self._folded: dict[str, str] | None = None

    def find(self, model: str) -> Entry | None:
        """The model, also by a dated, regional or otherwise longer id; None where nothing is known of it."""
        try:
            return self._found[model]
        except KeyError:
            return self._remember(model, self._search(model))

    def models(self) -> Iterator[Entry]:
        """Every model once, by its own id."""
        ids = {id for layer in self.layers for id, line in layer.lines.items() if bytes(line)[:1] == b"{"}
        for id in sorted(ids | self.own.keys()):
            found = self._read(id)
            if found is not None and found.id == id:
                yield found

    def aliases(self, id: str) -> list[str]:
        """The other ids of a model."""
        wanted = msgspec.json.encode(id)
        return sorted(name for layer in self.layers for name, line in layer.lines.items() if bytes(line) == wanted)

    def source(self, entry: Entry, fact: str) -> str:
        """Who says a fact, or a class of price, with the version and day."""
        head = self._head(entry)
        said = next((source for source, facts in entry.by.items() if fact in facts.split()), None)
        if said is None:
            group = "prices" if fact not in Entry.__struct_fields__ else fact
            said = next((source for source, facts in entry.by.items() if group in facts.split()), None)
            said = said or head.by.get(group, head.by.get("*", ""))
        if said == CONFIGURATION:
            return said
        source = head.sources.get(said, Source())
        return " ".join(part for part in (said, source.version, source.read and f"({source.read})") if part)

    def page(self, entry: Entry) -> str | None:
        """The vendor's page that a source names."""
        pages = self._head(entry).pages
        return pages[entry.page] if entry.page is not None and entry.page < len(pages) else None

    def _head(self, entry: Entry) -> Head:
        for layer in reversed(self.layers):
            if entry.id in layer.lines:
                return layer.head
        return self.layers[-1].head if self.layers else Head()

    def _search(self, model: str) -> Entry | None:
        for id in candidates(model):
            found = self._read(id)
            if found is not None:
                return found
        folded = self._fold()
        for id in candidates(model.lower()):
            if id in folded:
                return self._read(folded[id])
        return None

    def _read(self, id: str) -> Entry | None:
        if id in self.own:
            return self.own[id]
        for layer in reversed(self.layers):
            line = layer.lines.get(id)
            if line is None:
                continue
            data = bytes(line)
            if data[:1] == b'"':
                name = msgspec.json.decode(data, type=str)
                return self._read(name) if name != id else None
            found = msgspec.structs.replace(_entry.decode(data), id=id, provider=self.provider)
            factor = self.factor(id) if self.factor is not None and found.prices else ONE
            return found if factor == ONE else msgspec.structs.replace(found, prices=scaled(found.prices, factor))
        return None

    def _fold(self) -> dict[str, str]:
        if self._folded is None:
            self._folded = {id.lower(): id for layer in self.layers for id in layer.lines}
        return self._folded

    def _remember(self, model: str, entry: Entry | None) -> Entry | None:
        if len(self._found) >= REMEMBERED:
            self._found.clear()
        self._found[model] = entry
        return entry
