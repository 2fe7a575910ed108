"""Send copies of a name's requests to another target, whose answers nobody waits for."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from headgate.core.background import Background
from headgate.core.decision import Decision
from headgate.core.errors import GatewayError
from headgate.core.exchange import Exchange
from headgate.core.question import follow, once_more
from headgate.core.reply import Reply
from headgate.core.target import PLAIN, Target
from headgate.stages.filters.filter import Filter
from headgate.stages.stage import Proceed, Stage, chain


@dataclass(slots=True, frozen=True)
class Shade:
    """Who gets copies of a name's requests: which share of them, and how many at the same time."""

    target: Target
    share: float
    at_once: int


class Filtered:
    """Nobody is asked for what he is known not to serve, or while he is broken."""

    def __init__(self, filters: Sequence[Filter]) -> None:
        self.filters = filters

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Reply:
        targets = exchange.targets
        for leave in self.filters:
            targets = leave(exchange, targets)
        return await proceed(exchange)


class Shadow:
    """A copy is begun when the request's own answer is over, so that it costs that no time. It has a record of its own,
    which names the request, and is asked once. What is no JSON is not copied."""

    def __init__(
        self,
        shades: Mapping[str, Shade],
        shadows: Background,
        record: Stage,
        filters: Sequence[Filter],
        send: Proceed,
        next_id: Callable[[], str],
    ) -> None:
        """`shades` by name."""
        self.shades = shades
        self.shadows = shadows
        self.ask = chain([record, Filtered(filters)], send)
        self.next_id = next_id

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Reply:
        shade = self.shades.get(exchange.decision.alias or "")
        if (
            shade is not None and exchange.form is None and exchange.passing is None and random.random() < shade.share  # noqa: S311  # luck, not a secret
        ):
            exchange.ending.callback(self._begin, exchange, shade)
        return await proceed(exchange)

    def _begin(self, exchange: Exchange, shade: Shade) -> None:
        target = shade.target
        whose = exchange.decision.alias or "", target.name
        if exchange.record.ending in ("cancelled", "refused"):
            return
        gate = target.standing.gate
        full = gate is not None and gate.full  # those that somebody waits for come first
        if full or self.shadows.running[whose] >= shade.at_once or not _permitted(exchange, target):
            self.shadows.dropped[whose] += 1
            return
        self.shadows.begin(whose, follow(self._copy(exchange, target), self.ask))

    def _copy(self, exchange: Exchange, target: Target) -> Exchange:
        made = once_more(exchange, (target,), self.next_id(), exchange.id)
        made.decision = Decision(alias=exchange.decision.alias, ranked=made.targets)
        made.decision.said.append("a copy, whose answer nobody is given")
        made.until, made.trace = inf, None
        made.manner, made.ceilings, made.target, made.host, made.reply = PLAIN, None, None, None, None
        return made


def _permitted(exchange: Exchange, target: Target) -> bool:
    """A limited key names no further models at a host that it was not checked for."""
    if exchange.caller is None or exchange.caller.models is None:
        return True
    try:
        return not target.provider.further(exchange.fields)
    except GatewayError:
        return False
