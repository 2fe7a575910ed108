"""Shares follow weights, also those of what fails, and no target is asked many times on end."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.core.target import Terms
from headgate.stages.policies.policy import Weighing
from headgate.stages.policies.weighted import Weighted
from stages.policies.targets import asked, firsts, weighing


@pytest.mark.parametrize("weights", [(70, 30), (5, 1, 1), (0.7, 0.2, 0.1), (1, 1, 0)])
def test_ten_thousand_requests_are_shared_by_weight(weights):
    given = firsts(Weighted(Weighing()), weighing(*weights), 10_000)
    for weight, count in zip(weights, given, strict=True):
        assert count == pytest.approx(10_000 * weight / sum(weights), abs=1)


@given(st.lists(st.integers(1, 20), min_size=1, max_size=6))
@settings(max_examples=30)
def test_after_as_many_requests_as_the_weights_sum_up_to_each_has_had_its_own(weights):
    assert firsts(Weighted(Weighing()), weighing(*weights), sum(weights)) == weights


def test_turns_are_spread():
    targets = weighing(5, 1, 1)
    policy = Weighted(Weighing())
    assert "".join(policy.rank(asked(), targets)[0].name[1] for _ in range(14)) == "0010200" * 2


def test_what_a_target_that_fails_would_have_got_is_shared_by_weight():
    broken, *_ = targets = weighing(70, 20, 10)
    policy, given = Weighted(Weighing()), Counter()
    for _ in range(10_000):
        given[next(target for target in policy.rank(asked(), targets) if target is not broken).terms.weight] += 1
    assert given[20] / 10_000 == pytest.approx(2 / 3, abs=0.02)


def test_a_weight_of_nought_is_for_when_nobody_else_is_left():
    spare, used = targets = weighing(0, 1)
    policy = Weighted(Weighing())
    assert {policy.rank(asked(), targets)[0] for _ in range(100)} == {used}
    assert list(policy.rank(asked(), [spare])) == [spare]


def test_shares_hold_where_requests_leave_out_targets():
    targets = weighing(6, 3, 1)
    policy, given = Weighted(Weighing()), Counter()
    for number in range(9000):
        given[number % 3, policy.rank(asked(), targets[1:] if number % 3 else targets)[0].terms.weight] += 1
    assert given[0, 6] == pytest.approx(1800, abs=60)
    assert given[1, 3] + given[2, 3] == pytest.approx(4500, abs=90)


def test_weights_that_are_all_nought_make_no_sense():
    assert Weighing().objection([Terms(0), Terms(0)]) == "every target has the weight 0"
    assert not Weighing().objection([Terms(0), Terms(0.1)])
