"""One model of the catalogue: what it serves, takes and costs, and who says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, localcontext
from typing import Literal

import msgspec

CONFIGURATION = "configuration"
"""The source of what the operator says."""
PERIOD = frozenset({"from", "daily"})
"""What stands beside the rates of a period."""

Lifecycle = Literal["active", "deprecated", "retired"]


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A model at one provider, as a line of the data says it. What is not known is None or empty.

    Sets are words in one string: a word that stands in neither `takes` nor `can`, and not in `cannot`, is not known.

    `prices` are periods; the last that applies counts. A period has `from` (a date, UTC) and `daily` ("00:30-16:30",
    UTC) where it does not always apply, and rates in US dollars by class, as exact decimals. Token classes (`input`,
    `output`, `cache_read`, `cache_write`, `cache_write_1h`, `reasoning`, `input_audio`, `output_image` …) are per
    million tokens; the others (`requests`, `images`, `characters`, `seconds`, `hours`, `pages`, `searches`,
    `web_searches` …) per one. `class>200000` holds for the whole of a request whose prompt is longer than that, and
    `batch.class`, `priority.class`, `flex.class` for a service tier; `images@low/1024x1024` for a size and quality.
    """

    provider: str = ""
    id: str = ""
    ops: str = ""
    """What it serves: the operations of dialects (chat, embeddings, images …)."""
    context: int | None = None
    """Tokens of prompt and answer together."""
    max_input: int | None = None
    """Most tokens of a prompt, where that is less than `context`."""
    max_output: int | None = None
    """Most tokens of an answer."""
    dimensions: int | None = None
    """Of its embeddings."""
    takes: str = ""
    gives: str = ""
    """Modalities: text, image, audio, video, document."""
    can: str = ""
    """tools, parallel_tools, schema, reasoning, adaptive_thinking, caching, web_search, computer_use."""
    cannot: str = ""
    """Words of `takes` and `can` that it refuses, and `choices`: more than one answer."""
    released: str | None = None
    """The date of the version, where its id tells it."""
    retires: str | None = None
    deprecated: bool = False
    successor: str | None = None
    prices: list[dict[str, str]] = []
    page: int | None = None
    by: dict[str, str] = {}
    """Source to the facts and price classes it says, where that is not the file's usual one."""

    @property
    def prompt_limit(self) -> int | None:
        return self.max_input or self.context

    def known_to(self, word: str) -> bool | None:
        """Whether it takes a modality or can do something; None where nobody says."""
        if word in self.cannot.split():
            return False
        return True if word in self.takes.split() or word in self.can.split() else None

    def lifecycle(self, today: date) -> Lifecycle:
        if self.retires is not None and self.retires <= today.isoformat():
            return "retired"
        return "deprecated" if self.deprecated or self.retires is not None else "active"

    def rates(self, moment: datetime) -> Mapping[str, str]:
        """What counts at a moment, by class, as it stands in the data."""
        return in_force(self.prices, moment)

    def rate(self, name: str, moment: datetime) -> Decimal | None:
        """One rate; None where there is none."""
        found = self.rates(moment).get(name)
        return Decimal(found) if found is not None else None


def in_force(prices: Sequence[Mapping[str, str]], moment: datetime) -> Mapping[str, str]:
    """The rates of the period that counts at a moment, by class."""
    utc = moment.astimezone(UTC)
    day, clock = utc.date().isoformat(), f"{utc:%H:%M}"
    for period in reversed(prices):
        if period.get("from", "") <= day and _within(period.get("daily"), clock):
            return {name: rate for name, rate in period.items() if name not in PERIOD}
    return {}


def scaled(prices: Sequence[Mapping[str, str]], factor: Decimal) -> list[dict[str, str]]:
    """The periods with every rate times a factor, exact."""
    with localcontext(prec=60):
        return [
            {
                name: said if name in PERIOD else f"{(Decimal(said) * factor).normalize():f}"
                for name, said in period.items()
            }
            for period in prices
        ]


def _within(hours: str | None, clock: str) -> bool:
    if hours is None:
        return True
    start, _, end = hours.partition("-")
    return start <= clock < end if start <= end else clock >= start or clock < end
