"""Keep a user, a session or a conversation at the same target, as long as it is there."""

from __future__ import annotations

import random
from array import array
from collections.abc import Sequence
from math import inf, log
from typing import Any, NamedTuple

import pydantic

from headgate.core.exchange import Exchange
from headgate.core.target import Target
from headgate.core.together import Together, share
from headgate.stages.policies.policy import By, Weighing

TURNS = 2.0**20


class StickySettings(Weighing):
    by: list[By] = pydantic.Field(
        default_factory=lambda: ["session", "user", "prompt"],
        min_length=1,
        description="What is kept together; the first that a request has: `session`, `user`, `key`, `prompt` or "
        "`header:NAME`. A single one needs no list.",
    )
    prefix: int = pydantic.Field(
        16384,
        ge=1,
        description="Characters of the system prompt and the first message by which, after the names of the tools, a "
        "`prompt` is known.",
    )

    @pydantic.field_validator("by", mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value


class Known(NamedTuple):
    """Of the targets asked about last, which mostly are the same."""

    targets: Sequence[Target]
    marks: array[float]
    weights: Sequence[float] | None
    """None: all weigh the same."""


class Sticky:
    """Which target it is follows from the name of what is kept together alone (rendezvous hashing, by weight): every
    process and every gateway of the same configuration chooses the same one, shares follow the weights, and a target
    that goes away or comes moves its own share only. A request that has nothing of it goes to any target, by weight.

    `session` is what the client says in a header (`x-headgate-session`, or one of those that coding agents send) or as
    `prompt_cache_key`; `user` is `user`, `safety_identifier` or Anthropic's `metadata.user_id`; `key` the name of the
    client's key; `prompt` the beginning of the conversation, which stays the same as it grows.
    """

    Settings = StickySettings

    def __init__(self, settings: StickySettings) -> None:
        self._together = Together(settings.by, settings.prefix)
        self._remarks = {each: f"kept together by {each}" for each in settings.by}
        self._marks: dict[Target, float] = {}
        self._taken: dict[str, int] = {}
        self._known = Known((), array("d"), None)

    def rank(self, exchange: Exchange, targets: Sequence[Target]) -> Sequence[Target]:
        place, known = self._place(exchange), self._known
        if known.targets is not targets:
            known = self._known = self._look_up(targets)
        # uniform in each target, and of each independent of the others: as the place goes from 0 to 1, the point of all
        # targets' values winds a million times through the whole cube
        turns = [place * mark % 1.0 for mark in known.marks]
        if known.weights is not None:
            pairs = zip(turns, known.weights, strict=True)
            turns = [-log(1.0 - turn) / weight if weight else inf for turn, weight in pairs]
        return [targets[number] for number in sorted(range(len(turns)), key=turns.__getitem__)]

    def _place(self, exchange: Exchange) -> float:
        """From 0 to 1, the same for what is kept together."""
        by, name = self._together.of(exchange)
        if not by:
            return random.random()  # noqa: S311  # luck, not a secret
        exchange.decision.said.append(self._remarks[by])
        return share(f"{by}\n{name}")

    def _look_up(self, targets: Sequence[Target]) -> Known:
        weights = [target.terms.weight for target in targets]
        marks = array("d", map(self._mark, targets))
        return Known(targets, marks, weights if len({*weights}) > 1 else None)

    def _mark(self, target: Target) -> float:
        """A large number of the target's own; a second target of the same name has another."""
        mark = self._marks.get(target)
        if mark is not None:
            return mark
        count = self._taken[target.name] = self._taken.get(target.name, 0) + 1
        drawn = share(target.name if count == 1 else f"{target.name}\n{count}")
        mark = self._marks[target] = TURNS * (1.0 + drawn)
        return mark
