"""Keep requests within the limits on them: reserve what one may come to before it is asked, settle what it came to.

The estimate is the prompt's tokens, about, and as many of an answer as the request allows (`ASSUMED`, where it does not
say); of money, these at the prices of the dearest target that may be asked. What is held and what was used never
exceed a limit together; so what was used exceeds it by no more than the requests under way were underestimated.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from math import inf, isfinite
from typing import get_args

from headgate.catalog.cost import Tariff, Tariffs, bill, dollars
from headgate.core.errors import LimitExceeded, PriceUnknown
from headgate.core.estimate import answers_limit
from headgate.core.exchange import Exchange
from headgate.core.labels import PRIORITIES
from headgate.core.limits.ledger import Ledger
from headgate.core.limits.meter import Demand, Denied, Hold, Level, What
from headgate.core.limits.queue import Full
from headgate.core.limits.rule import BETWEEN, NOBODY, Prepared, Rule
from headgate.core.reply import Reply
from headgate.core.target import Target
from headgate.core.usage import Usage
from headgate.stages.stage import Proceed

log = logging.getLogger("headgate.stages")

ASSUMED = 1000
"""Tokens of an answer of which the request says no limit."""
REMEMBERED = 10_000
"""Names whose targets are known; clients may ask for any."""
URGENCY = {"low": -1, "normal": 0, "high": 1}
assert set(URGENCY) == set(PRIORITIES)

Behind = Callable[[str], Sequence[Target]]
"""The targets that may be asked for a name."""


class Limit:
    """Between `explain` and `route`, where the configuration has limits; callers bring theirs along."""

    def __init__(self, ledger: Ledger, behind: Behind) -> None:
        self.ledger = ledger
        self._behind = behind
        self._known: dict[str, Sequence[Target]] = {}

    def behind(self, model: str) -> Sequence[Target]:
        found = self._known.get(model)
        if found is None:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            found = self._known[model] = self._behind(model)
        return found

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Reply:
        caller = exchange.caller
        if caller is None or not caller.limits:
            return await proceed(exchange)
        lenient: set[Rule] = set()
        while True:
            rules, demands = self._demands(exchange, caller.limits, lenient)
            if not demands:
                return await proceed(exchange)
            outcome = await self._reserve(exchange, rules, demands)
            if isinstance(outcome, Hold):
                break
            lenient.add(self._denied(exchange, rules, demands, outcome))
        exchange.ending.callback(self._settle, exchange, outcome, demands)
        self._announce(exchange, outcome.levels)
        for level in outcome.warned:
            self._warn(exchange, level)
        return await proceed(exchange)

    def _demands(
        self, exchange: Exchange, limits: Sequence[Prepared], lenient: set[Rule]
    ) -> tuple[list[Rule], list[Demand]]:
        estimate = Estimate(exchange, self.behind)
        rules, demands = [], []
        for rule, match, counter, per in limits:
            if match and not all(_names(exchange, dimension) & names for dimension, names in match):
                continue
            amount = estimate.of(rule)
            if amount is None:
                continue
            if per:
                counter = BETWEEN.join((counter, *(f"{name}={_name(exchange, name)}" for name in per)))
            rules.append(rule)
            demands.append(Demand(rule.meter, counter, amount, rule.then != "warn" and rule not in lenient))
        return rules, demands

    async def _reserve(self, exchange: Exchange, rules: list[Rule], demands: list[Demand]) -> Hold | Denied:
        """Waits where a limit says so."""
        ledger = self.ledger
        outcome: Hold | Denied | None = None
        if ledger.rooms:  # nobody is served before those who wait already
            for rule, demand in zip(rules, demands, strict=True):
                room = ledger.rooms.get(demand.counter)
                if room is not None and room.waiting and rule.then == "queue":
                    outcome = Denied(demand, 0, 0.0)
                    break
        if outcome is None:
            outcome = await ledger.counters.reserve(demands, ledger.clock())
        while isinstance(outcome, Denied) and not outcome.never:
            rule = rules[demands.index(outcome.demand)]
            if rule.then != "queue":
                break
            room = ledger.room(outcome.demand.counter)
            tenant = _tenant(exchange)
            try:
                outcome = await room.wait(
                    demands, outcome, URGENCY[exchange.priority], tenant, rule.queue, rule.queue_seconds
                )
            except Full as full:
                return full.denied
        return outcome

    def _denied(self, exchange: Exchange, rules: list[Rule], demands: list[Demand], denied: Denied) -> Rule:
        """The limit that is not kept to from here on, as another model is asked. Raises LimitExceeded."""
        rule = rules[demands.index(denied.demand)]
        caller = exchange.caller
        assert caller is not None
        self._announce(exchange, denied.levels)
        name, use = rule.meter.name, rule.use
        if use is not None and use != exchange.model and caller.may_use(use):
            self.ledger.denied[name, "downgrade"] += 1
            exchange.announced.append((b"x-headgate-downgraded", name.encode("ascii", "replace")))
            exchange.decision.said.append(f"{use} instead of {exchange.model}, as the limit {name!r} is used up")
            exchange.record.downgraded, exchange.model = name, use
            return rule
        self.ledger.denied[name, rule.then if rule.then == "queue" else "deny"] += 1
        raise _exceeded(rule, denied)

    def _announce(self, exchange: Exchange, levels: Sequence[Level]) -> None:
        """What is left, in headers: of each kind, what is nearest to its end."""
        nearest: dict[str, Level] = {}
        for level in levels:
            kind = KINDS.get(level.meter.what)
            if kind is not None:
                other = nearest.get(kind)
                if other is None or level.left * other.meter.most < other.left * level.meter.most:
                    nearest[kind] = level
        told = exchange.announced
        if told:  # by another try, of which what it says of limits is true no more
            told = [header for header in told if not header[0].startswith((b"x-ratelimit-", b"x-budget-"))]
        for kind, level in nearest.items():
            told += _budget(level) if kind == "budget" else _rate(kind, level)
        exchange.announced = told

    def _warn(self, exchange: Exchange, level: Level) -> None:
        meter = level.meter
        self.ledger.warned[(meter.name,)] += 1
        used = 100 - 100 * level.left // meter.most if meter.most else 100
        log.warning("the limit %r is used to %d %%: %s of %s left", meter.name, used, *_amounts(level))
        exchange.announced.append((b"x-headgate-limit-warning", meter.name.encode("ascii", "replace")))

    def _settle(self, exchange: Exchange, hold: Hold, demands: Sequence[Demand]) -> None:
        bill(exchange)
        used = _used(exchange)
        amounts = [used.get(demand.meter.what, demand.amount) for demand in demands]
        self.ledger.counters.settle(hold, amounts, self.ledger.clock())
        counted, rooms = exchange.record.counted, self.ledger.rooms
        for (meter, counter, _, _), amount in zip(demands, amounts, strict=True):
            if amount and meter.lasting:
                counted[counter] = amount
            if rooms and counter in rooms:
                rooms[counter].wake()


KINDS = {
    "requests": "requests", "tokens": "tokens", "input_tokens": "tokens", "output_tokens": "tokens", "money": "budget",
}  # fmt: skip
"""What is told of in headers, and as what."""


RATES = {
    kind: tuple(f"x-ratelimit-{what}-{kind}".encode() for what in ("limit", "remaining", "reset"))
    for kind in ("requests", "tokens")
}


class Estimate:
    """What a request may come to, worked out for what is asked about."""

    def __init__(self, exchange: Exchange, behind: Behind) -> None:
        self._exchange = exchange
        self._behind = behind
        self._money: int | None = None
        self._answer: int | None = None

    def of(self, rule: Rule) -> int | None:
        """None: it does not count here. Raises PriceUnknown."""
        exchange = self._exchange
        if rule.meter.what in ("requests", "concurrency"):
            return 1
        if exchange.dialect.operation == "count_tokens":
            return None
        match rule.meter.what:
            case "input_tokens":
                return exchange.tokens
            case "output_tokens":
                return self.answer
            case "tokens":
                return exchange.tokens + self.answer
        return self._price(rule)

    @property
    def answer(self) -> int:
        if self._answer is None:
            chat = self._exchange.dialect.operation == "chat"
            self._answer = (answers_limit(self._exchange.fields) or ASSUMED) if chat else 0
        return self._answer

    def _price(self, rule: Rule) -> int | None:
        if self._money is None:
            self._money = self._dearest(rule)
        return self._money if self._money >= 0 else None

    def _dearest(self, rule: Rule) -> int:
        """Nanodollars; -1 where a price is not known, and that is taken for nothing."""
        exchange, most = self._exchange, 0
        for target in self._behind(exchange.model):
            tariff = Tariffs.of(target, exchange.record.time, exchange.fields.get("service_tier"))
            cost = self._of(tariff) if tariff is not None and tariff.known else None
            if cost is None:
                if rule.unpriced == "free":
                    return -1
                raise PriceUnknown(
                    f"the limit {rule.meter.name!r} is one of money, and the price of {target.name} is not known; give "
                    f"it under `catalogue.models`, or set the limit's `unpriced: free`"
                )
            if cost > most:
                most = cost
        return most

    def _of(self, tariff: Tariff) -> int | None:
        """None where what is asked for has no price."""
        exchange = self._exchange
        match exchange.dialect.operation:
            case "chat" | "embeddings":
                return tariff.reckon(exchange.tokens, self.answer)
            case "images":
                units = {"images": float(_count(exchange.fields.get("n")))}
                return tariff.cost(Usage(input=exchange.tokens, units=units)) or 0
        return 0  # seconds of sound, characters, searches: what they come to is known when they are over


def _count(number: object) -> int:
    return number if type(number) is int and 1 <= number <= 1000 else 1


NOTHING: Mapping[str, int] = dict.fromkeys(get_args(What), 0)


def _used(exchange: Exchange) -> Mapping[str, int]:
    """What it came to; what is not known is left out, and what was held is taken for it."""
    if not exchange.attempts:  # nobody was asked
        return NOTHING
    usage = exchange.record.usage
    answered = exchange.record.status < 400 and exchange.reply is not None
    if usage is None and answered:
        return {"requests": 1, "concurrency": 0}
    asked, said = (usage.prompt, usage.completion) if usage is not None else (0, 0)
    for attempt in exchange.attempts:
        if attempt.usage is not None:
            asked += attempt.usage.prompt
            said += attempt.usage.completion
    found = {"requests": 1, "concurrency": 0, "input_tokens": asked, "output_tokens": said, "tokens": asked + said}
    if exchange.charged is not None or not answered:
        found["money"] = exchange.charged or 0
    return found


def _names(exchange: Exchange, dimension: str) -> set[str]:
    return set(exchange.tags) if dimension == "tag" else {_name(exchange, dimension)}


def _name(exchange: Exchange, dimension: str) -> str:
    match dimension:
        case "model":
            return exchange.model
        case "end_user":
            return exchange.end_user or NOBODY
        case "operation":
            return exchange.dialect.operation
        case "tag":
            return next(iter(exchange.tags), NOBODY)
    raise AssertionError(dimension)


def _tenant(exchange: Exchange) -> str:
    """Who takes turns in a line: the organisation, else the key."""
    caller = exchange.caller
    assert caller is not None
    return caller.belongs.organisation or caller.belongs.team or caller.key


def _exceeded(rule: Rule, denied: Denied) -> LimitExceeded:
    meter, demand = rule.meter, denied.demand
    left, whole = _amounts(Level(meter, denied.left, denied.after))
    wanted, _ = _amounts(Level(meter, demand.amount, 0))
    every = f" every {meter.window.every}" if meter.window is not None else " at a time"
    said = f"the limit {meter.name!r} is {whole}{every}, and {left} is left"
    if demand.amount > 1:
        said += f"; this request may take {wanted}"
    if denied.never:
        said += ", more than it ever allows: ask for a shorter answer (max_tokens)"
    elif isfinite(denied.after):
        said += f"; try again in {_duration(denied.after)}"
    error = LimitExceeded(said, retry_after=None if denied.never else min(denied.after, 86_400.0 * 31))
    if denied.after == inf:
        error.retry_after = 1
    error.status = rule.status
    if meter.what == "money":
        error.code = "budget_exceeded"
    error.limit = meter.name
    return error


def _amounts(level: Level) -> tuple[str, str]:
    """What is left, and all of it, with their unit."""
    meter = level.meter
    if meter.what == "money":
        return f"${dollars(level.left)}", f"${dollars(meter.amount)}"
    unit = "requests" if meter.what == "concurrency" else meter.what.replace("_", " ")
    return f"{level.left:,}", f"{meter.amount:,} {unit}"


def _rate(kind: str, level: Level) -> list[tuple[bytes, bytes]]:
    """As OpenAI tells it: https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers."""
    limit, remaining, reset = RATES[kind]
    meter, left, resets = level
    return [(limit, b"%d" % meter.most), (remaining, b"%d" % left), (reset, _duration(resets).encode())]


def _budget(level: Level) -> list[tuple[bytes, bytes]]:
    return [
        (b"x-budget-limit", _whole(level.meter.amount)),
        (b"x-budget-remaining", (dollars(level.left) or "").encode()),
        (b"x-budget-reset", _duration(level.resets).encode()),
    ]


@lru_cache(1024)
def _whole(nano: int) -> bytes:
    """All of a budget, which is the same for each of its requests."""
    return (dollars(nano) or "").encode()


def _duration(seconds: float) -> str:
    """`6ms`, `1.5s`, `2m30s`, `3h0m0s`, as OpenAI writes it."""
    if seconds < 1:
        return f"{max(round(seconds * 1000), 0)}ms"
    return _tenths(round(seconds * 10)) if seconds < 60 else _minutes(int(-(-seconds // 1)))


@lru_cache(1024)
def _tenths(tenths: int) -> str:
    return f"{tenths / 10:.1f}".rstrip("0").rstrip(".") + "s"


@lru_cache(1024)
def _minutes(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{rest}s" if hours else f"{minutes}m{rest}s"
