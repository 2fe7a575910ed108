"""The catalogue as a configuration sees it: what came along, what was refreshed over it, what the operator says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from headgate.catalog.entry import CONFIGURATION, Entry
from headgate.catalog.refreshed import Refreshed
from headgate.catalog.shelf import Layer, Shelf, bundled

Facts = Mapping[str, Any]
"""What the operator says of a model: fields of Entry, and `base_model`, another model that it is otherwise like."""


class Catalogue:
    """The shelves of the configured providers, by the names they have there."""

    def __init__(self, shelves: Mapping[str, Shelf], refreshed: Refreshed | None = None) -> None:
        self.shelves = shelves
        self.refreshed = refreshed

    def find(self, provider: str, model: str) -> Entry | None:
        """The model of a configured provider; None where nothing is known of it."""
        shelf = self.shelves.get(provider)
        return None if shelf is None else shelf.find(model)


def assemble(kinds: Mapping[str, str], own: Mapping[str, Facts], refreshed: Refreshed | None = None) -> Catalogue:
    """The catalogue of these providers (name to kind). `own` has `provider/model`, the provider by name or by kind.

    Raises ValueError for a `base_model` that nothing is known of.
    """
    read: dict[str, list[Layer]] = {}

    def layers(kind: str) -> list[Layer]:
        if kind not in read:
            above = refreshed.layers.get(kind) if refreshed else None
            read[kind] = [layer for layer in (bundled(kind), above) if layer is not None]
        return read[kind]

    shelves = {}
    for name, kind in kinds.items():
        plain = Shelf(name, layers(kind))
        mine = {}
        for whole, facts in own.items():
            provider, _, model = whole.partition("/")
            if provider in (name, kind) and model and not (provider == kind != name and f"{name}/{model}" in own):
                mine[model] = _own(plain, model, facts, lambda kind: Shelf(kind, layers(kind)))
        shelves[name] = Shelf(name, layers(kind), mine) if mine else plain
    return Catalogue(shelves, refreshed)


def _own(shelf: Shelf, model: str, facts: Facts, other: Any) -> Entry:
    said = dict(facts)
    base = said.pop("base_model", None)
    known = shelf.find(model)
    if base is not None:
        kind, _, rest = base.partition("/")
        known = shelf.find(base) or other(kind).find(rest)
        if known is None:
            raise ValueError(f"the catalogue has no model {base!r}, which {shelf.provider}/{model} is to be like")
    by = {**(known.by if known else {})}
    by[CONFIGURATION] = " ".join(sorted({*by.get(CONFIGURATION, "").split(), *said}))
    if "context" in said:
        said.setdefault("input", None)
    changed = {**said, **_consistent(known or Entry(), facts), "by": by, "id": model, "provider": shelf.provider}
    return msgspec.structs.replace(known or Entry(), **changed)


def _consistent(known: Entry, said: Facts) -> dict[str, str]:
    """What the operator says it can, it no longer cannot; and the other way round."""
    now = {*said.get("takes", "").split(), *said.get("can", "").split()}
    never = set(said.get("cannot", "").split())
    return {
        "cannot": " ".join(sorted({*known.cannot.split()} - now | never)),
        "takes": " ".join(word for word in said.get("takes", known.takes).split() if word not in never),
        "can": " ".join(word for word in said.get("can", known.can).split() if word not in never),
    }
