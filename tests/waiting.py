"""How tests wait for what happens in its own time: long enough for a busy machine."""

import asyncio
import time

PATIENCE = 20.0
"""Seconds."""


def wait_for(condition, says="it has not happened"):
    """What the condition gives once it is true."""
    until = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < until, says() if callable(says) else says
        time.sleep(0.01)
    return found


async def until(condition):
    """The same for tests on an event loop."""
    end = time.monotonic() + PATIENCE
    while not (found := condition()):
        assert time.monotonic() < end, "it has not happened"
        await asyncio.sleep(0.01)
    return found
