"""Whoever has least to do for its weight comes first."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.stages.policies.least_busy import LeastBusy
from headgate.stages.policies.policy import Weighing
from stages.policies.targets import asked, firsts, weighing

POLICY = LeastBusy(Weighing())


def busy(*running):
    targets = weighing(*[1] * len(running))
    for target, count in zip(targets, running, strict=True):
        target.standing.running = count
    return targets


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=10))
def test_the_order_is_that_of_what_is_running(running):
    exchange = asked()
    ranked = POLICY.rank(exchange, busy(*running))
    assert [target.standing.running for target in ranked] == sorted(running)
    assert exchange.decision.scores == {target: pytest.approx(target.standing.running + 1) for target in ranked}


def test_equals_are_drawn_by_lot():
    assert firsts(POLICY, busy(3, 3, 4), 2000) == [pytest.approx(1000, abs=150), pytest.approx(1000, abs=150), 0]


def test_as_many_run_at_the_same_time_as_the_weights_say():
    targets, luck = weighing(3, 1, 0), random.Random(1)
    running, seen = [], Counter()
    for number in range(4000):
        first = POLICY.rank(asked(), targets)[0]
        first.standing.begun(0.0)
        running.append(first)
        if number >= 40:
            running.pop(luck.randrange(40)).standing.ended(1.0, 0.1)
            seen.update(target.terms.weight for target in running)
    assert seen[3] / seen[1] == pytest.approx(3, rel=0.05)
    assert not seen[0]


def test_a_weight_of_nought_is_for_when_nobody_else_is_left():
    busier, spare = targets = weighing(1, 0)
    busier.standing.running = 10_000
    assert list(POLICY.rank(asked(), targets)) == [busier, spare]
    assert list(POLICY.rank(asked(), [spare])) == [spare]
