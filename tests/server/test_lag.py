"""How late the loop was is what is told."""

import asyncio
import time

from headgate.server.lag import watch


async def test_what_holds_up_the_loop_is_seen():
    told = []
    task = asyncio.ensure_future(watch(told.append, 0.01))
    while len(told) < 2:
        await asyncio.sleep(0.005)
    told.clear()
    time.sleep(0.3)  # as a plug-in that blocks
    while len(told) < 2:
        await asyncio.sleep(0.005)
    task.cancel()
    assert max(told) > 0.25
    assert min(told) >= 0
