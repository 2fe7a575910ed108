"""Limits in a real Valkey: the verdicts are those of memory, exact over processes; and what follows without it."""

import asyncio
import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import time
from math import inf
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counters import asked, clock, joined, meter, used
from headgate.core.limits.ledger import Ledger
from headgate.core.limits.memory import MemoryCounters
from headgate.core.limits.meter import Demand, Denied, Hold, Now
from headgate.core.limits.rule import Rule
from headgate.state import limits
from headgate.state.address import address
from headgate.state.connection import connect
from headgate.state.limits import SharedCounters
from headgate.state.limits_script import SCRIPT
from valkeys import Valkey, valkey
from waiting import PATIENCE, until


@pytest.fixture(scope="module")
def server():
    with valkey() as started:
        yield started


@pytest.fixture
async def two(server, request):
    async with joined(server, request.node.name) as one, joined(server, request.node.name) as other:
        yield one, other


async def test_what_one_holds_and_uses_the_other_does_not_have(two):
    one, other = two
    limit = meter(10)
    hold = await one.reserve([Demand(limit, "a", 8)], clock())
    assert (hold.levels[0].meter, hold.levels[0].left) == (limit, 2)
    denied = await other.reserve([Demand(limit, "b", 1), Demand(limit, "a", 3)], clock())
    assert (denied.demand.counter, denied.left, denied.never) == ("a", 2, False)
    assert denied.after == pytest.approx(denied.levels[1].resets, abs=1)
    assert [stands.left for stands in denied.levels] == [10, 2], "nothing was taken"
    one.settle(hold, [5], clock())
    one.settle(hold, [9], clock())
    assert await used(one, limit) == 5
    assert isinstance(await other.reserve([Demand(limit, "a", 5)], clock()), Hold)
    assert (await one.reserve([Demand(limit, "a", 11)], clock())).never


async def test_how_all_counters_stand_is_told_by_whichever_process(two, server):
    one, other = two
    limits = {
        "a | tokens": (meter(10), 8),
        "b": (meter(9, None, "concurrency"), 2),
        "r": (meter(9, "hour", burst=9), 1),
    }
    holds = [await one.reserve([Demand(limit, name, amount)], clock()) for name, (limit, amount) in limits.items()]
    one.settle(holds[0], [5], clock())
    assert await used(one, limits["a | tokens"][0], "a | tokens") == 5
    found = await other.standing(clock())
    assert (found.source, found.whole) == ("shared", True)
    assert sorted(each[:3] for each in found.counters) == [("a | tokens", 5, 0), ("b", 0, 2)]
    resets = {each.counter: each.resets for each in found.counters}
    assert (resets["b"], 0 < resets["a | tokens"] <= 31 * 86400) == (None, True)
    one.settle(holds[1], [2], clock())
    async with joined(server, "some other [?*]") as apart:
        assert (await apart.standing(clock())).counters == []


async def test_a_hold_that_nobody_gave_back_is_not_told_of_when_it_is_over(server, request):
    async with joined(server, request.node.name, lease=0.2) as one:
        await one.reserve([Demand(meter(10), "a", 8)], clock())
        assert [each.held for each in (await one.standing(clock())).counters] == [8]
    await asyncio.sleep(0.25)
    async with joined(server, request.node.name) as other:
        assert (await other.standing(clock())).counters == []


async def test_a_state_that_hangs_is_not_waited_for_long(request):
    with valkey() as alone:
        async with joined(alone, request.node.name, patience=20.0) as one:
            await one.reserve([Demand(meter(10), "a", 8)], clock())
            alone.hang()
            started = time.monotonic()
            assert (await one.standing(clock())).source == "this process"
            assert time.monotonic() - started < 4
            alone.go_on()


async def test_a_request_takes_one_round_trip_whatever_it_wants(two, server):
    one, _ = two

    async def calls():
        told = (await asked(server, "INFO", "commandstats")).decode()
        return sum(int(count) for count in re.findall(r"cmdstat_eval(?:sha)?:calls=(\d+)", told))

    demands = [Demand(meter(100, every), every, 1) for every in ("day", "week", "month")]
    demands += [Demand(meter(9, None, "concurrency"), "c", 1), Demand(meter(9, "hour", burst=9), "r", 1)]
    before = await calls()
    holds = await asyncio.gather(*(one.reserve(demands, clock()) for _ in range(9)))
    assert 9 <= await calls() - before <= 12, "beside two that look whether it is there"
    assert all(isinstance(hold, Hold) for hold in holds)
    assert isinstance(await one.reserve(demands, clock()), Denied)


SIMULATED = SCRIPT.replace("redis.call('TIME')", "redis.call('LRANGE', 'simulated', 0, 1)")
assert SIMULATED != SCRIPT
LIMITS = {
    "tokens": meter(20, "minute", warn=0.5),
    "hours": meter(30, "hour"),
    "places": meter(3, None, "concurrency"),
    "rate": meter(10, "second", burst=20),
    "odd": meter(7, "minute", burst=3),
}
WANTED = st.dictionaries(st.sampled_from(sorted(LIMITS)), st.tuples(st.integers(0, 4), st.booleans()), min_size=1)
STEPS = st.lists(
    st.tuples(
        st.sampled_from([0, 10, 130, 1000, 20_000, 45_000]), WANTED, st.one_of(st.none(), st.integers(0, 6))
    ),
    min_size=10,
    max_size=25,
)  # fmt: skip


async def same_as_in_memory(server, steps, number):
    seconds, open_ = int(time.time()) // 3600 * 3600 + 86_400_000, []
    passed = 0

    def now():
        return Now(seconds + passed / 1000, passed / 1000)

    connection = await connect(address(server.url), None)

    async def simulate():
        await connection.ask("DEL", "simulated")
        await connection.ask("RPUSH", "simulated", seconds + passed // 1000, passed % 1000 * 1000)

    await simulate()
    alone = MemoryCounters()
    async with joined(server, f"trace {number}", clock=now, script=SIMULATED) as shared:
        for wait, wanted, true in steps:
            passed += wait
            await simulate()
            demands = [Demand(LIMITS[name], name, amount, firm) for name, (amount, firm) in wanted.items()]
            expected, found = await alone.reserve(demands, now()), await shared.reserve(demands, now())
            assert type(expected).__name__.replace("Hold", "Lease") == type(found).__name__
            assert [each[:2] for each in expected.levels] == [each[:2] for each in found.levels]
            assert [each[2] for each in found.levels] == pytest.approx([each[2] for each in expected.levels], abs=1e-3)
            if isinstance(expected, Denied):
                assert (found.demand, found.left, found.never) == (expected.demand, expected.left, expected.never)
                assert found.after == pytest.approx(expected.after, abs=1e-3)
                continue
            assert [each.meter for each in found.warned] == [each.meter for each in expected.warned]
            open_.append((expected, found, len(demands)))
            if true is not None:
                here, there, count = open_.pop(0)
                alone.settle(here, [true] * count, now())
                shared.settle(there, [true] * count, now())
    connection.close()


TRACES = iter(range(1_000_000))


@settings(max_examples=30)
@given(STEPS)
async def test_the_verdicts_are_those_of_one_process(server, steps):
    await same_as_in_memory(server, steps, next(TRACES))


async def test_a_machine_whose_clock_is_wrong_has_the_windows_of_the_others(server, request):
    limit, every = meter(10, "day"), request.node.name
    async with contextlib.AsyncExitStack() as stack:
        processes = []
        for skew in (0.0, -200_000.0, 86_400.0 * 40):
            wrong = lambda skew=skew: clock(skew)  # noqa: E731
            processes.append((await stack.enter_async_context(joined(server, every, clock=wrong)), wrong))
        for counters, its in processes:
            hold = await counters.reserve([Demand(limit, "a", 3)], its())
            counters.settle(hold, [3], its())
        for counters, its in processes:
            denied = await counters.reserve([Demand(limit, "a", 2)], its())
            assert (denied.left, denied.after) == (1, pytest.approx(86_400 - time.time() % 86_400, abs=2))


async def test_a_clock_that_jumps_while_it_runs_makes_no_difference(server, request):
    skew = 0.0
    limit = meter(10, "day")
    async with joined(server, request.node.name, clock=lambda: clock(skew)) as counters:
        for skew in (0.0, 7200.0, -86_400.0, 86_400.0 * 365):
            hold = await counters.reserve([Demand(limit, "a", 2)], clock(skew))
            counters.settle(hold, [2], clock(skew))
        assert (await counters.reserve([Demand(limit, "a", 3)], clock(skew))).left == 2
        assert counters.why is None


PROCESS = """
import asyncio, sys, time
from headgate.core.limits.meter import Demand, Hold, Meter, Now
from headgate.core.limits.rule import Rule
from headgate.core.limits.window import Calendar
from headgate.state.limits import SharedCounters

def clock(): return Now(time.time(), time.monotonic())
limit, places = Meter("m", "requests", 700, Calendar("month")), Meter("c", "concurrency", 5)

async def main(url, prefix, what):
    counters = SharedCounters(url, prefix, clock=clock, patience=5.0, lease=0.9)
    running = asyncio.create_task(counters.run())
    await counters.first()
    if what == "hold":
        for _ in range(3):
            assert isinstance(await counters.reserve([Demand(places, "c", 1), Demand(limit, "h", 100)], clock()), Hold)
        print("held", flush=True)
        await asyncio.sleep(60)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    got = 0
    async def caller():
        nonlocal got
        while isinstance(hold := await counters.reserve([Demand(limit, "a", 1)], clock()), Hold):
            got += 1
            await asyncio.sleep(0)
            counters.settle(hold, [1], clock())
    await asyncio.gather(*(caller() for _ in range(200)))
    assert counters.why is None
    print(got, flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


def process(server, prefix, what):
    command = [sys.executable, "-c", PROCESS, server.url, prefix, what]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ)


async def test_two_processes_with_two_hundred_callers_each_give_out_exactly_the_limit(server):
    processes = [process(server, "callers", "callers") for _ in range(2)]
    for each in processes:
        assert await asyncio.to_thread(each.stdout.readline) == b"ready\n"
    for each in processes:
        each.stdin.write(b"go\n")
        each.stdin.flush()
    given_out = [int((await asyncio.to_thread(each.communicate))[0]) for each in processes]
    assert sum(given_out) == 700
    assert min(given_out) > 0


async def test_what_a_killed_process_held_is_free_again_and_what_a_living_one_holds_is_not(server):
    places, limit = meter(5, None, "concurrency", name="c"), meter(700, what="requests")
    killed = process(server, "killed", "hold")
    assert await asyncio.to_thread(killed.stdout.readline) == b"held\n"
    async with joined(server, "killed", lease=0.9) as counters:
        mine = await counters.reserve([Demand(places, "c", 1)], clock())
        killed.send_signal(signal.SIGKILL)
        killed.communicate()
        assert isinstance(await counters.reserve([Demand(places, "c", 2)], clock()), Denied)
        assert (await counters.reserve([Demand(limit, "h", 500)], clock())).left == 400
        await asyncio.sleep(1.1)
        assert (await counters.reserve([Demand(places, "c", 5)], clock())).left == 4, "mine was renewed"
        assert await used(counters, limit, "h") == 0
        counters.settle(mine, [0], clock())
        assert isinstance(await counters.reserve([Demand(places, "c", 5)], clock()), Hold)


async def test_who_goes_away_while_it_is_asked_holds_nothing(two):
    one, other = two
    places = meter(2, None, "concurrency")
    tasks = [asyncio.create_task(one.reserve([Demand(places, "a", 1)], clock())) for _ in range(2)]
    await asyncio.sleep(0)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert all(task.cancelled() for task in tasks)
    await used(one, meter(1))
    assert isinstance(await other.reserve([Demand(places, "a", 2)], clock()), Hold)


async def test_a_budget_is_exact_to_the_nanodollar(two):
    limit, spent, chance = meter(10**15, what="money"), 0, random.Random(5)

    async def request(counters, held, cost):
        hold = await counters.reserve([Demand(limit, "a", held)], clock())
        await asyncio.sleep(0)
        counters.settle(hold, [cost], clock())

    for _ in range(40):
        costs = [(chance.randrange(10**10), chance.randrange(10**10)) for _ in range(50)]
        await asyncio.gather(*(request(chance.choice(two), *cost) for cost in costs))
        spent += sum(cost for _, cost in costs)
    await used(two[0], limit)
    assert await used(two[1], limit) == spent == await used(two[0], limit)


async def test_ten_thousand_requests_in_memory_are_exact_to_the_nanodollar():
    limit, spent, chance, counters, running = meter(10**15, what="money"), 0, random.Random(6), MemoryCounters(), []
    for _ in range(10_000):
        running.append(await counters.reserve([Demand(limit, "a", chance.randrange(10**10))], clock()))
        if len(running) == 50:
            cost = chance.randrange(10**10)
            counters.settle(running.pop(chance.randrange(50)), [cost], clock())
            spent += cost
    for hold in running:
        counters.settle(hold, [1], clock())
        spent += 1
    assert await used(counters, limit) == spent


class Load:
    """Callers that go on and on, and what they found."""

    def __init__(self, counters, demands):
        self.counters = counters
        self.demands = demands
        self.spent = 0
        self.slowest = 0.0
        self.verdicts = []
        self.tasks = []

    async def caller(self):
        while True:
            began = time.monotonic()
            verdict = await self.counters.reserve(self.demands, clock())
            self.slowest = max(self.slowest, time.monotonic() - began)
            self.verdicts.append(type(verdict))
            await asyncio.sleep(0.002)
            if isinstance(verdict, Hold):
                self.counters.settle(verdict, [7] * len(self.demands), clock())
                self.spent += 7

    async def __aenter__(self):
        self.tasks = [asyncio.create_task(self.caller()) for _ in range(10)]
        return self

    async def __aexit__(self, *_):
        failed = [task for task in self.tasks if task.done()]
        for task in self.tasks:
            task.cancel()
        await asyncio.wait(self.tasks)
        assert not failed, failed[0].exception()


@pytest.mark.parametrize("outage", ["killed", "hanging"])
async def test_no_request_fails_or_hangs_while_it_is_away_and_all_is_right_afterwards(outage):
    limit, places = meter(10**9), meter(50, None, "concurrency")
    demands = [Demand(limit, "a", 20), Demand(places, "c", 1)]
    with valkey() as server:
        async with (
            joined(server, "x", patience=0.05) as counters,
            joined(server, "x") as other,
            Load(counters, demands) as load,
        ):
            await asyncio.sleep(0.1)
            (server.kill if outage == "killed" else server.hang)()
            await until(lambda: counters.why is not None)
            load.slowest, so_far = 0.0, len(load.verdicts)
            await asyncio.sleep(0.3)
            assert load.slowest < 0.05, "nobody waits for what is known to be away"
            assert len(load.verdicts) > so_far
            (server.start if outage == "killed" else server.go_on)()
            await until(lambda: counters.why is None and other.why is None)
            await asyncio.sleep(0.1)
        assert set(load.verdicts) <= {Hold, limits.Lease}
        async with joined(server, "x") as counters:
            # those that were cancelled in the middle hold something yet
            lent = (await asked(server, "HGETALL", "x:{limits}:c c")) if outage == "hanging" else []
            assert sum(name.startswith(b"i ") for name in lent[::2]) <= 10
            assert load.spent <= await used(counters, limit) <= load.spent + 200


async def test_what_was_settled_meanwhile_is_told_once():
    limit = meter(1000)
    with valkey() as server:
        async with joined(server, "x") as one, joined(server, "x") as other:
            one.settle(await one.reserve([Demand(limit, "a", 10)], clock()), [10], clock())
            other.settle(await other.reserve([Demand(limit, "a", 5)], clock()), [5], clock())
            running = await one.reserve([Demand(limit, "a", 100)], clock())
            assert await used(one, limit) == 115
            server.kill()
            await until(lambda: one.why is not None and other.why is not None)
            one.settle(await one.reserve([Demand(limit, "a", 10)], clock()), [20], clock())
            lasting = await one.reserve([Demand(limit, "a", 40)], clock())
            server.start()
            await until(lambda: one.why is None and other.why is None)
            assert await used(other, limit) == 10 + 5 + 20 + 100 + 40, "also what still runs"
            one.settle(running, [1], clock())
            one.settle(lasting, [2], clock())
            await used(one, limit)
            assert await used(other, limit) == 10 + 5 + 20 + 1 + 2


async def both_know(two, limit, amount):
    end = time.monotonic() + PATIENCE
    while {await used(counters, limit) for counters in two} != {amount}:
        assert time.monotonic() < end
        await asyncio.sleep(0.05)


async def test_one_that_was_emptied_is_told_what_was_used(two, server):
    one, other = two
    limit = meter(10)
    for counters in two:
        counters.settle(await counters.reserve([Demand(limit, "a", 4)], clock()), [4], clock())
    hold = await one.reserve([Demand(limit, "a", 1)], clock())
    await both_know(two, limit, 9)  # one may have asked before the other had told
    await asked(server, "FLUSHALL")
    denied = await one.reserve([Demand(limit, "a", 7)], clock())
    assert denied.left == 1, "nothing is given out before it is told what is known"
    await both_know(two, limit, 9)
    one.settle(hold, [0], clock())
    await used(one, limit)
    assert await used(other, limit) == 8


async def test_without_the_others_a_process_gives_out_its_share_of_what_was_left():
    limit, spent, places = meter(100), meter(100), meter(1, None, "concurrency")
    rate, new = meter(10, "hour", burst=8), meter(100)
    with valkey() as server:
        async with joined(server, "x", share=0.25) as counters, joined(server, "x") as other:
            other.settle(
                await other.reserve([Demand(limit, "a", 60), Demand(spent, "s", 100)], clock()), [60, 100], clock()
            )
            hold = await counters.reserve([Demand(limit, "a", 0), Demand(spent, "s", 0), Demand(rate, "r", 8)], clock())
            counters.settle(hold, [0, 0, 8], clock())
            server.kill()
            await until(lambda: counters.why is not None)
            denied = await counters.reserve([Demand(limit, "a", 11)], clock())
            assert (denied.demand, denied.left, denied.never) == (Demand(limit, "a", 11), 10, False)
            assert isinstance(await counters.reserve([Demand(limit, "a", 10)], clock()), Hold)
            assert isinstance(await counters.reserve([Demand(spent, "s", 1)], clock()), Denied)
            assert isinstance(await counters.reserve([Demand(rate, "r", 1)], clock()), Denied)
            assert (await counters.reserve([Demand(new, "n", 26)], clock())).left == 25
            assert isinstance(await counters.reserve([Demand(places, "c", 1)], clock()), Hold), "never nothing at all"
            assert (await counters.reserve([Demand(places, "c", 2)], clock())).after == inf


async def test_it_starts_also_where_there_is_none(caplog):
    caplog.set_level("INFO", "headgate.state")
    server = Valkey()
    async with joined(server, "x") as counters:
        assert str(server.port) in counters.why
        hold = await counters.reserve([Demand(meter(10), "a", 5)], clock())
        counters.settle(hold, [5], clock())
        server.start()
        try:
            await until(lambda: counters.why is None)
            assert await used(counters, meter(10)) == 5
        finally:
            server.kill()
    assert len(caplog.messages) == 2


async def test_what_ended_last_is_told_before_the_process_ends(server, request):
    limit, prefix = meter(100), request.node.name
    counters = SharedCounters(server.url, prefix, clock=clock)
    running = asyncio.create_task(counters.run())
    await counters.first()
    for _ in range(5):
        counters.settle(await counters.reserve([Demand(limit, "a", 9)], clock()), [3], clock())
    await counters.part()
    running.cancel()
    await asyncio.wait([running])
    async with joined(server, prefix) as other:
        assert await used(other, limit) == 15


async def test_counters_at_rest_are_forgotten(server, request, monkeypatch):
    monkeypatch.setattr(limits, "MANY", 50)
    places = meter(1, None, "concurrency")
    async with joined(server, request.node.name) as counters:
        counters._sweep_at = 50
        kept = await counters.reserve([Demand(places, "kept", 1)], clock())
        for number in range(300):
            hold = await counters.reserve([Demand(places, f"user {number}", 1)], clock())
            counters.settle(hold, [0], clock())
        assert len(counters._mirrors) <= 100
        counters.settle(kept, [0], clock())


async def test_few_rights_are_enough(caplog):
    """Those that docs/how-to/run-several.md names."""
    page = (Path(__file__).parents[2] / "docs" / "how-to" / "run-several.md").read_text()
    [rule] = re.findall(r"^ACL SETUSER (.*)$", page, re.MULTILINE)
    with valkey() as server:
        await asked(server, "ACL", "SETUSER", *rule.split())
        user, password = rule.split()[0], re.search(r">(\S+)", rule)[1]
        counters = SharedCounters(
            f"redis://{user}:{password}@127.0.0.1:{server.port}", "headgate", clock=clock, lease=0.001
        )
        running = asyncio.create_task(counters.run())
        await counters.first()
        for _ in range(3):
            demands = [Demand(meter(10, "day"), "d", 1), Demand(meter(10, "day", burst=9, warn=0.1), "r", 1)]
            demands += [Demand(meter(9, None, "concurrency"), "c", 1)]
            counters.settle(await counters.reserve(demands, clock()), [1, 0, 0], clock())
            await asyncio.sleep(0.002)
        ledger, places = Ledger(counters, clock), Demand(meter(1, None, "concurrency"), "q", 1)
        over = await ledger.reserve([Rule(places.meter, then="queue")], [places], 0, "t")
        waiting = asyncio.create_task(ledger.reserve([Rule(places.meter, then="queue")], [places], 0, "t"))
        await asyncio.sleep(0.05)
        ledger.settle(over, [places], {"concurrency": 0}, {})
        assert isinstance(await waiting, Hold)
        assert not caplog.messages
        assert await used(counters, meter(10, "day"), "d") == 3
        assert counters.why is None
        running.cancel()
