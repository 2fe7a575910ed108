"""Local passwords: right or wrong, and what it costs to find out."""

import asyncio
import time

import pytest

from headgate.core.errors import InvalidRequest, Overloaded
from headgate.identity.passwords import LONGEST, Cost, Passwords

CHEAP = Cost(1, 64, 1)
RIGHT = "correct horse battery"


@pytest.fixture
def passwords():
    made = Passwords(CHEAP)
    yield made
    made.close()


async def test_a_password_is_right_or_wrong(passwords):
    kept = await passwords.hash(RIGHT)
    assert kept.startswith("$argon2id$")
    assert RIGHT not in kept
    assert kept != await passwords.hash(RIGHT)
    assert await passwords.check(kept, RIGHT)
    for wrong in ("", "Correct horse battery", RIGHT + " ", RIGHT + "\0", kept, "\ud800", "x" * 5000):
        assert not await passwords.check(kept, wrong)


async def test_letters_count_the_same_however_they_were_typed(passwords):
    kept = await passwords.hash("caf\u00e9 au lait bien chaud")
    assert await passwords.check(kept, "cafe\u0301 au lait bien chaud")
    assert not await passwords.check(kept, "cafe au lait bien chaud")


async def test_nobody_has_a_password(passwords):
    for password in (RIGHT, "", "x"):
        assert not await passwords.check(None, password)


async def test_what_is_no_hash_of_ours_lets_nobody_in(passwords, caplog):
    for kept in ("", RIGHT, "$2b$12$abc", "$argon2id$v=19$m=99999999,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo"):
        assert not await passwords.check(kept, RIGHT)
    assert "costs more" in caplog.text
    assert RIGHT not in caplog.text


async def test_who_is_not_there_takes_as_long_to_find_out():
    passwords = Passwords(Cost(2, 8192, 1))
    kept = await passwords.hash(RIGHT)

    async def seconds(kept, password):
        begun = time.process_time()
        await passwords.check(kept, password)
        return time.process_time() - begun

    wrong = min([await seconds(kept, "wrong") for _ in range(5)])
    for other in [(None, "wrong"), (kept, "x" * 5000), (kept, "")]:
        assert min([await seconds(*other) for _ in range(5)]) > wrong / 2
    passwords.close()


async def test_a_hash_that_cost_less_counts_still(passwords):
    kept = await passwords.hash(RIGHT)
    dearer = Passwords(Cost(2, 128, 1))
    assert not await dearer.check(kept, "wrong")
    assert await dearer.check(kept, RIGHT)
    dearer.close()


async def test_passwords_are_long_but_not_endless(passwords):
    for bad in ("", "short", "elevenchars", "x" * (LONGEST + 1), "\u00e9" * LONGEST, "\0" * 12, "\ud800" * 12):
        with pytest.raises(InvalidRequest):
            await passwords.hash(bad)
    await passwords.hash("x" * LONGEST)


async def test_only_so_many_are_checked_at_a_time():
    passwords = Passwords(Cost(1, 1024, 1), at_once=1, waiting=3)
    found = await asyncio.gather(*(passwords.check(None, RIGHT) for _ in range(10)), return_exceptions=True)
    assert [isinstance(each, Overloaded) for each in found] == [False] * 4 + [True] * 6
    assert not await passwords.check(None, RIGHT)
    passwords.close()
