"""What requests cost: by class, tier and length, exact over many, and unknown where something has no price."""

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.catalog.cost import TOKENS, Tariff, amount_of, nanodollars
from headgate.core.money import dollars
from headgate.core.usage import Usage
from together import together

SONNET = {
    "input": "3", "output": "15", "cache_read": "0.3", "cache_write": "3.75", "cache_write_1h": "6",
    "input>200000": "6", "output>200000": "22.5", "cache_read>200000": "0.6", "web_searches": "0.01",
    "batch.input": "1.5", "batch.output": "7.5",
}  # fmt: skip


@together(
    ("rates", "tier", "usage", "amount"),
    [
        (SONNET, None, Usage(input=1000, output=500), "0.0105"),
        (SONNET, None, Usage(input=10, cache_read=1000, cache_write=100, cache_write_1h=100), "0.001305"),
        (SONNET, None, Usage(input=1, cache_read=200_000, output=1000), "0.142506"),
        (SONNET, None, Usage(input=0, cache_read=200_000, output=1000), "0.075"),
        (SONNET, "batch", Usage(input=1000, output=500), "0.00525"),
        (SONNET, None, Usage(input=1000, server_tools={"web_search_requests": 3}), "0.033"),
        (SONNET, None, Usage(input=1000, output=10, reasoning=490), "0.0105"),
        ({"input": "0.075", "output": "0.3", "input_audio": "0.7"}, None, Usage(input=1024, input_audio=100),
         "0.0001468"),
        ({"input": "0.02"}, None, Usage(input=8), "0.00000016"),
        ({"input": "0.0001"}, None, Usage(input=1), "0"),
        ({"images": "0.04"}, None, Usage(units={"images": 2.0}), "0.08"),
        ({"images": "0.04", "input": "5", "output_image": "40"}, None,
         Usage(input=10, output_image=1000, units={"images": 1.0}), "0.04005"),
        ({"hours": "0.36"}, None, Usage(units={"seconds": 30.5}), "0.00305"),
        ({"seconds": "0.0001"}, None, Usage(units={"seconds": 12.3456}), "0.00123456"),
        ({"characters": "0.000015"}, None, Usage(units={"characters": 101}), "0.001515"),
        ({"searches": "0.002", "input": "0"}, None, Usage(input=100, units={"searches": 1.0}), "0.002"),
        ({"requests": "0.005", "input": "1", "output": "1"}, None, Usage(input=10, output=10), "0.00502"),
        ({"input": "0", "output": "0"}, None, Usage(input=10, output=10), "0"),
        ({"input": "1", "output": "1"}, None, Usage(), "0"),
        ({"input": "1"}, None, Usage(input=10, output=10), None),
        ({"seconds": "1"}, None, Usage(input=10, output=10), None),
        ({"characters": "1"}, None, Usage(units={"images": 1.0}), None),
        ({"input_images": "0.0001"}, None, Usage(units={"images": 3.0}), "0.0003"),
        (SONNET, None, Usage(input=1000, server_tools={"web_fetch_requests": 1}), "0.003"),
        (SONNET, None, Usage(input=1000, server_tools={"file_search_calls": 1}), None),
        ({"searches": "0.002", "input": "1", "output": "2"}, None,
         Usage(input=10, output=10, server_tools={"search_units": 2}), "0.00403"),
        ({}, None, Usage(), None),
    ],
)  # fmt: skip
def test_what_a_request_costs(rates, tier, usage, amount):
    assert dollars(Tariff(rates, tier).cost(usage)) == amount


RATES = st.decimals(0, 1000, places=4).map(str)
COUNTS = st.integers(0, 10_000_000)


@given(st.fixed_dictionaries(dict.fromkeys(TOKENS, RATES)), st.fixed_dictionaries(dict.fromkeys(TOKENS, COUNTS)))
def test_it_is_the_sum_of_products_rounded_once(rates, counts):
    exact = sum(Decimal(rates[name]) * counts[name] for name in TOKENS) / 10**6
    found = Tariff(rates, None).cost(Usage(**counts))
    assert abs(Decimal(found) / 10**9 - exact) <= Decimal("0.5e-9")


USAGES = st.fixed_dictionaries(dict.fromkeys(TOKENS, COUNTS)).map(lambda counts: Usage(**counts))
DEARER = st.fixed_dictionaries(dict.fromkeys(TOKENS, RATES)).flatmap(
    lambda rates: st.sets(st.sampled_from([*TOKENS])).map(
        lambda longer: rates | {f"{name}>200000": str(Decimal(rates[name]) * 2) for name in longer}
    )
)
"""Prices, of some classes others for long prompts, which are no lower."""


@given(DEARER, USAGES)
def test_it_is_the_sum_of_its_parts_and_never_less_than_nothing(rates, usage):
    bill = Tariff(rates, None).bill(usage)
    assert bill.nano == nanodollars(sum(amount_of(part.quantity, part.price_name, part.price) for part in bill.parts))
    assert bill.nano >= 0
    assert all(Decimal(part.price) >= 0 and part.quantity > 0 for part in bill.parts)


@given(DEARER, USAGES, st.sampled_from([*TOKENS]), COUNTS)
def test_more_of_any_class_costs_no_less(rates, usage, name, more):
    tariff = Tariff(rates, None)
    larger = msgspec.structs.replace(usage, **{name: getattr(usage, name) + more})
    assert tariff.cost(larger) >= tariff.cost(usage)


@given(st.fixed_dictionaries(dict.fromkeys(TOKENS, RATES)), USAGES, USAGES)
def test_two_together_cost_as_much_as_each_alone(rates, one, other):
    tariff = Tariff(rates, None)
    apart = tariff.cost(one) + tariff.cost(other)
    assert abs(tariff.cost(one.plus(other)) - apart) <= 1  # each is rounded by half a nanodollar at most


@pytest.mark.parametrize(
    ("nano", "text"), [(None, None), (0, "0"), (1, "0.000000001"), (10**9, "1"), (1_500_000_000, "1.5")]
)
def test_an_amount_is_written_exactly(nano, text):
    assert dollars(nano) == text


@pytest.mark.parametrize(
    ("rates", "usage", "why", "known"),
    [
        ({"input": "1"}, Usage(input=10, output=10, output_audio=5), "no price is known for output, output_audio", 1),
        (SONNET, Usage(input=1, server_tools={"file_search_calls": 1}), "no price is known for file_search_calls", 1),
        ({"seconds": "1"}, Usage(units={"images": 1.0}), "no price is known for images", 0),
    ],
)
def test_an_amount_that_is_not_known_says_what_has_no_price(rates, usage, why, known):
    bill = Tariff(rates, None).bill(usage)
    assert (bill.nano, bill.why, len(bill.parts)) == (None, why, known)


@pytest.mark.parametrize(
    ("usage", "nano"),
    [
        (Usage(input=10, output=10), 0),
        (Usage(cache_read=100_000), 270_000_000),
        (Usage(cache_read=1_000_000), 5_400_000_000),  # of a long prompt
        (Usage(cache_write=100_000), -75_000_000),
        (Usage(cache_write_1h=100_000, cache_read=100_000), -300_000_000 + 270_000_000),
    ],
)
def test_what_the_providers_cache_saves(usage, nano):
    assert Tariff(SONNET, None).bill(usage).cached == nano
