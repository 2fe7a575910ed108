"""A sliding sum against one that keeps everything."""

from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.core.sliding import Sliding

STEPS = st.lists(st.tuples(st.floats(0, 20), st.integers(0, 9)), max_size=30)


@settings(max_examples=60)
@given(STEPS)
def test_it_holds_what_was_added_within_its_span_give_or_take_a_slice(steps):
    sliding, added, now = Sliding(10.0), [], 1000.0
    for passed, amount in steps:
        now += passed
        sliding.add(now, amount)
        added.append((now, amount))
        low = sum(amount for at, amount in added if at > now - 9.0 + 1e-6)
        high = sum(amount for at, amount in added if at > now - 10.0 - 1e-6)
        assert low <= sliding.sum(now) <= high


def test_everything_is_forgotten():
    sliding = Sliding(10.0)
    sliding.add(5.0, 3)
    assert sliding.sum(14.0) == 3
    assert sliding.sum(15.5) == 0
    assert sliding.sum(1e9) == 0


def test_what_is_amended_counts_only_as_long_as_what_it_amends():
    minute = Sliding(60.0, 60)
    minute.add(100.0, 50_000)
    minute.add(130.0, 7)
    minute.amend(100.0, 150.0, -20_000)
    assert minute.sum(150.0) == 30_007
    assert minute.sum(175.0) == 7, "never below what was added since"
    minute.amend(100.0, 175.0, -30_000)
    assert minute.sum(175.0) == 7
    assert minute.own == 30_007
