"""Reads genai-prices (MIT, Pydantic): the authority on prices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import genai_prices.data
from catalogue_model import GENAI, Model, Rates, exact
from genai_prices import types

TOKENS = {
    "input_mtok": "input",
    "output_mtok": "output",
    "output_reasoning_mtok": "reasoning",
    "output_citation_mtok": "citations",
    "cache_read_mtok": "cache_read",
    "cache_write_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_1h",
    "input_audio_mtok": "input_audio",
    "output_audio_mtok": "output_audio",
    "cache_audio_read_mtok": "cache_read_audio",
    "input_image_mtok": "input_image",
    "output_image_mtok": "output_image",
    "cache_image_read_mtok": "cache_read_image",
    "input_video_mtok": "input_video",
    "output_video_mtok": "output_video",
}
"""Per million tokens, there and here."""
OTHERS = {
    "web_searches_kcount": ("web_searches", 1000),
    "storage_searches_kcount": ("file_searches", 1000),
    "requests_kcount": ("requests", 1000),
    "input_text_messages_kcount": ("messages", 1000),
    "input_document_kpages": ("pages", 1000),
    "input_annotated_document_kpages": ("annotated_pages", 1000),
    "input_mchars": ("characters", 1_000_000),
    "audio_hours": ("hours", 1),
    "input_audio_hours": ("hours", 1),
}
"""Of how many the price is there; here it is of one."""
TIERS = {("processing", "batch"): "batch", ("service_tier", "priority"): "priority", ("service_tier", "flex"): "flex",
         ("service_tier", "fast"): "fast", ("speed", "fast"): "fast"}  # fmt: skip
SAME = {("service_tier", "default")}
"""What is only another word for the standard rate."""


class Prices:
    """The providers of genai-prices, and what of them could not be said here."""

    def __init__(self) -> None:
        self.providers = {provider.id: provider for provider in genai_prices.data.providers}
        self.left_out: set[str] = set()

    def find(self, names: list[str], id: str) -> tuple[types.Provider, types.ModelInfo] | None:
        """The model of this id, in the first of the providers that has it."""
        for name in names:
            model = self.providers[name].find_model(id.lower())
            if model is not None:
                return self.providers[name], model
        return None

    def models(self, names: list[str], *, suffix: bool) -> Iterator[tuple[types.ModelInfo, list[str]]]:
        """All models with the ids they go by, the first one being their own."""
        for name in names:
            tail = ":" + name.partition("_")[2] if suffix else ""
            for model in self.providers[name].models:
                own = [model.id] if model.is_match(model.id) else []
                others = [text for text in literals(model.match) if text.lower() != model.id.lower()]
                ids = [*own, *others] or [model.id]
                yield model, [f"{id}{tail}" for id in ids]

    def describe(self, model: types.ModelInfo, into: Model) -> None:
        into.prices = self.periods(model)
        if into.prices:
            into.by["prices"] = GENAI
        if model.deprecated:
            into.put("deprecated", True, GENAI)

    def periods(self, model: types.ModelInfo) -> list[Rates]:
        """Every stretch of time with rates of its own, each complete; the last that applies counts."""
        standard = model.prices if isinstance(model.prices, list) else [types.ConditionalPrice(prices=model.prices)]
        variants = model.price_variants or []
        starts = {_start(entry.constraint) for entries in (standard, variants) for entry in entries}
        periods = []
        for start in sorted(starts, key=lambda start: start or date.min):
            moment = datetime.combine(start or date(2000, 1, 1), time(), UTC)
            in_force = [price for price in standard if _begun(price, moment)] or standard[:1]
            tiers = [variant for variant in variants if _begun(variant, moment)]
            periods += [
                self.period(price, tiers, start)
                for price in in_force
                if isinstance(price.constraint, types.TimeOfDateConstraint) or price is _last(in_force)
            ]
        return [period for period in periods if set(period) - {"from", "daily"}]

    def period(self, price: types.ConditionalPrice, tiers: list[types.PriceVariant], start: date | None) -> Rates:
        rates: Rates = {"from": start.isoformat()} if start else {}
        if isinstance(price.constraint, types.TimeOfDateConstraint):
            ends = price.constraint.start_time, price.constraint.end_time
            rates["daily"] = "-".join(end.strftime("%H:%M") for end in ends)
        rates |= self.rates(price.prices)
        for variant in reversed(tiers):  # the first that applies counts
            (when,) = list(variant.when.items())[:1]
            if when in TIERS and len(variant.when) == 1:
                rates |= {f"{TIERS[when]}.{name}": rate for name, rate in self.rates(variant.prices).items()}
            elif when not in SAME:
                self.left_out.add(f"prices of {when[0]} {when[1]}")
        return rates

    def rates(self, prices: types.ModelPrice) -> Rates:
        found: Rates = {}
        for key, value in vars(prices).items():
            if value is None:
                continue
            if key in TOKENS:
                name, per = TOKENS[key], 1
            elif key in OTHERS:
                name, per = OTHERS[key]
            else:
                self.left_out.add(f"prices per {key}")
                continue
            found |= _steps(name, value, per)
        return found


def literals(match: Any) -> list[str]:
    """The ids a model goes by word for word."""
    if isinstance(match, types.ClauseEquals):
        return [match.equals]
    if isinstance(match, types.ClauseOr):
        return [text for part in match.or_ for text in literals(part)]
    return []


def _steps(name: str, value: Decimal | types.TieredPrices, per: int) -> Mapping[str, str]:
    if isinstance(value, types.TieredPrices):
        above = {f"{name}>{tier.start}": exact(tier.price / per) for tier in value.tiers}
        return {name: exact(value.base / per), **above}
    return {name: exact(value / per)}


def _start(constraint: Any) -> date | None:
    return constraint.start_date if isinstance(constraint, types.StartDateConstraint) else None


def _begun(price: Any, moment: datetime) -> bool:
    return (_start(price.constraint) or date.min) <= moment.date()


def _last(prices: list[types.ConditionalPrice]) -> types.ConditionalPrice:
    """The one that counts at hours of which nothing is said."""
    return [price for price in prices if not isinstance(price.constraint, types.TimeOfDateConstraint)][-1]
