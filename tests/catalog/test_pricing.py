"""Costs are exact, and those of the right class, length, tier and hour."""

from datetime import UTC, datetime
from fractions import Fraction

import pytest

from headgate.catalog.pricing import WAYS, price_of
from headgate.catalog.shelf import Shelf, bundled, kinds

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
CHAT = {"input": "3", "output": "15", "cache_read": "0.3", "input>200000": "6", "output>200000": "22.5"}


def dollars(units):
    return Fraction(units, 10**24)


def cost(prices, asked, cached, answered, operation="chat", tier=None, moment=NOON):
    return dollars(price_of([prices], operation, moment, tier).of(asked, cached, answered))


def test_a_chat_is_paid_by_the_token():
    assert cost(CHAT, 1000, 0, 100) == Fraction("0.0045")
    assert cost(CHAT, 1000, 400, 100) == Fraction("0.00342")


def test_a_long_prompt_changes_the_price_of_the_whole():
    assert cost(CHAT, 200_000, 0, 10) == Fraction("0.60015")
    assert cost(CHAT, 200_001, 1, 10) == Fraction("1.2000000") + Fraction("0.0000003") + Fraction("0.000225")


def test_what_a_cache_gives_costs_as_much_as_the_rest_where_nothing_else_is_said():
    assert cost({"input": "2", "output": "4"}, 1000, 900, 0) == cost({"input": "2", "output": "4"}, 1000, 0, 0)


def test_a_service_tier_has_prices_of_its_own():
    prices = {**CHAT, "flex.input": "1.5", "flex.output": "7.5", "batch.input": "0.1"}
    assert cost(prices, 1000, 0, 100, tier="flex") == Fraction("0.00225")
    assert cost(prices, 1000, 0, 100, tier="priority") == Fraction("0.0045")
    assert cost(prices, 1000, 0, 100, tier="batch") == Fraction("0.0045")


def test_prices_change_by_the_hour():
    prices = [CHAT, {"daily": "22:00-06:00", "input": "1", "output": "2"}]
    assert price_of(prices, "chat", NOON).rates[0] == 3 * 10**18
    assert price_of(prices, "chat", NOON.replace(hour=23)).rates[0] == 10**18


def test_a_price_of_many_decimals_is_not_rounded():
    assert cost({"input": "0.0749999999999999", "output": "0"}, 10**6, 0, 0) == Fraction("0.0749999999999999")


@pytest.mark.parametrize(
    ("operation", "prices", "asked", "expected"),
    [
        ("embeddings", {"input": "0.02", "output": "0"}, 1000, "0.00002"),
        ("rerank", {"searches": "0.002"}, 1, "0.002"),
        ("images", {"images": "0.04", "input": "5"}, 2, "0.08"),
        ("speech", {"characters": "0.000015"}, 100, "0.0015"),
        ("transcription", {"seconds": "0.0001"}, 60, "0.006"),
        ("transcription", {"hours": "0.36"}, 60, "0.006"),
    ],
)
def test_other_things_than_chats(operation, prices, asked, expected):
    assert cost(prices, asked, 0, 0, operation) == Fraction(expected)


def test_nothing_is_known_of_what_has_no_prices():
    assert price_of([], "chat", NOON) is None
    assert price_of([{"input": "1"}], "chat", NOON) is None
    assert price_of([CHAT], "moderation", NOON) is None


def test_nearly_all_models_of_the_catalogue_have_a_price():
    told = {operation: [0, 0] for operation in WAYS}
    for kind in kinds():
        for entry in Shelf(kind, [bundled(kind)]).models():
            for operation in entry.ops.split():
                if operation in told and entry.prices:
                    told[operation][price_of(entry.prices, operation, NOON) is not None] += 1
    for operation, (without, having) in told.items():
        assert having / (without + having) > 0.85, (operation, without, having)
