"""Looks how late the event loop is: what keeps it busy holds up every request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

EVERY = 0.5


async def watch(tell: Callable[[float], None], every: float = EVERY) -> None:
    """Until it is cancelled: `tell` is given the seconds by which the loop came late."""
    loop = asyncio.get_running_loop()
    due = loop.time() + every
    while True:
        await asyncio.sleep(due - loop.time())
        now = loop.time()
        tell(max(now - due, 0.0))
        due = now + every
