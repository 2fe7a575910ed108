"""What a request would cost by a model's prices: exact, in whole units of 10^-24 US dollars."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from headgate.catalog.entry import in_force

UNIT = 1e-24
"""US dollars."""
WAYS: dict[str, Sequence[tuple[str, str | None]]] = {
    "chat": (("input", "output"),),
    "embeddings": (("input", None),),
    "rerank": (("searches", None), ("input", None)),
    "images": (("images", None), ("input", "output_image"), ("input", "output")),
    "speech": (("characters", None), ("input", "output_audio"), ("input", "output")),
    "transcription": (("seconds", None), ("hours", None)),
}
"""By operation, the classes of prices that make up most of the cost: of what is asked and of what is answered. The
first that a model has prices for counts."""
TIERS = frozenset({"flex", "priority"})
"""What a request may name as its `service_tier` that has prices of its own."""
ONE = frozenset({"images", "characters", "seconds", "hours", "searches"})
"""Classes whose price is for one, not for a million."""

Rates = tuple[int, int, int]
"""Of one unit that is asked, that is asked and read from the provider's cache, and that is answered."""


class Price:
    """`counts` is the way in which the model is paid for, of `WAYS`."""

    __slots__ = ("counts", "longer", "rates")

    def __init__(self, counts: tuple[str, str | None], rates: Rates, longer: Sequence[tuple[int, Rates]] = ()) -> None:
        """`longer`: the rates of requests that ask more than so much, the highest first."""
        self.counts = counts
        self.rates = rates
        self.longer = longer

    def at(self, asked: int) -> Rates:
        """The rates of a request that asks so much."""
        for above, rates in self.longer:
            if asked > above:
                return rates
        return self.rates

    def of(self, asked: int, cached: int, answered: int) -> int:
        """`cached` is part of `asked`."""
        new, again, said = self.at(asked)
        return (asked - cached) * new + cached * again + answered * said


def price_of(
    prices: Sequence[Mapping[str, str]], operation: str, moment: datetime, tier: str | None = None
) -> Price | None:
    """How a model is paid for at a moment; None where that is not known."""
    rates = in_force(prices, moment)
    known = {name: rate for name, rate in rates.items() if "." not in name}
    if tier in TIERS:
        known |= {name[len(tier) + 1 :]: rate for name, rate in rates.items() if name.startswith(f"{tier}.")}
    for asked, answered in WAYS.get(operation, ()):
        if asked in known and (answered is None or answered in known):
            classes = (asked, "cache_read" if asked == "input" else asked, answered)
            above = {int(name.partition(">")[2]) for name in known if name.partition(">")[0] in classes and ">" in name}
            longer = [(limit, _rates(classes, known, limit)) for limit in sorted(above, reverse=True)]
            return Price((asked, answered), _rates(classes, known, 0), longer)
    return None


def _rates(classes: tuple[str, str, str | None], known: Mapping[str, str], limit: int) -> Rates:
    """Those of requests that ask more than `limit`."""
    asked, again, answered = classes
    new = _rate(asked, known, limit)
    return (
        new,
        (_rate(again, known, limit) if again in known else new),
        (_rate(answered, known, limit) if answered else 0),
    )


def _rate(name: str, known: Mapping[str, str], limit: int) -> int:
    steps = (int(each.partition(">")[2]) for each in known if each.startswith(f"{name}>"))
    most = max((step for step in steps if step <= limit), default=None)
    amount = Decimal(known[name if most is None else f"{name}>{most}"])
    if name == "hours":
        return int(amount.scaleb(24)) // 3600
    return int(amount.scaleb(24 if name in ONE else 18).to_integral_value())
