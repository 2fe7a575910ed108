"""What applications say of answers is looked up one after the other, and no more waits than can be looked up."""

import asyncio
import threading

import pytest

from headgate.core.errors import Overloaded
from headgate.core.ids import Ids
from headgate.server.feedback import WAITING, Feedback


async def test_who_says_too_much_at_once_is_told_to_wait():
    gate, together, seen = threading.Event(), 0, []

    def read(id):
        nonlocal together
        together += 1
        seen.append(together)
        gate.wait(5)
        together -= 1

    said, ids = Feedback(None, read, None), Ids()
    waiting = [asyncio.create_task(said._found(ids())) for _ in range(WAITING)]
    await asyncio.sleep(0)
    assert [await said._found(id) for id in ("", "x", "req_", f"req_{'A' * 26}", f"{ids()}%")] == [None] * 5
    with pytest.raises(Overloaded):
        await said._found(ids())
    gate.set()
    assert await asyncio.gather(*waiting) == [None] * WAITING
    assert seen == [1] * WAITING
    assert await said._found(ids()) is None
