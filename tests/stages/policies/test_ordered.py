"""Targets stay in the order of the configuration."""

from hypothesis import given
from hypothesis import strategies as st

from headgate.stages.policies.ordered import Ordered


@given(st.lists(st.text()))
def test_the_order_is_kept_and_nothing_left_out(targets):
    assert Ordered().rank(None, targets) == targets
