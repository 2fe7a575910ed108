"""Sessions, on both engines: known by a secret that is not kept, over after a while, ended one by one or together; a
one-time code counts once."""

import asyncio

import pytest

from headgate.store.sessions import MOST, Bounds, Login, Sessions

NOW = 1_800_000_000.0
BOUNDS = Bounds(lasts=1000.0, rests=100.0)
ANN = Login("ann", "password", "proof", {"groups": ["eng"]}, "10.0.0.1", "Mozilla/5.0 " + "x" * 300)


@pytest.fixture
def sessions(database):
    return Sessions(database)


async def test_a_session_is_known_by_a_secret_that_is_not_kept(sessions, database):
    secret, made = await sessions.begin(ANN, NOW, BOUNDS)
    found = await sessions.find(secret, NOW, BOUNDS)
    assert found == made
    assert (found.name, found.way, found.claims, found.address) == ("ann", "password", {"groups": ["eng"]}, "10.0.0.1")
    assert len(found.agent) == 200
    assert len(secret) >= 43
    (row,) = await database.rows("SELECT * FROM sessions")
    assert secret not in map(str, row)
    for other in (made.id, row[0], secret[:-1], "", "\ud800", secret + " "):
        assert await sessions.find(other, NOW, BOUNDS) is None


async def test_a_session_ends_when_it_rests_and_in_any_case(sessions):
    secret, made = await sessions.begin(ANN, NOW, BOUNDS)
    for now in range(0, 1000, 90):
        assert await sessions.find(secret, NOW + now, BOUNDS) is not None
        assert await sessions.get(made.id, NOW + now, BOUNDS) is not None
    assert await sessions.find(secret, NOW + 1000, BOUNDS) is None
    rested, _ = await sessions.begin(ANN, NOW, BOUNDS)
    assert await sessions.find(rested, NOW + 99, Bounds(50, 100)) is None  # what is configured today counts
    assert await sessions.find(rested, NOW + 100, BOUNDS) is None
    assert await sessions.all(None, NOW + 100, BOUNDS, 10) == [made._replace(seen=NOW + 990)]
    await sessions.begin(ANN, NOW + 2000, BOUNDS)  # sweeps
    assert await sessions.get(made.id, NOW, BOUNDS) is None


async def test_sessions_are_ended_one_by_one_or_together(sessions):
    begun = [await sessions.begin(ANN._replace(name=name), NOW + at, BOUNDS) for at, name in enumerate(["a", "b", "a"])]
    assert [each.id for each in await sessions.all("a", NOW, BOUNDS, 10)] == [begun[2][1].id, begun[0][1].id]
    assert [each.name for each in await sessions.all(None, NOW, BOUNDS, 2)] == ["a", "b"]
    assert await sessions.end(begun[0][1].id)
    assert not await sessions.end(begun[0][1].id)
    assert await sessions.find(begun[0][0], NOW, BOUNDS) is None
    assert await sessions.end_of("a") == 1
    assert [await sessions.find(secret, NOW, BOUNDS) is not None for secret, _ in begun] == [False, True, False]


async def test_nobody_has_sessions_without_end(sessions):
    for at in range(MOST + 3):
        await sessions.begin(ANN, NOW + at / 10, BOUNDS)
    left = await sessions.all("ann", NOW, BOUNDS, 1000)
    assert (len(left), left[-1].created) == (MOST, pytest.approx(NOW + 0.3))


async def test_a_code_counts_once_over_all_who_try(sessions):
    outcomes = await asyncio.gather(*(sessions.spend("ann", 7) for _ in range(8)))
    assert outcomes.count(True) == 1
    assert [await sessions.spend("ann", step) for step in (6, 7, 8, 8)] == [False, False, True, False]
    assert await sessions.spend("bob", 1)
