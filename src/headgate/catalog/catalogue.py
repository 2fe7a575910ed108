"""The catalogue as a configuration sees it: what came along, what was refreshed over it, what the operator says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import Any

import msgspec

from headgate.catalog.entry import CONFIGURATION, Entry, scaled
from headgate.catalog.refreshed import Refreshed
from headgate.catalog.shelf import ONE, Layer, Shelf, bundled

Facts = Mapping[str, Any]
"""What the operator says of a model: fields of Entry, and `base_model`, another model that it is otherwise like."""
Factors = Mapping[str, Decimal]
"""What the operator pays of the catalogue's prices, by provider or `provider/model`, the provider by name or kind."""


class Catalogue:
    """The shelves of the configured providers, by the names they have there."""

    def __init__(
        self, shelves: Mapping[str, Shelf], refreshed: Refreshed | None = None, missing: Sequence[str] = ()
    ) -> None:
        """`missing`: sentences about what the operator refers to and is not there."""
        self.shelves = shelves
        self.refreshed = refreshed
        self.missing = missing

    def find(self, provider: str, model: str) -> Entry | None:
        """The model of a configured provider; None where nothing is known of it."""
        shelf = self.shelves.get(provider)
        return None if shelf is None else shelf.find(model)


def assemble(
    kinds: Mapping[str, str],
    own: Mapping[str, Facts],
    refreshed: Refreshed | None = None,
    factors: Factors | None = None,
) -> Catalogue:
    """The catalogue of these providers (name to kind). `own` has `provider/model`, the provider by name or by kind; the
    prices in it are taken as they stand, whatever `factors` say."""
    read: dict[str, list[Layer]] = {}

    def layers(kind: str) -> list[Layer]:
        if kind not in read:
            above = refreshed.layers.get(kind) if refreshed else None
            read[kind] = [layer for layer in (bundled(kind), above) if layer is not None]
        return read[kind]

    shelves, missing = {}, []
    for name, kind in kinds.items():
        plain = Shelf(name, layers(kind))
        mine = {}
        for model, facts in _said_of(name, kind, own).items():
            base = facts.get("base_model")
            like = plain.find(base or model) or (_elsewhere(base, layers) if base else None)
            if base and like is None:
                missing.append(f"the catalogue has no model {base!r}, which {name}/{model} is to be like")
            mine[model] = _own(like or Entry(), facts, model, name)
            if "prices" not in facts and factors:
                prices = scaled(mine[model].prices, _factor(factors, name, kind, model))
                mine[model] = msgspec.structs.replace(mine[model], prices=prices)
        factor = partial(_factor, factors, name, kind) if factors else None
        shelves[name] = Shelf(name, layers(kind), mine, factor) if mine or factor else plain
    return Catalogue(shelves, refreshed, missing)


def _factor(factors: Factors, name: str, kind: str, model: str) -> Decimal:
    """What is said of a model counts more than what of its provider, and by its name more than by its kind."""
    places = (f"{name}/{model}", f"{kind}/{model}", name, kind)
    return next((factors[place] for place in places if place in factors), ONE)


def _said_of(name: str, kind: str, own: Mapping[str, Facts]) -> dict[str, Facts]:
    """What the operator says of a provider's models: what is said by its name counts more than by its kind."""
    found: dict[str, Facts] = {}
    for said in (kind, name):
        found |= {whole[len(said) + 1 :]: facts for whole, facts in own.items() if whole.startswith(f"{said}/")}
    return found


def _elsewhere(whole: str, layers: Callable[[str], list[Layer]]) -> Entry | None:
    kind, _, model = whole.partition("/")
    return Shelf(kind, layers(kind)).find(model)


def _own(known: Entry, facts: Facts, model: str, provider: str) -> Entry:
    said = {name: value for name, value in facts.items() if name != "base_model"}
    by = {**known.by, CONFIGURATION: " ".join(sorted({*known.by.get(CONFIGURATION, "").split(), *said}))}
    if "context" in said:
        said.setdefault("max_input", None)
    return msgspec.structs.replace(known, **{**said, **_consistent(known, facts)}, by=by, id=model, provider=provider)


def _consistent(known: Entry, said: Facts) -> dict[str, str]:
    """What the operator says it can, it no longer cannot; and the other way round."""
    now = {*said.get("takes", "").split(), *said.get("can", "").split()}
    never = set(said.get("cannot", "").split())
    return {
        "cannot": " ".join(sorted({*known.cannot.split()} - now | never)),
        "takes": " ".join(word for word in said.get("takes", known.takes).split() if word not in never),
        "can": " ".join(word for word in said.get("can", known.can).split() if word not in never),
    }
