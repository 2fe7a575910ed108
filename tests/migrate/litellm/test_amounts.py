"""Durations as windows, amounts as money."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateways import rounds
from headgate.migrate.litellm.amounts import WINDOWS, in_seconds, money, window
from together import together


@together(
    ("duration", "every"),
    [("1s", "second"), ("60s", "minute"), ("1h", "hour"), ("24h", "day"), ("1d", "day"), ("7d", "week"), ("1w", "week"),
     ("30d", "month"), ("1mo", "month"), ("daily", "day"), ("monthly", "month")],
)  # fmt: skip
def test_windows_that_are_the_same(duration, every):
    assert window(duration) == (every, 1, "")


@pytest.mark.parametrize(("duration", "every"), [("2h", "day"), ("5m", "hour"), ("3d", "week"), ("14d", "month")])
def test_a_shorter_one_is_counted_in_the_next_longer(duration, every):
    found = window(duration)
    assert (found.every, found.share, found.laxer) == (every, 1, False)
    assert duration in found.otherwise


def test_what_is_none():
    assert window(None).laxer
    assert window("").laxer
    assert not window("whenever").laxer
    assert [in_seconds(text) for text in ("", "5", "0d", "-1d", "d")] == [None] * 5


@settings(max_examples=rounds(50, 1000))
@given(st.integers(1, 10_000), st.sampled_from(["s", "m", "h", "d", "w", "mo"]), st.integers(1, 10_000))
def test_no_more_may_be_spent_than_before(count, unit, dollars):
    duration = f"{count}{unit}"
    found = window(duration)
    seconds = in_seconds(duration)
    amount = Decimal(str(money(dollars, found.share)))
    months = max(round(seconds / WINDOWS["month"]), 1)
    periods = 1 if seconds <= WINDOWS[found.every] else months
    assert amount * periods <= dollars


@together(
    ("said", "amount"),
    [(1, 1), ("2.50", 2.5), (0.1, 0.1), (10**9, 10**6), (1e-12, 0), (-1, None), ("x", None), (float("inf"), None)],
)
def test_money(said, amount):
    assert money(said) == amount
