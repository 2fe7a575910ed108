"""What was used stays used when the shared state comes back empty: each process puts back what it knows, once."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counters import asked, clock, joined, meter, used
from headgate.core.limits.meter import Demand, Denied, Hold
from valkeys import valkey

LIMIT = meter(1000)


@pytest.fixture(scope="module")
def server():
    with valkey() as started:
        yield started


async def use(counters, amount, name="a"):
    hold = await counters.reserve([Demand(LIMIT, name, amount)], clock())
    assert isinstance(hold, Hold)
    counters.settle(hold, [amount], clock())
    await used(counters, meter(1), "another")  # what was told has arrived


async def test_what_a_process_used_that_is_gone_is_known_by_those_who_are_left(server, request):
    prefix = request.node.name
    async with joined(server, prefix) as one, joined(server, prefix) as other:
        async with joined(server, prefix) as gone:
            await use(gone, 400)
        await use(one, 30)
        await use(other, 70)
        await asked(server, "FLUSHALL")
        denied = await one.reserve([Demand(LIMIT, "a", 600)], clock())
        assert (type(denied), denied.left) == (Denied, 570), "not what the other one has used since one asked"
        assert await used(other, LIMIT) == 500 == await used(one, LIMIT)
        await use(one, 5)
        await use(other, 6)
        for _ in range(2):  # the second time before anybody has asked again
            await asked(server, "FLUSHALL")
            await asyncio.sleep(0.6)
        await use(other, 7)
        assert await used(one, LIMIT) == 518 == await used(other, LIMIT)
        async with joined(server, prefix) as new:
            assert await used(new, LIMIT) == 518


async def test_what_is_held_is_put_back_before_anything_is_given_out(server, request):
    async with joined(server, request.node.name) as one:
        places = meter(3, None, "concurrency")
        demands = [Demand(LIMIT, "a", 600), Demand(places, "c", 3)]
        hold = await one.reserve(demands, clock())
        await asked(server, "FLUSHALL")
        assert isinstance(await one.reserve([Demand(LIMIT, "a", 401)], clock()), Denied)
        await asked(server, "FLUSHALL")
        assert isinstance(await one.reserve([Demand(places, "c", 1)], clock()), Denied)
        one.settle(hold, [10, 0], clock())
        assert await used(one, LIMIT) == 10


async def test_what_a_checkpoint_says_counts_only_where_the_state_has_lost_it(server, request):
    prefix = request.node.name
    async with joined(server, prefix) as before:
        await use(before, 250)
        await used(before, LIMIT)
        era, [(name, start, amount)] = before.era, [each for each in before.dump() if each.counter == "a"]
        assert (name, amount) == ("a", 250)

    def starts(counters):
        counters.add(LIMIT, name, start, amount, clock(), era)

    async with joined(server, prefix, begin=starts) as again:
        assert await used(again, meter(1), "another") == 0
        assert [each.used for each in again.dump() if each.counter == "a"] == [250], "also what nobody has asked for"
        await asked(server, "FLUSHALL")
        assert await used(again, LIMIT) == 250
    await asked(server, "FLUSHALL")
    async with joined(server, prefix, begin=starts) as one, joined(server, prefix, begin=starts) as other:
        assert await used(one, LIMIT) == 250 == await used(other, LIMIT), "both tell of the same"
        await use(one, 5)
        assert [each.used for each in other.dump() if each.counter == "a"] == [250]
        await asked(server, "FLUSHALL")
        assert await used(one, LIMIT) == 250 + 5 == await used(other, LIMIT)


EVENTS = st.lists(
    st.tuples(st.sampled_from(["use", "use", "hear", "lose", "leave"]), st.integers(0, 2), st.integers(1, 9)),
    max_size=14,
)


@settings(max_examples=12)
@given(EVENTS)
async def test_nothing_is_forgotten_that_anybody_knows_and_nothing_is_counted_twice(server, events):
    """Whoever acts last before a loss has heard of all; so, whoever is left, nothing is lost."""
    await asked(server, "FLUSHALL")
    processes = [joined(server, "p") for _ in range(3)]
    counters = [await process.__aenter__() for process in processes]
    try:
        total, here = 0, [0, 1, 2]
        for what, who, amount in events:
            who = here[who % len(here)]
            if what == "use":
                await use(counters[who], amount)
                total += amount
            elif what == "hear":
                await used(counters[who], LIMIT)
            elif what == "leave" and len(here) > 1:
                here.remove(who)
                await processes[who].__aexit__(None, None, None)
            elif what == "lose":
                await used(counters[who], LIMIT)
                await asked(server, "FLUSHALL")
                for each in reversed(here):
                    await used(counters[each], LIMIT)
        stands = [await used(counters[who], LIMIT) for who in here]
        assert stands == [total] * len(here)
    finally:
        await asyncio.gather(*(processes[who].__aexit__(None, None, None) for who in here))
