"""What the catalogue's builder knows of one model while it gathers it: facts, prices, and who said each of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

GENAI = "genai-prices"
LITELLM = "litellm"
OVERLAY = "overlay"
DERIVED = "derived"

USUAL = {"prices": GENAI, "released": DERIVED}
"""Who says a fact where the model's line does not tell; LiteLLM says all others."""

DATE = re.compile(r"(?<!\d)(20[12]\d)-?(0[1-9]|1[0-2])-?([0-2]\d|3[01])(?!\d)")

Rates = dict[str, str]


@dataclass
class Model:
    """One model at one provider. `prices` are periods, the last that applies counts; each holds `from` and `daily`
    beside its rates."""

    id: str
    facts: dict[str, Any] = field(default_factory=dict)
    prices: list[Rates] = field(default_factory=list)
    by: dict[str, str] = field(default_factory=dict)
    """Fact, or class of price, to its source."""
    page: str | None = None

    def put(self, name: str, value: Any, source: str) -> None:
        """A fact, unless it is nothing or known already."""
        if value in (None, "", [], {}) or name in self.facts:
            return
        self.facts[name] = value
        self.by[name] = source

    def say(self, name: str, words: Iterable[str], source: str) -> None:
        """Words of a set (`can`, `cannot`, `takes`, `gives`, `ops`), joined with those that are there."""
        known = self.facts.get(name, "").split()
        new = [word for word in words if word not in known]
        if new:
            self.facts[name] = " ".join(sorted([*known, *new]))
            self.by.setdefault(name, source)

    def words(self, name: str) -> set[str]:
        return set(self.facts.get(name, "").split())

    def line(self, pages: Mapping[str, int]) -> dict[str, Any]:
        """As it stands in the file."""
        facts = {name: self.facts[name] for name in sorted(self.facts)}
        if self.prices:
            facts["prices"] = self.prices
        if self.page is not None and self.page in pages:
            facts["page"] = pages[self.page]
        unusual: dict[str, list[str]] = {}
        for name, source in self.by.items():
            usual = USUAL.get(name, LITELLM) if name in self.facts else USUAL["prices"]
            if source != usual:
                unusual.setdefault(source, []).append(name)
        if unusual:
            facts["by"] = {source: " ".join(sorted(names)) for source, names in sorted(unusual.items())}
        return facts


def exact(value: Decimal) -> str:
    """A decimal without exponent and trailing zeros, rid of what binary fractions left in a source (12 digits stay)."""
    rounded = Decimal(f"{value:.11e}")
    text = f"{rounded.normalize():f}"
    return "0" if text in ("-0", "0") else text


def differ(one: str, other: str) -> bool:
    """By more than 1 %."""
    a, b = Decimal(one), Decimal(other)
    return abs(a - b) > max(abs(a), abs(b)) / 100


def released(id: str) -> str | None:
    """The date in a dated id (`gpt-4o-2024-08-06`, `claude-sonnet-4-5@20250929`)."""
    found = DATE.search(id)
    return f"{found[1]}-{found[2]}-{found[3]}" if found else None
