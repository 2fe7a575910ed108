"""The task that keeps a process in agreement, with a state that is away at times."""

import asyncio
import contextlib
import logging
import math

import pytest

from headgate.core.agreement import Agreement
from headgate.core.ports import Heard, StateAway
from headgate.core.standing import Board
from headgate.server import parts, share
from headgate.server.share import Share


class Place:
    """A state that takes everything, unless it is `away`, and answers nothing."""

    def __init__(self):
        self.me = "a"
        self.away = None
        self.told = []
        self.tries = 0
        self.closed = False

    async def exchange(self, facts, orders):
        self.tries += 1
        await asyncio.sleep(0)
        if self.away is not None:
            raise StateAway(self.away)
        self.told += [fact.name for fact in facts]
        return Heard([], ["a"] * len(orders), False)

    def close(self):
        self.closed = True


async def until(true):
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0.001)


@pytest.fixture
def place():
    return Place()


@pytest.fixture
def board():
    return Board()


@pytest.fixture
async def shared(place, board, monkeypatch):
    monkeypatch.setattr(share, "SHORTEST", 0.01)
    made = Share(Agreement(board, "a"), place)
    running = asyncio.create_task(made.run())
    yield made
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    assert place.closed


async def test_a_change_is_told_at_once_and_more_of_them_together(shared, place, board, monkeypatch):
    monkeypatch.setattr(share, "EVERY", 60.0)
    await shared.first()
    for target in ("p/a", "p/b"):
        board.standing(target).breaker.open(1.0, "503", firm=True)
    await until(lambda: place.told)
    assert place.told == ["circuit p/a", "circuit p/b"]
    assert place.tries == 2


async def test_an_outage_is_logged_once_and_what_happened_meanwhile_told(shared, place, board, caplog):
    caplog.set_level(logging.INFO)
    await shared.first()
    place.away = "cache:6379: refused"
    await until(lambda: shared.failures > 3)
    assert shared.why == "cache:6379: refused"
    breaker = board.standing("p/m").breaker
    breaker.open(1.0, "503", firm=True)
    assert breaker.ours == math.inf
    place.away = None
    await until(lambda: shared.why is None)
    assert place.told == ["circuit p/m"]
    lines = [record.message for record in caplog.records if "state" in record.message]
    assert lines == [
        "the shared state is away, every process goes by its own: cache:6379: refused",
        "the shared state is back",
    ]


async def test_the_start_does_not_wait_for_a_state_that_is_away(place, board, monkeypatch):
    monkeypatch.setattr(share, "FIRST", 0.01)
    place.away = "no"
    stuck = Share(Agreement(board, "a"), place)
    await stuck.first()  # it was not even tried
    running = asyncio.create_task(stuck.run())
    await asyncio.wait_for(stuck.tried.wait(), 5)
    await stuck.first()
    running.cancel()
    await asyncio.wait([running])


async def test_a_task_that_breaks_off_is_told(caplog):
    async def broken():
        raise RuntimeError("no one foresaw this")

    task = asyncio.create_task(broken())
    task.add_done_callback(parts._report)
    await asyncio.wait([task])
    await asyncio.sleep(0)
    [record] = caplog.records
    assert record.message == "this process no longer agrees with the others"
    assert record.exc_info[1] is task.exception()
