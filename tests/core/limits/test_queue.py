"""Who waits for room of a limit: in turn, bounded, until there is room or time is over."""

import asyncio
from collections import Counter

import pytest

from headgate.core.limits.ledger import Ledger
from headgate.core.limits.meter import Demand, Denied, Hold, Meter, Now
from headgate.core.limits.queue import Full
from headgate.core.limits.window import Calendar

RATE = Meter("rate", "requests", 200, Calendar("second"), burst=1)
PLACES = Meter("places", "concurrency", 2)


def at_the_loops_time():
    seconds = asyncio.get_running_loop().time()
    return Now(seconds, seconds)


@pytest.fixture
def ledger():
    return Ledger(clock=at_the_loops_time)


async def wait(ledger, demands, tenant="t", priority=0, most=1000, seconds=5.0):
    room = ledger.room(demands[0].counter)
    return await room.wait(demands, Denied(demands[0], 0, 0.0), priority, tenant, most, seconds)


async def test_two_who_flood_get_equal_shares(ledger):
    demands, served = [Demand(RATE, "a", 1)], []

    async def come(tenant):
        await wait(ledger, demands, tenant)
        served.append(tenant)

    tasks = [asyncio.create_task(come("greedy")) for _ in range(60)]
    tasks += [asyncio.create_task(come("modest")) for _ in range(20)]
    await asyncio.sleep(0.2)
    first = Counter(served[:30])
    assert abs(first["greedy"] - first["modest"]) <= 2, first
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert ledger.room("a").waiting == 0


async def test_the_urgent_come_first(ledger):
    demands, served = [Demand(PLACES, "p", 1)], []
    holds = [await ledger.counters.reserve(demands, ledger.clock()) for _ in range(2)]

    async def come(priority):
        served.append((await wait(ledger, demands, "t", priority), priority)[1])

    tasks = [asyncio.create_task(come(priority)) for priority in (0, -1, 1)]
    await asyncio.sleep(0.01)
    room = ledger.room("p")
    for hold in holds:
        ledger.counters.settle(hold, [0], ledger.clock())
        room.wake()
        await asyncio.sleep(0.01)
    assert served == [1, 0]
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def test_a_full_line_turns_away_and_a_wait_has_its_end(ledger):
    demands = [Demand(PLACES, "p", 1)]
    for _ in range(2):
        await ledger.counters.reserve(demands, ledger.clock())
    waiting = asyncio.create_task(wait(ledger, demands, seconds=0.05))
    await asyncio.sleep(0)
    with pytest.raises(Full):
        await wait(ledger, demands, most=1)
    with pytest.raises(Full):
        await waiting
    assert (ledger.room("p").waiting, ledger.room("p").turned_away) == (0, 2)


async def test_who_leaves_holds_nothing(ledger):
    demands = [Demand(PLACES, "p", 1)]
    holds = [await ledger.counters.reserve(demands, ledger.clock()) for _ in range(2)]
    tasks = [asyncio.create_task(wait(ledger, demands)) for _ in range(20)]
    await asyncio.sleep(0.01)
    for task in tasks[::2]:
        task.cancel()
    for hold in holds:
        ledger.counters.settle(hold, [0], ledger.clock())
        ledger.room("p").wake()
    await asyncio.sleep(0.01)
    given = [task.result() for task in tasks if task.done() and not task.cancelled()]
    assert [isinstance(each, Hold) for each in given] == [True, True]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for hold in given:
        ledger.counters.settle(hold, [0], ledger.clock())
    again = [await ledger.counters.reserve(demands, ledger.clock()) for _ in range(3)]
    assert [isinstance(each, Hold) for each in again] == [True, True, False]


async def test_who_is_held_up_by_another_limit_does_not_hold_up_the_line(ledger):
    none = Meter("none", "requests", 0, Calendar("day"))
    holds = [await ledger.counters.reserve([Demand(PLACES, "p", 1)], ledger.clock()) for _ in range(2)]
    stuck = asyncio.create_task(wait(ledger, [Demand(PLACES, "p", 1), Demand(none, "n", 1)]))
    free = asyncio.create_task(wait(ledger, [Demand(PLACES, "p", 1)]))
    await asyncio.sleep(0.01)
    ledger.counters.settle(holds[0], [0], ledger.clock())
    ledger.room("p").wake()
    assert isinstance(await stuck, Denied)
    assert isinstance(await free, Hold)
