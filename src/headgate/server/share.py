"""Keeps a process in agreement with the others, beside the requests: several exchanges a second, and after a change."""

from __future__ import annotations

import asyncio
import logging
import random

from headgate.core.agreement import Agreement
from headgate.core.ports import State, StateAway

log = logging.getLogger("headgate.server")

EVERY = 0.25
"""Seconds between two exchanges; one in which nothing has changed is a few dozen bytes."""
TOGETHER = 0.01
"""Seconds in which further changes are waited for, once there is one."""
SHORTEST, LONGEST = 0.25, 2.0
"""Seconds between two tries while the state is away."""
FIRST = 1.5
"""Seconds, at most, that the start waits to hear what the others know."""


class Share:
    """`why` tells why the state is away; None: it is there."""

    def __init__(self, agreement: Agreement, state: State) -> None:
        self.agreement = agreement
        self.state = state
        self.why: str | None = None
        self.failures = 0
        """Exchanges that did not come about."""
        self.tried = asyncio.Event()
        """There was one, or there was to be one."""

    async def run(self) -> None:
        """Until cancelled."""
        wait = SHORTEST
        try:
            while True:
                self.agreement.changed.clear()
                there = await self._exchange()
                self.tried.set()
                if there:
                    wait = SHORTEST
                    await self._rest()
                else:
                    await asyncio.sleep(wait * random.uniform(0.75, 1.0))  # noqa: S311  # spreads processes, no secret
                    wait = min(2 * wait, LONGEST)
        finally:
            self.state.close()

    async def first(self) -> None:
        """Wait until what the others know is known here, or cannot be had now."""
        try:
            async with asyncio.timeout(FIRST):
                await self.tried.wait()
        except TimeoutError:
            return

    async def _exchange(self) -> bool:
        try:
            heard = await self.state.exchange(*self.agreement.outgoing())
        except StateAway as away:
            self.agreement.away()
            self.failures += 1
            if self.why is None:
                log.warning("the shared state is away, every process goes by its own: %s", away)
            self.why = str(away)
            return False
        self.agreement.heard(heard)
        if self.why is not None:
            log.info("the shared state is back")
        self.why = None
        return True

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(EVERY):
                await self.agreement.changed.wait()
        except TimeoutError:
            return
        await asyncio.sleep(TOGETHER)
