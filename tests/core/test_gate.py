"""A gate: never more inside than it allows, priorities and tenants in their turn, nobody lost."""

import asyncio
import random

import pytest

from headgate.core.errors import Overloaded
from headgate.core.gate import Gate


async def entered(gate, order, name, priority=0, tenant="t", seconds=5.0, most=100):
    await gate.enter(priority, tenant, most, seconds, "a/m")
    order.append(name)


async def lined_up(gate, *who):
    """The order in which they come in, one after the other."""
    order = []
    await gate.enter(0, "first", 0, 1.0, "a/m")
    tasks = []
    for name, priority, tenant in who:
        tasks.append(asyncio.create_task(entered(gate, order, name, priority, tenant)))
        await asyncio.sleep(0)
    for _ in range(len(who) + 1):
        gate.leave()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    return order


async def test_a_higher_priority_comes_first():
    order = await lined_up(Gate(1), ("low", -1, "a"), ("normal", 0, "a"), ("high", 1, "a"), ("high 2", 1, "a"))
    assert order == ["high", "high 2", "normal", "low"]


async def test_a_flood_of_urgent_ones_does_not_hold_up_the_others_for_ever():
    flood = [(f"high {number}", 1, "a") for number in range(60)]
    order = await lined_up(Gate(1), *flood, ("normal", 0, "b"), ("low", -1, "b"))
    assert order.index("normal") in range(2, 8)
    assert order.index("low") in range(8, 30)


async def test_a_priority_that_was_away_makes_up_for_nothing():
    gate = Gate(1)
    for _ in range(3):
        flood = [(f"high {number}", 1, "a") for number in range(20)]
        await lined_up(gate, *flood)
        gate.running = 0
    order = await lined_up(gate, *[(f"low {number}", -1, "b") for number in range(10)], ("high", 1, "a"))
    assert order[0] == "high"


async def test_who_fills_the_line_makes_room_for_others():
    gate, order = Gate(1), []
    await gate.enter(0, "first", 0, 1.0, "a/m")
    crowd = [("greedy high", 1, "g"), ("greedy 1", 0, "g"), ("greedy 2", 0, "g"), ("modest", 0, "m")]
    tasks = []
    for name, priority, tenant in crowd:
        tasks.append(asyncio.create_task(entered(gate, order, name, priority, tenant, most=3)))
        await asyncio.sleep(0)
    with pytest.raises(Overloaded, match="a/m serves all"):
        await tasks[2]
    with pytest.raises(Overloaded):
        await gate.enter(1, "g", 3, 1.0, "a/m")  # not to its own advantage
    assert (gate.running, gate.waiting) == (1, 3)
    for _ in range(3):
        gate.leave()
        await asyncio.wait(tasks, timeout=0.001)
    assert order == ["greedy high", "greedy 1", "modest"]
    gate.leave()
    assert (gate.running, gate.waiting) == (0, 0)


async def test_tenants_take_turns():
    flood = [(f"flood {number}", 0, "a") for number in range(4)]
    order = await lined_up(Gate(1), *flood, ("one", 0, "b"), ("two", 0, "b"))
    assert order == ["flood 0", "one", "flood 1", "two", "flood 2", "flood 3"]


async def test_a_full_line_and_a_long_wait_are_told():
    gate = Gate(1)
    await gate.enter(0, "t", 0, 1.0, "a/m")
    with pytest.raises(Overloaded, match="a/m serves all"):
        await gate.enter(0, "t", 0, 1.0, "a/m")
    with pytest.raises(Overloaded, match=r"no place for 0\.01 s"):
        await gate.enter(0, "t", 1, 0.01, "a/m")
    assert (gate.running, gate.waiting, gate.turned_away) == (1, 0, 2)


async def test_another_limit_lets_those_in_who_wait():
    gate, order = Gate(1), []
    await gate.enter(0, "t", 0, 1.0, "a/m")
    task = asyncio.create_task(entered(gate, order, "second"))
    await asyncio.sleep(0)
    gate.allow(2)
    await task
    assert (order, gate.running) == (["second"], 2)


async def test_who_leaves_while_being_let_in_holds_no_place():
    gate, order = Gate(1), []
    await gate.enter(0, "t", 0, 1.0, "a/m")
    task = asyncio.create_task(entered(gate, order, "gone"))
    await asyncio.sleep(0)
    gate.leave()
    task.cancel()
    await asyncio.wait([task])
    assert (gate.running, gate.waiting) == (0, 0)


async def test_never_too_many_and_nothing_leaks():
    """Three hundred come, wait, give up, stay and go at random."""
    chance, gate, inside = random.Random(7), Gate(3), 0

    async def visit(number):
        nonlocal inside
        try:
            await gate.enter(chance.choice((-1, 0, 1)), f"t{number % 5}", 50, 0.05, "a/m")
        except Overloaded:
            return
        inside += 1
        assert inside <= 3
        try:
            await asyncio.sleep(chance.random() / 500)
        finally:
            inside -= 1
            gate.leave()

    tasks = [asyncio.create_task(visit(number)) for number in range(300)]
    for task in chance.sample(tasks, 60):
        await asyncio.sleep(0)
        task.cancel()
    await asyncio.wait(tasks)
    assert not any(task.exception() for task in tasks if not task.cancelled())
    assert (gate.running, gate.waiting, +gate._lines._tenants) == (0, 0, {})
    assert not any(gate._lines._lines.values())
