"""What a request, or one attempt at a target, may come to, and what it came to: in the units that limits count."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import get_args

from headgate.catalog.cost import Tariff, tariff
from headgate.core.errors import PriceUnknown
from headgate.core.estimate import answers_limit
from headgate.core.exchange import Exchange
from headgate.core.limits.meter import What
from headgate.core.limits.rule import Rule
from headgate.core.money import in_nano
from headgate.core.reply import Reply
from headgate.core.target import Target
from headgate.core.usage import Usage

ASSUMED = 1000
"""Tokens of an answer of which the request says no limit."""

Behind = Callable[[str], Sequence[Target]]
"""The targets that may be asked for a name."""


class Estimate:
    """What a request may come to, worked out for what is asked about; the price is that of the dearest target."""

    def __init__(self, exchange: Exchange, behind: Behind, target: Target | None = None) -> None:
        """`target`: who is asked, where that is known; else it may be any of those `behind` the model."""
        self._exchange = exchange
        self._behind = behind
        self._target = target
        self._money: int | None = None
        self._unpriced: Target | None = None
        """One whose price is not known."""
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
            self._money = self._dearest()
        if self._unpriced is None or rule.unpriced == "free":
            return self._money if self._money >= 0 else None
        raise PriceUnknown(
            f"the limit {rule.meter.name!r} is one of money, and the price of {self._unpriced.name} is not known; give "
            f"it under `catalogue.models`, or set the limit's `unpriced: free`"
        )

    def _dearest(self) -> int:
        """Nanodollars, by those whose price is known; -1 where that is nobody's."""
        asked = (self._target,) if self._target is not None else self._behind(self._exchange.model)
        most = -1 if asked else 0
        for target in asked:
            prices = tariff(self._exchange, target)
            cost = self._of(prices) if prices is not None and prices.known else None
            if cost is None:
                self._unpriced = self._unpriced or target
            elif cost > most:
                most = cost
        return most

    def _of(self, prices: Tariff) -> int | None:
        """None where what is asked for has no price."""
        exchange = self._exchange
        match exchange.dialect.operation:
            case "chat" | "embeddings":
                return prices.reckon(exchange.tokens, self.answer)
            case "images":
                units = {"images": float(_count(exchange.fields.get("n")))}
                return prices.cost(Usage(input=exchange.tokens, units=units)) or 0
        return 0  # seconds of sound, characters, searches: what they come to is known when they are over


def _count(number: object) -> int:
    return number if type(number) is int and 1 <= number <= 1000 else 1


NOTHING: Mapping[str, int] = dict.fromkeys(get_args(What), 0)


def of_request(exchange: Exchange) -> Mapping[str, int]:
    """What a request came to; what is not known is left out, and what was held, and `of_others`, is taken for it."""
    if not exchange.attempts:  # nobody was asked
        return ASKED if exchange.record.spared else NOTHING
    usage = exchange.record.usage
    answered = exchange.record.status < 400 and exchange.reply is not None
    if usage is None and _left(exchange):
        return UNKNOWN
    if usage is None and answered:
        return {**UNKNOWN, **_money(exchange)}
    asked, said = (usage.prompt, usage.completion) if usage is not None else (0, 0)
    others = of_others(exchange)
    asked, said = asked + others["input_tokens"], said + others["output_tokens"]
    found = {"requests": 1, "concurrency": 0, "input_tokens": asked, "output_tokens": said, "tokens": asked + said}
    return {**found, **_money(exchange)} if answered else {**found, "money": exchange.charged or 0}


def of_others(exchange: Exchange) -> Mapping[str, int]:
    """What is known of the answers that nobody was given, once they are billed: it is used, too, where it is not known
    what the request came to."""
    asked = said = money = 0
    for attempt in exchange.attempts:
        if attempt.usage is not None:
            asked += attempt.usage.prompt
            said += attempt.usage.completion
            money += in_nano(attempt.cost) or 0
    return {"input_tokens": asked, "output_tokens": said, "tokens": asked + said, "money": money}


def _left(exchange: Exchange) -> bool:
    """Whether the client went away while somebody was at work for it, who may want to be paid."""
    last = exchange.attempts[-1]
    return exchange.record.ending == "cancelled" and exchange.reply is None and last.status is None and not last.error


def _money(exchange: Exchange) -> Mapping[str, int]:
    return {"money": exchange.charged} if exchange.charged is not None else {}


ASKED: Mapping[str, int] = {**NOTHING, "requests": 1}
"""What an attempt came to that brought no answer, or a request for whose answer nobody was asked."""
UNKNOWN: Mapping[str, int] = {"requests": 1, "concurrency": 0}
"""What one came to of which it will never be known; what was held is taken for it."""


def of_attempt(exchange: Exchange, target: Target, reply: Reply) -> Mapping[str, int]:
    """What an attempt came to that was answered; what is not known is left out, as above."""
    usage = (reply.own if reply.parted else reply.counted or reply.account.usage) or exchange.reckoned
    if usage is None:
        return UNKNOWN
    asked, said = usage.prompt, usage.completion
    found = {"requests": 1, "concurrency": 0, "input_tokens": asked, "output_tokens": said, "tokens": asked + said}
    prices = tariff(exchange, target, usage)
    cost = prices.cost(usage) if prices is not None else None
    if cost is not None:
        found["money"] = cost
    return found
