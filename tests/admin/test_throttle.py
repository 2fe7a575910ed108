"""Tries to log in: few at once, more with time, none lost to others for long; the clock is simulated."""

import pytest

from headgate.admin.problems import Problem
from headgate.admin.throttle import FAMILIAR, Throttle
from headgate.core.limits.meter import Now


def at(seconds):
    return Now(1_800_000_000.0 + seconds, seconds)


async def tries(throttle, name, address, now, count=100):
    """How many of so many are let through."""
    for done in range(count):
        try:
            await throttle.admit(name, address, at(now))
        except Problem:
            return done
    return count


async def test_from_one_address_a_few_and_then_one_in_a_while():
    throttle = Throttle()
    assert await tries(throttle, "ann", "10.0.0.1", 0) == 5
    with pytest.raises(Problem, match="in 10 s") as refused:
        await throttle.admit("ann", "10.0.0.1", at(0))
    assert (refused.value.status, refused.value.headers["retry-after"]) == (429, "10")
    assert await tries(throttle, "ann", "10.0.0.1", 9) == 0
    assert await tries(throttle, "ann", "10.0.0.1", 10.1) == 1
    assert await tries(throttle, "bob", "10.0.0.1", 10.1) == 5
    assert sum([await tries(throttle, f"name {n}", "10.0.0.1", 10.1, 1) for n in range(50)]) < 15
    assert await tries(throttle, "ann", "10.0.0.2", 10.1) == 5


@pytest.mark.parametrize(
    ("one", "other"), [("2001:db8::1", "2001:db8::2"), ("::ffff:10.0.0.1", "10.0.0.1"), (None, "")]
)
async def test_addresses_of_one_place_count_together(one, other):
    throttle = Throttle()
    assert await tries(throttle, "ann", one, 0) == 5
    assert await tries(throttle, "ann", other, 0) == 0


async def test_guesses_from_everywhere_keep_nobody_out_who_was_in_before():
    throttle = Throttle()
    hold = await throttle.admit("ann", "10.0.0.1", at(0))
    throttle.right(hold, "ann", "10.0.0.1", at(0))
    assert sum([await tries(throttle, "ann", f"10.1.{n}.1", 1, 5) for n in range(60)]) == 20
    assert await tries(throttle, "ann", "10.0.0.9", 1) == 0
    assert await tries(throttle, "ann", "10.0.0.1", 1) == 5
    assert await tries(throttle, "ann", "10.0.0.9", 20) >= 1  # nor others, once the guessing stops


@pytest.mark.parametrize("name", ["ANN", " ann ", "ann\u00a0", "\uff21nn", "aNN"])
async def test_names_that_a_directory_takes_for_one_count_together(name):
    throttle = Throttle()
    assert await tries(throttle, "ann", "10.0.0.1", 0) == 5
    assert await tries(throttle, name, "10.0.0.1", 0) == 0


async def test_of_one_time_codes_few_are_guessed_from_everywhere_together():
    throttle, hour = Throttle(), 3600

    async def guesses(address, now):
        for done in range(100):
            try:
                await throttle.admit_code("ann", address, at(now))
            except Problem:
                return done
        return 100

    assert [await guesses(f"10.1.0.{n}", 0) for n in range(3)] == [10, 0, 0]
    assert sum([await guesses("10.1.0.1", minute * 60) for minute in range(1, 61)]) == 30
    throttle.right(await throttle.admit("ann", "10.0.0.1", at(hour)), "ann", "10.0.0.1", at(hour))
    assert await guesses("10.0.0.1", hour) == 10  # who has logged in there before is not kept out by others
    hold = await throttle.admit_code("bob", None, at(0))
    throttle.forgive(hold, at(0))
    assert await throttle.admit_code("bob", None, at(0))


async def test_what_was_right_does_not_count():
    throttle = Throttle()
    for _ in range(50):
        throttle.right(await throttle.admit("ann", "10.0.0.1", at(0)), "ann", "10.0.0.1", at(0))


async def test_however_many_names_are_tried_memory_is_bounded():
    throttle = Throttle()
    for n in range(3 * FAMILIAR // 2):
        throttle.right(await throttle.admit(f"n{n}", None, at(0)), f"n{n}", None, at(0))
    assert len(throttle._familiar) == FAMILIAR
