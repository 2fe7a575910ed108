"""A policy: which guard looks at what of whom, and what follows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

from headgate.core.crowd import Crowd
from headgate.core.exchange import Exchange
from headgate.core.guard import EVERY, HIDES, Action, Finding, Part
from headgate.core.kept import Classes
from headgate.core.limits.rule import OF_CALLER, of_caller
from headgate.core.target import Target
from headgate.stages.guards.guard import Guard

Dimension = Literal[
    "organisation", "team", "application", "user", "role", "key", "end_user", "model", "provider", "trait", "tag",
    "operation", "data_class",
]  # fmt: skip
OF_TARGET = frozenset({"provider", "trait"})
"""What is known only once it is known who is asked."""
At = Literal["before", "after"]


@dataclass(slots=True, frozen=True, eq=False)
class Policy:
    """As the configuration has it."""

    name: str
    guard: Guard
    kind: str
    """The guard's name."""
    at: frozenset[At]
    actions: Mapping[str, Action] = field(default_factory=dict)
    """By category."""
    enforced: bool = True
    closed: bool = True
    """What cannot be looked at is not let through."""
    timeout: float = 5.0
    parallel: bool = False
    external: bool = False
    """Only of what goes to providers that are not one's own."""
    match: Mapping[Dimension, frozenset[str]] = field(default_factory=dict)
    parts: Collection[Part] | None = None
    roles: Collection[str] | None = None
    least: float = 0.0
    largest: int = 4_000_000
    """Characters that are looked at."""
    status: int = 400
    refusal: str | None = None
    """What is answered instead of an error."""
    use: str | None = None
    """The model that is asked instead, where the action is `route`."""
    crowd: Crowd | None = None
    """What is generalised is said of many values, or not at all."""
    by_target: bool = field(init=False)
    """It depends on who is asked."""
    hides: bool = field(init=False)
    """It may have something hidden from providers that is put back in the reply."""

    def __post_init__(self) -> None:
        hides = self.enforced and not HIDES.isdisjoint((*self.actions.values(), self.guard.usual))
        object.__setattr__(self, "by_target", self.external or not OF_TARGET.isdisjoint(self.match))
        object.__setattr__(self, "hides", hides)

    def action(self, finding: Finding) -> Action:
        """What follows, from its category, else what the guard says, else what is usual with it."""
        every = None if finding.category in self.guard.added else self.actions.get(EVERY)
        said = self.actions.get(finding.category) or every
        return said or finding.action or self.guard.usual

    def concerns(self, exchange: Exchange, classes: Classes, target: Target | None = None) -> bool:
        """Whether it is about this request; with a `target`: about what goes there or comes from there."""
        if self.external and target is not None and target.provider.internal:
            return False
        return not self.match or all(
            _fits(exchange, classes, target, dimension, names) for dimension, names in self.match.items()
        )


def _fits(
    exchange: Exchange, classes: Classes, target: Target | None, dimension: Dimension, names: frozenset[str]
) -> bool:
    caller = exchange.caller
    if dimension in OF_CALLER:
        return caller is not None and of_caller(caller, dimension) in names
    match dimension:
        case "model":
            return exchange.model in names
        case "end_user":
            return exchange.end_user in names
        case "operation":
            return exchange.dialect.operation in names
        case "tag":
            return not names.isdisjoint(exchange.tags)
        case "data_class":
            return classes.of(exchange) in names
        case "provider":
            return target is None or target.provider.name in names
        case _:
            return target is None or not names.isdisjoint(target.traits)
