"""Whom a limit concerns, who shares one counter of it, and what follows when there is no room."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

from headgate.core.caller import Caller
from headgate.core.limits.meter import Meter

Dimension = Literal[
    "organisation", "team", "application", "user", "role", "key", "end_user", "model", "provider", "tag", "operation"
]  # fmt: skip
Then = Literal["deny", "queue", "downgrade", "warn"]

OF_CALLER: frozenset[str] = frozenset({"organisation", "team", "application", "user", "role", "key"})
"""What is known as soon as the caller is."""
OF_TARGET = "provider"
"""What is known only when it is: of an attempt."""
BETWEEN = " | "
"""Parts of a counter's name."""
NOBODY = "-"
"""Whose counter it is that those share who have no such name."""


def of_caller(caller: Caller, dimension: str) -> str | None:
    """What stands for a dimension of `OF_CALLER`; None where there is nothing."""
    if dimension == "key":
        return caller.key
    found: str | None = caller.role if dimension == "role" else getattr(caller.belongs, dimension)
    return found


@dataclass(slots=True, frozen=True, eq=False)
class Rule:
    """A limit of the configuration."""

    meter: Meter
    match: Mapping[Dimension, frozenset[str]] = field(default_factory=dict)
    """Only those concern it of whom each of these is one of the names."""
    per: Sequence[Dimension] = ()
    """Each combination of these has a counter of its own."""
    then: Then = "deny"
    use: str | None = None
    """The model to ask instead, to downgrade."""
    status: int = 429
    unpriced: Literal["deny", "free"] = "deny"
    """Of money: what becomes of requests whose price is not known."""
    queue: int = 100
    queue_seconds: float = 30.0

    @property
    def by_target(self) -> bool:
        """It counts attempts at a provider, not requests."""
        return OF_TARGET in self.match or OF_TARGET in self.per

    def concerns(self, caller: Caller) -> bool:
        """As far as the caller alone tells."""
        return all(
            of_caller(caller, dimension) in names for dimension, names in self.match.items() if dimension in OF_CALLER
        )


def prefix(meter: Meter) -> str:
    """How the names of a meter's counters begin: the limit, what it counts, and in which time."""
    window = f" a {meter.window.every}" if meter.window is not None else ""
    return f"{meter.name.replace('|', '/')}{BETWEEN}{meter.what}{window}"


class Prepared(NamedTuple):
    """A rule with what its caller says put in."""

    rule: Rule
    match: Sequence[tuple[Dimension, frozenset[str]]]
    """What only the request tells."""
    counter: str
    """The counter's name, as far as the caller alone tells it."""
    per: Sequence[Dimension]
    """What else is put into it."""


def limited(caller: Caller, rules: Sequence[Rule]) -> Caller:
    """The caller with the limits that may concern its requests, and the attempts at them."""
    requests = prepared((rule for rule in rules if not rule.by_target), caller)
    return replace(caller, limits=requests, attempt_limits=prepared((rule for rule in rules if rule.by_target), caller))


def prepared(rules: Iterable[Rule], caller: Caller) -> tuple[Prepared, ...]:
    """The rules that may concern a caller."""
    found = []
    for rule in rules:
        if rule.concerns(caller):
            known = (f"{name}={of_caller(caller, name) or NOBODY}" for name in rule.per if name in OF_CALLER)
            counter = BETWEEN.join((prefix(rule.meter), *known))
            match = tuple((name, names) for name, names in rule.match.items() if name not in OF_CALLER)
            found.append(Prepared(rule, match, counter, tuple(name for name in rule.per if name not in OF_CALLER)))
    return tuple(found)
