"""Ask a second target as well where the first is slow; whoever begins to answer first is heard, the other is left."""

from __future__ import annotations

import asyncio
import time

from headgate.core.errors import GatewayError
from headgate.core.exchange import Exchange
from headgate.core.record import HEDGED
from headgate.core.reply import Reply
from headgate.core.sliding import Sliding
from headgate.stages.stage import Clock, Proceed

Tasks = dict["asyncio.Future[Reply]", Exchange]
"""Calls under way, and the fork of each."""
SHARE = 0.2
LEAST = 10
"""Of ten seconds' requests at most a fifth is asked twice, or ten: where everything is slow, that would not help."""
KNOWN = 20
"""Answers of the last thirty seconds without which nothing is known of a target's time."""


class Hedge:
    """Between `route` and `retry`, for aliases with `hedge` (J. Dean, L. Barroso, The Tail at Scale:
    https://research.google/pubs/the-tail-at-scale/). What the slower one had done by then is paid for, and recorded as
    an attempt."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self.clock = clock
        self._asked = Sliding(10.0)
        self._twice = Sliding(10.0)

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Reply:
        wait = self._wait(exchange, self.clock())
        if wait is None:
            return await proceed(exchange)
        exchange.begin_by(self.clock())
        first = exchange.fork(exchange.targets)
        tasks: Tasks = {asyncio.ensure_future(proceed(first)): first}
        heard = False
        try:
            await asyncio.wait(tasks, timeout=wait)
            if not any(task.done() for task in tasks) and self._may(self.clock()):
                ahead, *others = exchange.targets
                second = exchange.fork([*others, ahead])
                tasks[asyncio.ensure_future(proceed(second))] = second
                exchange.decision.said.append(f"{others[0].name} was asked as well after {wait:.3g} s")
            reply = await _first(exchange, tasks)
            heard = True
            return reply
        finally:
            if tasks:  # to its end also where the client goes away meanwhile
                await asyncio.shield(_leave(exchange, tasks, heard))

    def _wait(self, exchange: Exchange, now: float) -> float | None:
        """Seconds for the first target alone; None: it stays alone."""
        wait = exchange.manner.hedge
        if wait is None or len(exchange.targets) < 2 or exchange.passing is not None or exchange.form is not None:
            return None
        self._asked.add(now)
        if wait == 0.0:
            standing = exchange.targets[0].standing
            return (standing.streams if exchange.stream else standing.window).quantile(now, 0.95, KNOWN)
        return wait

    def _may(self, now: float) -> bool:
        if self._twice.sum(now) >= max(LEAST, SHARE * self._asked.sum(now)):
            return False
        self._twice.add(now)
        return True


async def _first(exchange: Exchange, tasks: Tasks) -> Reply:
    """The first reply that has begun; what is left in `tasks` then is not needed. Raises GatewayError."""
    failure: GatewayError | None = None
    while tasks:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        task = done.pop()
        exchange.adopt(tasks.pop(task))
        try:
            return task.result()
        except GatewayError as error:
            failure = failure or error.with_traceback(None)
    assert failure is not None
    try:
        raise failure
    finally:
        del failure


async def _leave(exchange: Exchange, tasks: Tasks, heard: bool) -> None:
    """End what nobody waits for any more, because another was heard or the client went away; what it did stays in the
    record."""
    for task, fork in tasks.items():
        fork.abandoned = True
        task.cancel()
    await asyncio.wait(tasks)
    for task, fork in tasks.items():
        for attempt in fork.attempts:
            if heard and attempt.error is None:
                attempt.error, attempt.message = HEDGED, "another target had begun to answer first"
        exchange.attempts[:0] = fork.attempts
        await fork.ending.aclose()
        if not task.cancelled() and task.exception() is None:  # who does not look at it is reported by asyncio
            fork.attempts[-1].usage = task.result().account.usage
