"""Try the target first that is cheapest for this very request."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import ClassVar

import pydantic

from headgate.catalog.pricing import TIERS, UNIT, WAYS, Price, price_of
from headgate.core.estimate import answer_limit
from headgate.core.exchange import Exchange
from headgate.core.target import Target, Terms
from headgate.stages.policies.policy import PolicySettings

TYPICAL = 500
"""Tokens of an answer, as long as nothing is known."""
UNBOUNDED = 1 << 60
REMEMBERED = 50
"""Answers that an average goes by."""
LATE = 0.05
"""Share of answers that may be later than `max_latency`."""
ENOUGH = 3
"""Outcomes of the last thirty seconds, fewer of which say nothing of a target."""
VERDICT = 1.0
"""Seconds for which it is not looked anew whether a target keeps to the bounds."""
SHARED = 10_000
"""Prices that are kept for all policies."""
PICTURE = 1100
"""Tokens that a picture has as an answer, and below what a letter has said aloud and a recording in seconds: of things
that cost the same per unit at every target a guess will do."""
SPOKEN = 1.4
RECORDING = 60


class CheapestSettings(PolicySettings):
    answer: int | None = pydantic.Field(
        None, ge=0, description="Tokens an answer has. Left out: as many as each target's last answers had on average."
    )
    cached: float = pydantic.Field(
        0.0, ge=0, le=1, description="Share of the prompt that providers are expected to have in their caches."
    )
    max_latency: float | None = pydantic.Field(
        None,
        gt=0,
        description="Seconds to the first piece of an answer (of one that is not streamed: the whole), which 95 % of a "
        "target's answers of the last thirty seconds must keep to.",
    )
    max_error_rate: float | None = pydantic.Field(
        None, ge=0, le=1, description="Share of a target's attempts of the last thirty seconds that may fail."
    )
    min_quality: float | None = pydantic.Field(
        None, description="The least `quality` of a target; one that has none keeps to no such bound."
    )

    def objection(self, terms: Sequence[Terms]) -> str:
        least = self.min_quality
        if least is None or any(each.quality is not None and each.quality >= least for each in terms):
            return ""
        return f"`min_quality` is {least:g}, and no target has a `quality` of that much"


class _Prices(dict[Target, Price | None]):
    """Of targets for one operation and service tier, worked out when they are asked for."""

    shared: ClassVar[dict[tuple[int, str, datetime, str | None], tuple[object, Price | None]]] = {}
    """Of all policies, by the identity of a model's prices: it stands under many names, and what is looked at for each
    request is to be found in the processor's cache."""

    def __init__(self, operation: str, tier: str | None, moment: datetime) -> None:
        self._of = operation, moment, tier

    def __missing__(self, target: Target) -> Price | None:
        prices, shared = target.terms.prices, self.shared
        place = id(prices), *self._of
        held = shared.get(place)
        if held is None or held[0] is not prices:
            if len(shared) >= SHARED:
                shared.clear()
            held = shared[place] = prices, price_of(prices, *self._of)
        found = self[target] = held[1]
        return found


class Cheapest:
    """The cost is reckoned from the prices in force: the prompt's tokens, about, and those of the answer, which are as
    many as the target's answers have had, but not more than the request wants. What does not keep to the bounds comes
    last; targets whose price is not known come after those whose price is."""

    Settings = CheapestSettings

    def __init__(
        self,
        settings: CheapestSettings,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._bounded = (settings.max_latency, settings.max_error_rate, settings.min_quality) != (None, None, None)
        self._clock, self._wall = clock, wall
        self._minute = 0
        self._prices: dict[tuple[str, str | None], _Prices] = {}
        self._means: dict[Target | None, float] = {}
        self._answers: dict[Target | None, int] = {}
        """Tokens of a target's answers on average, and of all; in whole ones, to reckon with."""
        self._verdicts: dict[Target, tuple[float, str]] = {}
        self._last: tuple[object, object, Sequence[tuple[Target, Price, int, int, int]]] = (None, None, ())

    def rank(self, exchange: Exchange, targets: Sequence[Target]) -> Sequence[Target]:
        operation, decision = exchange.dialect.operation, exchange.decision
        prices = self._in_force(operation, exchange.fields.get("service_tier"))
        costs = self._chats(exchange, targets, prices) if operation == "chat" else _others(exchange, targets, prices)
        decision.scores, decision.unit, decision.scale = costs, "US dollars", UNIT
        ranked = sorted(costs, key=costs.__getitem__)
        if len(ranked) < len(targets):
            unknown = [target for target in targets if target not in costs]
            ranked += unknown
            if operation in WAYS:
                decision.said.append(f"no price is known of {', '.join(target.name for target in unknown)}")
        return self._within(exchange, ranked) if self._bounded else ranked

    def _in_force(self, operation: str, tier: object) -> _Prices:
        """They change by the minute: some are others at night."""
        minute = int(self._wall() / 60)
        if minute != self._minute:
            self._minute = minute
            self._prices.clear()
        kind = tier if isinstance(tier, str) and tier in TIERS else None
        found = self._prices.get((operation, kind))
        if found is None:
            moment = datetime.fromtimestamp(minute * 60, UTC)
            found = self._prices[operation, kind] = _Prices(operation, kind, moment)
        return found

    def _chats(self, exchange: Exchange, targets: Sequence[Target], prices: _Prices) -> dict[Target, int]:
        asked = exchange.tokens
        cached = int(asked * self._settings.cached)
        fresh, limit = asked - cached, answer_limit(exchange.fields) or UNBOUNDED
        answers, typical = self._answers, self._settings.answer
        costs: dict[Target, int] = {}
        if typical is None:
            typical = answers.get(None, TYPICAL)
            exchange.ending.callback(self._hear, exchange)
        usual = typical if typical < limit else limit
        for target, price, new, again, answered in self._table(targets, prices):
            if price.longer:
                new, again, answered = price.at(asked)
            said = usual
            if target in answers:
                said = answers[target] if answers[target] < limit else limit
            costs[target] = fresh * new + said * answered + (cached * again if cached else 0)
        return costs

    def _table(self, targets: Sequence[Target], prices: _Prices) -> Sequence[tuple[Target, Price, int, int, int]]:
        """The targets whose prices are known, with their rates; of the targets and prices asked about last."""
        known, of, table = self._last
        if known is not targets or of is not prices:
            priced = ((target, prices[target]) for target in targets)
            table = [(target, price, *price.rates) for target, price in priced if price is not None]
            self._last = targets, prices, table
        return table

    def _hear(self, exchange: Exchange) -> None:
        """How long an answer was, for the guess at the next ones."""
        usage = exchange.reply.account.usage if exchange.reply is not None else None
        if usage is not None:
            for whose in (exchange.target, None):
                mean = self._means[whose] = _moved(self._means.get(whose), usage.completion)
                self._answers[whose] = round(mean)

    def _within(self, exchange: Exchange, ranked: list[Target]) -> list[Target]:
        """The two cheapest that keep to the bounds first, and what is cheaper and does not last. To judge all would
        take long, and few requests get as far as to the others."""
        now = self._clock()
        within: list[Target] = []
        beyond: list[Target] = []
        for target in ranked:
            held = self._verdicts.get(target)
            if held is None or now >= held[0]:
                held = self._verdicts[target] = now + VERDICT, self._judged(target, now)
            verdict = held[1]
            (beyond if verdict else within).append(target)
            if verdict:
                exchange.decision.said.append(verdict)
            if len(within) == 2:
                break
        if not within:
            exchange.decision.said.append("so no target keeps to the bounds, and the cheapest is asked all the same")
        return within + ranked[len(within) + len(beyond) :] + beyond

    def _judged(self, target: Target, now: float) -> str:
        """Which bound a target does not keep to; "" for none."""
        settings, standing = self._settings, target.standing
        least, quality = settings.min_quality, target.terms.quality
        if least is not None and (quality is None or quality < least):
            return f"{target.name} has less than the quality {least:g}"
        if settings.max_error_rate is not None:
            answered, failed = standing.window.counts(now)
            if answered + failed >= ENOUGH and failed > settings.max_error_rate * (answered + failed):
                return f"{target.name} failed {failed} times of {answered + failed}"
        if settings.max_latency is not None:
            counts = [each.slower(now, settings.max_latency) for each in (standing.window, standing.streams)]
            heard, late = (sum(column) for column in zip(*counts, strict=True))
            if heard >= ENOUGH and late > LATE * heard:
                return f"{target.name} was slower than {settings.max_latency:g} s {late} times of {heard}"
        return ""


def _moved(mean: float | None, tokens: int) -> float:
    return float(tokens) if mean is None else mean + (tokens - mean) / REMEMBERED


def _others(exchange: Exchange, targets: Sequence[Target], prices: _Prices) -> dict[Target, int]:
    """What costs anything else than tokens of a chat."""
    costs: dict[Target, int] = {}
    for target in targets:
        price = prices[target]
        if price is not None:
            costs[target] = price.of(_amount(exchange, price.counts[0]), 0, _amount(exchange, price.counts[1]))
    return costs


def _amount(exchange: Exchange, name: str | None) -> int:
    """About how much of a class of prices a request has."""
    fields = exchange.fields
    count = fields.get("n")
    pictures = count if type(count) is int and count > 0 else 1
    text = fields.get("input")
    letters = len(text) if isinstance(text, str) else len(exchange.body)
    match name:
        case None:
            return 0
        case "input":
            return exchange.tokens
        case "images":
            return pictures
        case "output_image":
            return PICTURE * pictures
        case "characters":
            return letters
        case "seconds" | "hours":
            return RECORDING
        case "searches":
            return 1
    return int(SPOKEN * letters) if exchange.dialect.operation == "speech" else PICTURE * pictures
