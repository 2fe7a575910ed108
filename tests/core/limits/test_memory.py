"""Counters of one process against a naive reckoning of the same: with a simulated clock."""

import random
from dataclasses import replace
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.core.limits import memory
from headgate.core.limits.memory import MemoryCounters
from headgate.core.limits.meter import Demand, Denied, Hold, Meter, Now
from headgate.core.limits.window import Calendar


def meter(amount, every="minute", name="m", what="tokens", burst=None, warn=None):
    return Meter(name, what, amount, Calendar(every) if every else None, burst, warn)


def now(seconds):
    return Now(seconds, seconds)


async def test_all_or_nothing():
    counters, one, two = MemoryCounters(), meter(10), meter(5, name="n")
    assert isinstance(await counters.reserve([Demand(one, "a", 4), Demand(two, "b", 4)], now(0)), Hold)
    denied = await counters.reserve([Demand(one, "a", 4), Demand(two, "b", 4)], now(1))
    assert (denied.demand.counter, denied.left, denied.after, denied.never) == ("b", 1, 59, False)
    assert isinstance(await counters.reserve([Demand(one, "a", 6)], now(1)), Hold)


async def test_of_several_the_one_that_takes_longest_is_named():
    counters = MemoryCounters()
    demands = [Demand(meter(0), "minute", 1), Demand(meter(0, "day"), "day", 1), Demand(meter(0, "hour"), "hour", 1)]
    assert (await counters.reserve(demands, now(0))).demand.counter == "day"


async def test_what_can_never_be_is_said_to_be_so():
    denied = await MemoryCounters().reserve([Demand(meter(10), "a", 11)], now(0))
    assert denied.never
    denied = await MemoryCounters().reserve([Demand(meter(10, burst=5), "a", 6)], now(0))
    assert denied.never


async def test_a_reservation_gives_way_to_what_it_came_to():
    counters, limit = MemoryCounters(), meter(10)
    hold = await counters.reserve([Demand(limit, "a", 10)], now(0))
    assert isinstance(await counters.reserve([Demand(limit, "a", 1)], now(1)), Denied)
    counters.settle(hold, [3], now(2))
    counters.settle(hold, [9], now(2))
    assert isinstance(await counters.reserve([Demand(limit, "a", 7)], now(3)), Hold)
    assert isinstance(await counters.reserve([Demand(limit, "a", 1)], now(3)), Denied)


async def test_what_was_underestimated_counts_and_nothing_passes_after_it():
    counters, limit = MemoryCounters(), meter(10)
    counters.settle(await counters.reserve([Demand(limit, "a", 1)], now(0)), [15], now(1))
    denied = await counters.reserve([Demand(limit, "a", 1)], now(2))
    assert (denied.left, denied.after) == (0, 58)
    assert isinstance(await counters.reserve([Demand(limit, "a", 0)], now(2)), Hold)
    assert isinstance(await counters.reserve([Demand(limit, "a", 10)], now(60)), Hold)


async def test_what_is_settled_after_its_window_burdens_no_other():
    counters, limit = MemoryCounters(), meter(10)
    hold = await counters.reserve([Demand(limit, "a", 5)], now(59))
    other = await counters.reserve([Demand(limit, "a", 10)], now(61))
    assert isinstance(other, Hold)
    counters.settle(hold, [50], now(62))
    counters.settle(other, [0], now(62))
    assert isinstance(await counters.reserve([Demand(limit, "a", 10)], now(63)), Hold)


async def test_a_clock_that_is_put_back_gives_nobody_anything_anew():
    counters, limit = MemoryCounters(), meter(1, "hour")
    assert isinstance(await counters.reserve([Demand(limit, "a", 1)], Now(7200, 0)), Hold)
    assert isinstance(await counters.reserve([Demand(limit, "a", 1)], Now(3601, 1)), Denied)


async def test_twenty_at_once_and_then_ten_a_second():
    counters, limit = MemoryCounters(), meter(10, "second", what="requests", burst=20)
    passed = [await counters.reserve([Demand(limit, "a", 1)], now(1_800_000_000)) for _ in range(21)]
    assert [isinstance(each, Hold) for each in passed] == [True] * 20 + [False]
    assert passed[-1].after == pytest.approx(0.1, abs=0.001)
    assert passed[19].levels[0].left == 0
    late = [isinstance(await counters.reserve([Demand(limit, "a", 1)], now(1_800_000_000.1)), Hold) for _ in range(2)]
    assert late == [True, False]


async def test_places_are_free_when_who_had_them_is_gone():
    counters, limit = MemoryCounters(), meter(2, None, what="concurrency")
    first, _ = [await counters.reserve([Demand(limit, "a", 1)], now(0)) for _ in range(2)]
    denied = await counters.reserve([Demand(limit, "a", 1)], now(0))
    assert denied.after == inf
    counters.settle(first, [0], now(1))
    assert isinstance(await counters.reserve([Demand(limit, "a", 1)], now(1)), Hold)


async def test_who_is_not_held_to_it_is_counted_all_the_same():
    counters, limit = MemoryCounters(), meter(1)
    for _ in range(3):
        hold = await counters.reserve([Demand(limit, "a", 1, firm=False)], now(0))
        counters.settle(hold, [1], now(0))
    assert isinstance(await counters.reserve([Demand(limit, "a", 1)], now(0)), Denied)


async def test_that_little_is_left_is_told_once_a_window():
    counters, limit = MemoryCounters(), meter(10, warn=0.8)
    told = [bool((await counters.reserve([Demand(limit, "a", 2)], now(second))).warned) for second in (0, 1, 2, 3, 4)]
    assert told == [False, False, False, True, False]
    assert [bool((await counters.reserve([Demand(limit, "a", 8)], now(60))).warned)] == [True]


async def test_what_is_at_rest_is_forgotten(monkeypatch):
    monkeypatch.setattr(memory, "MANY", 100)
    counters = MemoryCounters()
    counters._sweep_at = 100
    limit, running = meter(10), meter(10, None, what="concurrency")
    kept = await counters.reserve([Demand(running, "kept", 1)], now(0))
    for number in range(1000):
        await counters.reserve([Demand(limit, f"user {number}", 1)], now(60 * number))
        counters.settle(await counters.reserve([Demand(running, f"c {number}", 1)], now(60 * number)), [0], now(0))
    assert len(counters._counters) < 210
    counters.settle(kept, [0], now(60_000))


async def test_what_was_used_comes_back_after_a_restart():
    counters, budget, rate = MemoryCounters(), meter(100, "day"), meter(100, "second")
    for limit, name in ((budget, "b"), (rate, "r")):
        counters.settle(await counters.reserve([Demand(limit, name, 40)], now(1000)), [40], now(1000))
    again = MemoryCounters()
    for name, start, used in counters.dump():
        again.add(budget, name, start, used, now(2000))
    assert [each.counter for each in again.dump()] == ["b"]
    assert isinstance(await again.reserve([Demand(budget, "b", 61)], now(2000)), Denied)
    again.add(budget, "b", 86_400.0, 60, now(2000))
    assert isinstance(await again.reserve([Demand(budget, "b", 60)], now(2000)), Hold)


class Naive:
    """What was reserved when, and what it came to; nothing is ever forgotten."""

    def __init__(self):
        self.held = []

    def passes(self, limit, amount, second):
        window = second // 60
        return amount == 0 or sum(each[1] for each in self.held if each[0] == window) + amount <= limit.amount

    def reserve(self, amount, second):
        self.held.append([second // 60, amount])
        return len(self.held) - 1


STEPS = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 12), st.one_of(st.none(), st.integers(0, 15))), max_size=40
)


@settings(max_examples=60)
@given(STEPS)
async def test_it_is_what_a_naive_reckoning_says(steps):
    counters, naive, limit, second, open_ = MemoryCounters(), Naive(), meter(20), 0, []
    for wait, amount, true in steps:
        second += wait
        expected = naive.passes(limit, amount, second)
        outcome = await counters.reserve([Demand(limit, "a", amount)], now(second))
        assert isinstance(outcome, Hold) == expected
        if isinstance(outcome, Hold):
            open_.append((outcome, naive.reserve(amount, second)))
        if true is not None and open_:
            hold, place = open_.pop(0)
            counters.settle(hold, [true], now(second))
            naive.held[place][1] = true


@settings(max_examples=60)
@given(st.lists(st.tuples(st.floats(0, 3), st.integers(1, 4)), max_size=60))
async def test_no_interval_has_more_than_the_burst_and_the_rate(steps):
    counters, limit, second, passed = MemoryCounters(), meter(5, "second", what="requests", burst=8), 0.0, []
    for wait, amount in steps:
        second += wait
        if isinstance(await counters.reserve([Demand(limit, "a", amount)], now(second)), Hold):
            passed.append((second, amount))
    for first in range(len(passed)):
        for last in range(first, len(passed)):
            total = sum(amount for _, amount in passed[first : last + 1])
            assert total <= 8 + 5 * (passed[last][0] - passed[first][0]) + 0.1


async def test_ten_thousand_requests_spend_what_they_cost_and_never_more_than_there_is():
    chance, counters = random.Random(5), MemoryCounters()
    budget, spent, running, denied = meter(3_000_000_000, "month", what="money"), 0, [], 0
    for second in range(10_000):
        estimate = chance.randrange(1, 2_000_000)
        outcome = await counters.reserve([Demand(budget, "b", estimate)], now(second))
        if isinstance(outcome, Hold):
            running.append((outcome, chance.randrange(0, estimate + 1)))
        else:
            denied += 1
        while running and (len(running) > 200 or chance.random() < 0.4):
            hold, cost = running.pop(chance.randrange(len(running)))
            counters.settle(hold, [cost], now(second))
            spent += cost
        assert spent <= budget.amount
    for hold, cost in running:
        counters.settle(hold, [cost], now(10_000))
        spent += cost
    assert denied
    ((_, _, used),) = counters.dump()
    assert used == spent <= budget.amount


def test_a_meter_says_what_one_request_can_have():
    limit = meter(10, burst=3)
    assert (limit.most, replace(limit, burst=None).most) == (3, 10)
