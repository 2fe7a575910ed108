"""Limits per minute are kept to by all processes together, within a second or two."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.counted import FORGOTTEN, Counted
from headgate.core.standing import Board

TARGET = "p/m: with a space"


class Process:
    def __init__(self, me):
        self.board = Board()
        self.standing = self.board.standing(TARGET, named=True)
        self.limit()
        self.counted = Counted(self.board, me)

    def limit(self, *, limited=True):
        self.standing.limit(None, requests=limited, tokens=limited)
        self.board.limited = [self.standing] if limited else []

    def sums(self, now):
        return self.standing.requests.sum(now), self.standing.tokens.sum(now)


@pytest.fixture
def two():
    return Process("a"), Process("b")


def meet(now, *processes):
    """Each hears what each tells, itself too."""
    for process in processes:
        for fact in process.counted.outgoing(now):
            for other in processes:
                other.counted.heard(fact.name.removeprefix("count "), fact.told, now)


def test_what_all_have_used_counts_and_is_forgotten_after_a_minute(two):
    one, other = two
    meet(100, *two)
    for _ in range(3):
        one.standing.begun(101, tokens=50)
    other.standing.begun(101, tokens=7)
    meet(102, *two)
    assert one.sums(102) == other.sums(102) == (4, 157)
    one.standing.unasked(103, tokens=50)
    meet(103, *two)
    assert one.sums(103) == other.sums(103) == (3, 107)
    assert other.sums(170) == (0, 0)


def test_nothing_is_told_twice_or_more_often_than_twice_a_second(two):
    one, _ = two
    assert len(one.counted.outgoing(100)) == 1  # that nothing has been used: what follows can be told from it
    assert one.counted.outgoing(102) == []
    one.standing.begun(103)
    assert len(one.counted.outgoing(104)) == 1
    one.standing.begun(104)
    assert one.counted.outgoing(104.4) == []
    assert len(one.counted.outgoing(104.6)) == 1
    one.counted.lost()
    assert len(one.counted.outgoing(107)) == 1


def test_of_a_process_that_is_new_to_us_only_what_follows_counts(two):
    one, other = two
    one.standing.begun(100)
    meet(101, *two)
    assert other.sums(101) == (0, 0)
    one.standing.begun(102)
    meet(103, *two)
    assert other.sums(103) == (1, 0)


def test_after_a_silence_as_much_counts_as_falls_into_a_minute(two):
    one, other = two
    meet(100, *two)
    for second in range(100, 400):
        one.standing.begun(second)
    meet(400, *two)
    assert other.sums(400)[0] == pytest.approx(60)


def test_a_count_that_begins_anew_takes_nothing_back(two):
    one, other = two
    meet(100, *two)
    for _ in range(9):
        one.standing.begun(101)
    meet(102, *two)
    one.limit(limited=False)
    meet(104, *two)
    one.limit()
    one.standing.begun(105)
    meet(106, *two)
    one.standing.begun(107)
    meet(108, *two)
    assert other.sums(108) == (10, 0)


def test_what_is_not_limited_here_or_not_understood_is_left_alone(two):
    one, other = two
    meet(100, *two)
    other.limit(limited=False)
    one.standing.begun(101)
    meet(102, *two)
    assert other.standing.requests is None
    other.limit()
    for told in (b"", b"{}", b'{"count": 1, "requests": "many", "tokens": 1}'):
        other.counted.heard(f"a {TARGET}", told, 103)
        other.counted.heard("a", told, 103)
    assert other.sums(103) == (0, 0)


def test_processes_that_are_gone_are_forgotten(two):
    _, other = two
    meet(100, *two)
    assert other.counted._seen
    other.counted.outgoing(101 + FORGOTTEN)
    assert not other.counted._seen


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 900)), max_size=60))
def test_with_nobody_cut_off_every_sum_is_that_of_all(used):
    processes = [Process(name) for name in "abc"]
    now = 100.0
    meet(now, *processes)
    for who, tokens in used:
        now += 0.5
        processes[who].standing.begun(now, tokens=tokens)
        meet(now, *processes)
    meet(now + 1.5, *processes)
    expected = (len(used), sum(tokens for _, tokens in used))
    assert [process.sums(now + 1.5) for process in processes] == [expected] * 3
