"""Calls with an idempotency key, on both engines: of many at once one is made, and its answer is known for a day."""

import asyncio

from headgate.store.answers import KEPT, STUCK, Answered, begin, finish, forget

NOW = 1_000_000.0


async def test_of_many_at_once_one_is_made(database):
    outcomes = await asyncio.gather(*(begin(database, "ann", "k", "d", NOW) for _ in range(10)))
    assert outcomes.count(None) == 1
    assert {outcome for outcome in outcomes if outcome is not None} == {Answered("d", 0, "")}
    assert await begin(database, "bob", "k", "d", NOW) is None
    await finish(database, "ann", "k", 201, "sealed")
    assert await begin(database, "ann", "k", "other", NOW + KEPT) == Answered("d", 201, "sealed")
    assert await begin(database, "ann", "k", "other", NOW + KEPT + STUCK + 1) is None


async def test_what_failed_or_died_may_be_made_again(database):
    assert await begin(database, "ann", "k", "d", NOW) is None
    await forget(database, "ann", "k")
    assert await begin(database, "ann", "k", "d", NOW) is None
    assert await begin(database, "ann", "k", "d", NOW + STUCK - 1) == Answered("d", 0, "")
    assert await begin(database, "ann", "k", "d", NOW + STUCK + 1) is None


async def test_each_of_those_who_wait_for_a_failure_is_told_or_makes_the_call(database):
    made = 0

    async def call():
        nonlocal made
        while await begin(database, "ann", "k", "d", NOW) is not None:
            await asyncio.sleep(0.01)
        made += 1
        await forget(database, "ann", "k")

    await asyncio.gather(*(call() for _ in range(6)))
    assert made == 6
