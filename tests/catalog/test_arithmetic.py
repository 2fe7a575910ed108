"""How a cost comes about: in words, and what it comes to by its parts alone."""

from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.catalog.arithmetic import TIMES, amount, told
from headgate.catalog.cost import TOKENS, Tariff
from headgate.core.record import Part
from headgate.core.usage import Usage

UNITS = ("images", "seconds", "characters", "searches", "pages")
RATES = st.decimals(0, 1000, places=6).map(str)
PRICES = st.fixed_dictionaries(
    {"input": RATES},
    optional={
        **dict.fromkeys(
            [*list(TOKENS)[1:], *UNITS, "hours", "requests", "web_searches", "input>1000", "output>1000"], RATES
        ),
        "flex.input": RATES,
    },
)
COUNTS = st.fixed_dictionaries({}, optional=dict.fromkeys(TOKENS, st.integers(0, 10_000_000)))
AMOUNTS = st.dictionaries(st.sampled_from(UNITS), st.one_of(st.integers(1, 1000), st.floats(0.001, 1e6)), max_size=2)
USES = st.builds(
    lambda counts, units, searches: Usage(
        **counts, units=units, server_tools={"web_search_requests": searches} if searches else {}
    ),
    COUNTS, AMOUNTS, st.integers(0, 3),
)  # fmt: skip
TIERS = st.sampled_from([None, "flex"])


@given(PRICES, USES, TIERS)
@settings(max_examples=60)
def test_the_parts_come_to_the_amount_that_is_never_negative(prices, usage, tier):
    bill = Tariff(prices, tier).bill(usage)
    assert (bill.nano is None) == (bill.why is not None)
    if bill.nano is not None:
        assert bill.nano == amount(bill.parts) >= 0
    assert all(part.price in prices.values() and part.price_name in prices for part in bill.parts)


@given(st.fixed_dictionaries(dict.fromkeys(TOKENS, RATES)), COUNTS, COUNTS)
def test_it_is_additive_and_grows_with_every_class(rates, one, other):
    tariff = Tariff(rates, None)
    together = {name: one.get(name, 0) + other.get(name, 0) for name in {*one, *other}}
    apart = tariff.cost(Usage(**one)) + tariff.cost(Usage(**other))
    whole = tariff.cost(Usage(**together))
    assert abs(whole - apart) <= 1  # each is rounded once
    assert whole >= tariff.cost(Usage(**one))


def test_it_is_told_in_words():
    prices = {
        "input": "0.3", "cache_read": "0.075", "output": "2.5", "flex.input": "0.15", "web_searches": "0.01",
        "hours": "0.36", "images": "0.04",
    }  # fmt: skip
    usage = Usage(input=2000, cache_read=1024, reasoning=500, server_tools={"web_search_requests": 2})
    bill = Tariff(prices, "flex").bill(usage)
    assert said(bill.parts) == (
        "2,000 input x $0.15/M (flex.input) + 1,024 cache read x $0.075/M + 500 reasoning x $2.5/M (output)"
        " + 2 web search requests x $0.01"
    )
    sound = Tariff(prices, None).bill(Usage(units={"seconds": 30.5}))
    assert said(sound.parts) == "30.5 seconds x $0.36/hour"
    assert said([Part("images", 2, "batch.images", "0.02")]) == "2 images x $0.02 (batch.images)"


def said(parts):
    return told(parts).replace(TIMES, "x")
