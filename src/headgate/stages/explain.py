"""Say where a request would go, and why, instead of sending it (`x-headgate-explain: true`)."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Mapping, Sequence
from datetime import UTC, datetime
from math import inf
from typing import Any, Literal

import msgspec

from headgate.catalog.catalogue import Catalogue
from headgate.catalog.pricing import UNIT, price_of
from headgate.core.errors import Incapable, LimitExceeded, NoTarget, PriceUnknown
from headgate.core.estimate import answers_limit
from headgate.core.exchange import Exchange
from headgate.core.guard import Verdict
from headgate.core.labels import EXPLAIN
from headgate.core.reply import Reply
from headgate.core.target import Manner, Target
from headgate.stages.stage import Clock, Proceed

NO = frozenset({b"", b"0", b"false", b"no", b"off"})


class Way(msgspec.Struct, omit_defaults=True, kw_only=True):
    """One target: whether and when it would be asked."""

    target: str
    place: int | None = None
    """In the order of asking, from 1; None: it is left out."""
    by: str | None = None
    """The filter that leaves it out."""
    out: str | None = None
    """Why."""
    score: float | None = None
    prompt_cost: float | None = None
    """US dollars, about; None where no price is known."""
    most_cost: float | None = None
    """With as many answers, as long as the request allows; None where it sets no limit."""
    circuit: Literal["closed", "open", "half_open"]
    running: int
    """Requests that it is serving now."""


class Failure(msgspec.Struct):
    """What the client would be told."""

    status: int
    code: str
    message: str


class Explanation(msgspec.Struct, omit_defaults=True, kw_only=True):
    """The answer, as JSON."""

    id: str
    model: str
    key: str | None = None
    target: str | None = None
    """Who would be asked first."""
    why: str
    rule: str | None = None
    alias: str | None = None
    policy: str | None = None
    unit: str | None = None
    """Of the scores; less is better."""
    prompt_tokens: int
    """About."""
    answer_tokens: int | None = None
    """Most that the request wants, of all its answers."""
    priority: str
    tags: list[str] = []
    candidates: list[Way]
    manner: dict[str, Any] = {}
    """How they are asked: limits in seconds, `hedge`, `resume`, and who is asked for a certain cause."""
    guards: list[Verdict] = []
    """What guards found in it; what they block is told as such, and not explained."""
    error: Failure | None = None


class Ready(Reply, eq=False):
    """An answer of the gateway's own, in no dialect."""

    async def whole(self, client: object, request: Mapping[str, Any]) -> bytes:
        self.account.complete = True
        return self.body


class Explain:
    """Before `route`, which it has go through its filters and policies without leaving a trace in them: no target
    is asked, no turn taken, no canary counts it."""

    def __init__(
        self, route: Proceed, known: Catalogue, clock: Clock = time.monotonic, wall: Clock = time.time
    ) -> None:
        self.route = route
        self.known = known
        self.clock = clock
        self.wall = wall

    def __call__(self, exchange: Exchange, proceed: Proceed) -> Awaitable[Reply]:
        if EXPLAIN in exchange.named:
            for name, value in exchange.headers:
                if name == EXPLAIN and value.strip().lower() not in NO:
                    return self._explain(exchange)
        return proceed(exchange)

    async def _explain(self, exchange: Exchange) -> Reply:
        exchange.dry = True
        exchange.record.ending = "explained"
        error = None
        try:
            await self.route(exchange)
        # others say that the request is wrong, which no explanation mends
        except (NoTarget, Incapable, LimitExceeded, PriceUnknown) as failure:
            error = Failure(failure.status, failure.code, failure.message)
        body = msgspec.json.encode(self._told(exchange, error))
        exchange.stream = False
        return Ready(exchange.dialect, stream=False, body=body, content_type=b"application/json")

    def _told(self, exchange: Exchange, error: Failure | None) -> Explanation:
        decision, targets = exchange.decision, exchange.targets if error is None else ()
        first = targets[0] if targets else None
        decided = decision.told(first, 0)
        ways = [self._way(exchange, target, place=place) for place, target in enumerate(targets, 1)]
        ways += [self._way(exchange, target, by=by, out=why) for target, by, why in decision.out]
        return Explanation(
            id=exchange.id,
            model=exchange.asked,
            key=exchange.caller.key if exchange.caller is not None else None,
            target=first.name if first is not None else None,
            why=decided.why if decided is not None else "nobody can be asked",
            rule=decision.rule,
            alias=decision.alias,
            policy=decision.policy,
            unit=decision.unit or None,
            prompt_tokens=exchange.tokens,
            answer_tokens=answers_limit(exchange.fields),
            priority=exchange.priority,
            tags=list(exchange.tags),
            candidates=ways,
            manner=_manner(exchange.manner),
            guards=exchange.record.guards,
            error=error,
        )

    def _way(self, exchange: Exchange, target: Target, **more: Any) -> Way:
        decision, standing = exchange.decision, target.standing
        score = (decision.scores or {}).get(target)
        prompt, most = self._costs(exchange, target)
        return Way(
            target=target.name,
            score=float(f"{score * decision.scale:.6g}") if score is not None else None,
            prompt_cost=prompt,
            most_cost=most,
            circuit=standing.breaker.state(self.clock()),
            running=standing.running,
            **more,
        )

    def _costs(self, exchange: Exchange, target: Target) -> tuple[float | None, float | None]:
        """Of the prompt, and with the longest answer; of what is paid for by tokens."""
        tier = exchange.fields.get("service_tier")
        operation, moment = exchange.dialect.operation, datetime.fromtimestamp(self.wall(), UTC)
        entry = self.known.find(target.provider.name, target.model)
        prices = target.terms.prices or (entry.prices if entry is not None else ())
        price = price_of(prices, operation, moment, tier if isinstance(tier, str) else None)
        if price is None or price.counts[0] != "input":
            return None, None
        limit, asked = answers_limit(exchange.fields), exchange.tokens
        if price.counts[1] is None:
            limit = 0
        return _dollars(price.of(asked, 0, 0)), _dollars(price.of(asked, 0, limit)) if limit is not None else None


def _dollars(amount: int) -> float:
    return float(f"{amount * UNIT:.6g}")


def _manner(manner: Manner) -> dict[str, Any]:
    limits = {name: getattr(manner, name) for name in ("first_token", "whole_answer", "deadline")}
    found: dict[str, Any] = {name: seconds for name, seconds in limits.items() if seconds != inf}
    if manner.hedge is not None:
        found["hedge"] = manner.hedge or "p95"
    if manner.resume:
        found["resume"] = True
    if manner.instead:
        found["fallbacks_on"] = {cause: _names(targets) for cause, targets in manner.instead.items()}
    return found


def _names(targets: Sequence[Target]) -> list[str]:
    return [target.name for target in targets]
