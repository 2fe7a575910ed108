"""What a caller may ask for by name, and what is known of it: aliases first, then models of providers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from headgate.catalog.catalogue import Catalogue
from headgate.catalog.entry import Entry
from headgate.core.caller import Caller
from headgate.core.target import Target


class Menu:
    """`aliases` are the names of the configuration with their targets, fallbacks included."""

    def __init__(self, catalogue: Catalogue, aliases: Mapping[str, Sequence[Target]]) -> None:
        self.catalogue = catalogue
        self.aliases = aliases

    def names(self, caller: Caller) -> list[str]:
        """Aliases, models the key names, and those the catalogue has of a provider it may use (`provider/*`).

        A key without a list may use everything; it is shown the aliases, and the catalogue where there are none.
        """
        aliases = [name for name in self.aliases if caller.may_use(name)]
        if caller.models is None:
            return aliases or [name for provider in self.catalogue.shelves for name in self.of(provider)]
        named = sorted(name for name in caller.models if name not in self.aliases)
        seen = {*aliases, *named}
        families = [family.removesuffix("/") for family in caller.families]
        more = [name for provider in families for name in self.of(provider) if name not in seen]
        return [*aliases, *named, *more]

    def of(self, provider: str) -> Iterator[str]:
        """`provider/model` for every model of a configured provider that has not been retired."""
        shelf = self.catalogue.shelves.get(provider)
        today = datetime.now(UTC).date()
        for entry in shelf.models() if shelf else ():
            if entry.lifecycle(today) != "retired":
                yield f"{provider}/{entry.id}"

    def entries(self, name: str) -> list[Entry | None]:
        """What is known of each model behind a name."""
        targets = self.aliases.get(name)
        if targets is not None:
            return [self.catalogue.find(target.provider.name, target.model) for target in targets]
        provider, _, model = name.partition("/")
        return [self.catalogue.find(provider, model)]

    def known(self, name: str) -> Entry | None:
        """What holds for every model behind a name; None where nothing is known of one of them."""
        found: Entry | None = None
        for entry in self.entries(name):
            if entry is None:
                return None
            found = entry if found is None else _common(found, entry)
        return found

    def able(self, caller: Caller, can: Callable[[Entry], bool], most: int = 5) -> list[str]:
        """Names the caller may use behind which a model can; not many, the caller's own list first."""
        found: list[str] = []
        for name in self.names(caller):
            if len(found) >= most:
                break
            if any(entry is not None and can(entry) for entry in self.entries(name)):
                found.append(name)
        return found


def _common(one: Entry, other: Entry) -> Entry:
    """What two models have in common: the smaller limits, what both take and can, what either cannot."""
    if one == other:
        return one
    context = _least(one.context, other.context)
    prompt = _least(one.prompt_limit, other.prompt_limit)
    return Entry(
        provider=one.provider,
        id=one.id,
        context=context,
        max_input=prompt if prompt != context else None,
        max_output=_least(one.max_output, other.max_output),
        dimensions=one.dimensions if one.dimensions == other.dimensions else None,
        ops=_both(one.ops, other.ops),
        takes=_both(one.takes, other.takes),
        gives=_both(one.gives, other.gives),
        can=_both(one.can, other.can),
        cannot=" ".join(sorted({*one.cannot.split(), *other.cannot.split()})),
        retires=min(filter(None, (one.retires, other.retires)), default=None),
        deprecated=one.deprecated or other.deprecated,
        prices=one.prices if one.prices == other.prices else [],
    )


def _least(one: int | None, other: int | None) -> int | None:
    return min(one, other) if one is not None and other is not None else None


def _both(one: str, other: str) -> str:
    return " ".join(word for word in one.split() if word in other.split())
