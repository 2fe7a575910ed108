"""Who waits for a limit that several processes keep: woken when another gives back, and in turn over all of them."""

import asyncio
import time
from collections import Counter

import pytest

from counters import asked, clock, joined, meter
from headgate.core.limits.ledger import Ledger
from headgate.core.limits.meter import Demand, Hold
from headgate.core.limits.rule import Rule
from valkeys import valkey

PLACES = meter(2, None, "concurrency")
RATE = meter(100, "second", "requests", burst=1)


@pytest.fixture(scope="module")
def server():
    with valkey() as started:
        yield started


@pytest.fixture
async def ledgers(server, request):
    async with joined(server, request.node.name) as one, joined(server, request.node.name) as other:
        yield Ledger(one, clock), Ledger(other, clock)


async def take(ledger, tenant="t", limit=PLACES, priority=0):
    rule, demand = Rule(limit, then="queue", queue=1000), Demand(limit, "a", 1)
    outcome = await ledger.reserve([rule], [demand], priority, tenant)
    assert isinstance(outcome, Hold)
    return lambda: (
        ledger.settle(outcome, [demand], {}, {})
        if limit is RATE
        else ledger.settle(outcome, [demand], {"concurrency": 0}, {})
    )


async def flood(served, seconds, *whose):
    """Ten callers of each tenant at each ledger, who come again and again."""

    async def caller(ledger, tenant, limit):
        while True:
            over = await take(ledger, tenant, limit)
            served[tenant] += 1
            try:
                await asyncio.sleep(0.004)
            finally:
                over()

    tasks = [asyncio.create_task(caller(*each)) for each in whose for _ in range(10)]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def test_a_place_that_another_process_gives_back_is_taken_at_once(ledgers):
    one, other = ledgers
    first, second = await take(one), await take(one)
    waiting = asyncio.create_task(take(other))
    took = []
    for over in (first, second):
        await asyncio.sleep(0.1)
        assert not waiting.done()
        began = time.monotonic()
        over()
        took.append((await waiting, time.monotonic() - began)[1])
        waiting = asyncio.create_task(take(other))
    assert min(took) < 0.3, "not only when it looks again"
    waiting.cancel()


@pytest.mark.parametrize("limit", [PLACES, RATE], ids=["places", "rate"])
@pytest.mark.parametrize("greedy", [(0,), (0, 1)], ids=["apart", "everywhere"])
async def test_tenants_get_equal_shares_wherever_they_come(ledgers, limit, greedy):
    whose = [(ledgers[at], "greedy", limit) for at in greedy] + [(ledgers[1], "modest", limit)]
    for _ in range(6):  # who is slow to take its turn loses it, as all are on a busy machine now and then
        served = Counter()
        await flood(served, 0.4, *whose)
        if min(served.values()) > 5 and max(served.values()) <= 1.25 * min(served.values()) + 3:
            break
    else:
        raise AssertionError(served)
    assert sum(room.waiting for ledger in ledgers for room in ledger.rooms.values()) == 0


async def test_who_comes_later_does_not_overtake_and_who_leaves_holds_up_nobody(ledgers, server, request):
    one, other = ledgers
    holds = [await take(one), await take(one)]
    waiting = asyncio.create_task(take(other))
    await asyncio.sleep(0.1)
    holds.pop()()
    late = asyncio.create_task(take(one))
    assert await waiting
    await asyncio.sleep(0.05)
    assert not late.done()
    gone = asyncio.create_task(take(other))
    await asyncio.sleep(0.05)
    gone.cancel()
    await asyncio.wait([gone])
    began = time.monotonic()
    holds.pop()()
    assert await late
    assert time.monotonic() - began < 0.9, "it looks again after a second"
    key = f"{request.node.name}:{{limits}}:c a"
    assert await asked(server, "HGET", key, "l") is None


async def test_who_is_held_up_by_another_limit_leaves_the_line_of_all(ledgers):
    one, other = ledgers
    holds = [await take(one), await take(one)]
    once = meter(1, "day", "requests", name="once")
    rules, demands = [Rule(PLACES, then="queue"), Rule(once)], [Demand(PLACES, "a", 1), Demand(once, "o", 1)]
    stuck = asyncio.create_task(one.reserve(rules, demands, 0, "t"))
    await asyncio.sleep(0.05)
    waiting = asyncio.create_task(take(other, "u"))
    await asyncio.sleep(0.05)
    assert isinstance(await other.reserve(rules[1:], demands[1:], 0, "t"), Hold)
    began = time.monotonic()
    holds.pop()()
    assert (await stuck).demand.counter == "o"
    await waiting
    assert time.monotonic() - began < 0.5, "not only when its turn is over by itself"


async def test_the_urgent_come_first_also_from_another_process(ledgers):
    one, other = ledgers
    holds = [await take(one), await take(one)]
    low = asyncio.create_task(take(one, priority=-1))
    await asyncio.sleep(0.05)
    high = asyncio.create_task(take(other, priority=1))
    await asyncio.sleep(0.05)
    holds.pop()()
    assert await high
    assert not low.done()
    holds.pop()()
    assert await low
