"""Turns are even, whatever is left out and whoever fails."""

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from headgate.stages.policies.round_robin import RoundRobin
from stages.policies.targets import asked, firsts, weighing


@given(st.integers(1, 7), st.integers(0, 50))
def test_turns_are_even(count, rounds):
    targets = weighing(*[1] * count)
    assert max(given := firsts(RoundRobin(), targets, rounds)) - min(given) <= 1


def test_turns_are_even_for_requests_that_leave_out_targets_in_a_rhythm():
    """Every other request can go to two targets alone; by its number each would always fall to the same one."""
    targets = weighing(1, 1, 1, 1)
    policy, given = RoundRobin(), Counter()
    for number in range(4000):
        given[policy.rank(asked(), targets[:2] if number % 2 else targets)[0].name] += 1
    assert {round(count / 4000, 2) for count in given.values()} == {0.25}


def test_each_alias_has_turns_of_its_own():
    targets = weighing(1, 1)
    assert [RoundRobin().rank(asked(), targets)[0] for _ in range(3)] == [targets[0]] * 3


def test_what_a_target_that_fails_would_have_got_is_shared():
    broken, *others = targets = weighing(1, 1, 1, 1)
    policy, given = RoundRobin(), Counter()
    for _ in range(1200):
        given[next(target for target in policy.rank(asked(), targets) if target is not broken).name] += 1
    assert set(given.values()) == {400}
    assert len(given) == len(others)


def test_turns_are_even_when_answers_take_their_time():
    """The order in which requests end makes no difference."""
    targets = weighing(1, 1, 1)
    policy, running, given = RoundRobin(), [], Counter()
    luck = random.Random(1)
    for _ in range(3000):
        first = policy.rank(asked(), targets)[0]
        first.standing.begun(0.0)
        running.append(first)
        given[first.name] += 1
        if luck.random() < 0.6:
            running.pop(luck.randrange(len(running))).standing.ended(1.0, 0.1)
    assert set(given.values()) == {1000}
