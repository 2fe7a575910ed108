"""Amounts are written and read without loss."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.money import MOST, dollars, in_nano


@given(st.integers(-MOST, MOST))
def test_what_is_written_is_read(nano):
    assert in_nano(dollars(nano)) == nano


@pytest.mark.parametrize("text", [None, "", "x", "NaN", "1e400", "9" * 60, "--1"])
def test_what_is_no_amount_is_none(text):
    assert in_nano(text) is None
