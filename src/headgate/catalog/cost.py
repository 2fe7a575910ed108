"""What a request has cost, by what it used and its target's prices at the time: exact, rounded once, to nanodollars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import ClassVar

import msgspec

from headgate.catalog.entry import in_force
from headgate.core.exchange import Exchange
from headgate.core.target import Target
from headgate.core.usage import Usage

NANO = 10**9
"""In a dollar."""
SCALE = 24
"""Decimal places of dollars that are reckoned with; prices have fewer."""
TOKENS: Mapping[str, Sequence[str]] = {
    "input": ("input",),
    "cache_read": ("cache_read", "input"),
    "cache_write": ("cache_write", "input"),
    "cache_write_1h": ("cache_write_1h", "cache_write", "input"),
    "input_audio": ("input_audio", "input"),
    "input_image": ("input_image", "input"),
    "input_video": ("input_video", "input"),
    "output": ("output",),
    "reasoning": ("reasoning", "output"),
    "output_audio": ("output_audio", "output"),
    "output_image": ("output_image", "output"),
}
"""Of each class of `Usage`, the classes of prices by which it is paid: the first that the model has."""
TOOLS = {"web_search_requests": "web_searches", "google_search": "web_searches", "file_search_calls": "file_searches"}
"""Of tools that a provider runs, by its own name for the count."""
TIERS = frozenset({"flex", "priority", "fast", "batch"})
REMEMBERED = 4096

_classes = [field.name for field in msgspec.structs.fields(Usage) if field.type is int]
assert set(_classes) == set(TOKENS)


class Tariff:
    """A model's rates at a moment, in whole units of 10^-24 dollars for one token, picture, second …"""

    __slots__ = ("_longer", "_rates")

    def __init__(self, rates: Mapping[str, str], tier: str | None) -> None:
        own = {name: rate for name, rate in rates.items() if "." not in name}
        if tier is not None:
            own |= {name[len(tier) + 1 :]: rate for name, rate in rates.items() if name.startswith(f"{tier}.")}
        steps = sorted({int(name.partition(">")[2]) for name in own if ">" in name}, reverse=True)
        self._rates = _rates(own, 0)
        self._longer = [(step, _rates(own, step)) for step in steps]

    def cost(self, usage: Usage) -> int | None:
        """Nanodollars, half to even; None where something was used whose price is not known, or nothing has one."""
        rates, prompt = self._rates, usage.prompt
        for above, longer in self._longer:
            if prompt > above:
                rates = longer
                break
        total, paid = 0, False
        for name in _classes:
            count = getattr(usage, name)
            if count:
                rate = rates.get(name)
                if rate is None:
                    if usage.units:
                        continue
                    return None
                total += count * rate
                paid = True
        for unit, amount in usage.units.items():
            rate = rates.get(f"unit {unit}")
            if rate is not None and not (paid and unit in ("images", "seconds", "characters")):
                total += round(Decimal(str(amount)) * rate)
                paid = True
        for tool, count in usage.server_tools.items():
            rate = rates.get(f"unit {TOOLS.get(tool, tool)}")
            total += count * rate if rate is not None else 0
        once = rates.get("unit requests")
        if once is None and not paid and not self._free(usage):
            return None
        return _nano(total + (once or 0))

    def reckon(self, asked: int, answered: int) -> int | None:
        """What a request and an answer of so many tokens of text would cost; None where they have no price."""
        rates = self._rates
        for above, longer in self._longer:
            if asked > above:
                rates = longer
                break
        new, said = rates.get("input"), rates.get("output", 0 if not answered else None)
        if new is None or said is None:
            return None
        return _nano(asked * new + answered * said + rates.get("unit requests", 0))

    @property
    def known(self) -> bool:
        """Whether anything has a price."""
        return bool(self._rates)

    def _free(self, usage: Usage) -> bool:
        """Whether nothing was used of a model whose prices are known."""
        return bool(self._rates) and not usage.units and usage.prompt + usage.completion == 0


def _nano(total: int) -> int:
    unit: int = 10 ** (SCALE - 9)
    whole, rest = divmod(total, unit)
    return whole + (2 * rest > unit or (2 * rest == unit and whole % 2 == 1))


def _rates(own: Mapping[str, str], above: int) -> dict[str, int]:
    """Those of requests whose prompt is longer than `above`."""
    known: dict[str, tuple[int, str]] = {}
    for name, rate in own.items():
        plain, _, step = name.partition(">")
        at = int(step or 0)
        if at <= above and at >= known.get(plain, (0, ""))[0]:
            known[plain] = at, rate
    found = {}
    for counted, names in TOKENS.items():
        said = next((known[name][1] for name in names if name in known), None)
        if said is not None:
            found[counted] = int(Decimal(said).scaleb(SCALE - 6))
    for name, (_, rate) in known.items():
        if name not in TOKENS and "@" not in name:
            found[f"unit {name}"] = int(Decimal(rate).scaleb(SCALE))
    if "unit hours" in found and "unit seconds" not in found:
        found["unit seconds"] = found["unit hours"] // 3600
    return found


class Tariffs:
    """Of targets, as they are looked up; by the minute, as some prices are others at night."""

    _known: ClassVar[dict[tuple[int, int, str | None], tuple[object, Tariff]]] = {}

    @classmethod
    def of(cls, target: Target, time: float, tier: object = None) -> Tariff | None:
        """By its prices at a time (Unix seconds); None where they are not known."""
        prices = target.terms.prices
        if not prices:
            return None
        kind = tier if isinstance(tier, str) and tier in TIERS else None
        place = id(prices), int(time / 60), kind
        held = cls._known.get(place)
        if held is None or held[0] is not prices:
            if len(cls._known) >= REMEMBERED:
                cls._known.clear()
            moment = datetime.fromtimestamp(place[1] * 60, UTC)
            held = cls._known[place] = prices, Tariff(in_force(prices, moment), kind)
        return held[1]


def bill(exchange: Exchange) -> None:
    """Put into the record what was used and what it cost, with the answers that nobody was given; once it is over."""
    record = exchange.record
    if exchange.billed:
        return
    exchange.billed = True
    account = exchange.reply.account if exchange.reply is not None else None
    record.usage = (account.usage if account is not None else None) or exchange.reckoned
    total: int | None = None
    tier = exchange.fields.get("service_tier")
    if record.usage is not None and exchange.target is not None:
        tariff = Tariffs.of(exchange.target, record.time, tier)
        total = tariff.cost(record.usage) if tariff is not None else None
    for attempt in exchange.attempts:
        if attempt.usage is not None:
            other = next((each for each in exchange.decision.ranked if each.name == attempt.target), None)
            tariff = Tariffs.of(other, record.time, tier) if other is not None else None
            spent = tariff.cost(attempt.usage) if tariff is not None else None
            attempt.cost, exchange.charged = dollars(spent), _sum(exchange.charged, spent)
    record.cost, exchange.charged = dollars(total), _sum(exchange.charged, total)


def _sum(one: int | None, other: int | None) -> int | None:
    return (one or 0) + (other or 0) if one is not None or other is not None else None


def dollars(nano: int | None) -> str | None:
    """An amount as an exact decimal without zeros at its end."""
    if nano is None:
        return None
    whole, rest = divmod(nano, NANO)
    return f"{whole}.{rest:09d}".rstrip("0").rstrip(".")
