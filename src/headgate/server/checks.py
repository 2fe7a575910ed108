"""Asks targets that are out of order a small question, so that they are back before a client needs them."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Protocol

from headgate.core.errors import GatewayError
from headgate.core.question import answer, question
from headgate.core.target import Manner, Target
from headgate.dialects import openai_chat
from headgate.runtime.gateway import Gateway

log = logging.getLogger("headgate.server")

PATIENCE = 30.0
"""Seconds that a target has for the answer to a check: one that hangs is not to be taken for a probe for long."""
EVERY = 0.5
"""Seconds between two looks at which targets have rested long enough."""
QUESTION = {"messages": [{"role": "user", "content": "Say OK."}], "max_tokens": 5}
PATH = "check"
"""What stands in records instead of a path."""


class Gateways(Protocol):
    @property
    def gateway(self) -> Gateway: ...


class Checks:
    """For configurations with `breaker.check`. What a check costs is recorded like a request, without a key."""

    def __init__(self, gateways: Gateways, next_id: Callable[[], str], worker: int) -> None:
        self.gateways = gateways
        self.next_id = next_id
        self.worker = worker
        self._asking: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until cancelled."""
        try:
            await self._watch()
        finally:
            for asking in self._asking:
                asking.cancel()
            await asyncio.gather(*self._asking, return_exceptions=True)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(EVERY)
            gateway = self.gateways.gateway
            if gateway.config.breaker.check:
                # each by itself: who does not answer holds up no other's check, and is not asked twice meanwhile
                for target in _due(gateway, time.monotonic()):
                    asking = asyncio.create_task(self._ask(gateway, target))
                    self._asking.add(asking)
                    asking.add_done_callback(self._asking.discard)

    async def _ask(self, gateway: Gateway, target: Target) -> None:
        asked = question(self.next_id(), openai_chat, {"model": target.name, **QUESTION}, PATH, self.worker)
        asked.targets, asked.manner = (target,), Manner(PATIENCE, PATIENCE)
        try:
            await answer(asked, gateway.check)
        except GatewayError:
            return  # its standing and the record know
        log.info("%s is back: it answered a check", target.name)


def _due(gateway: Gateway, now: float) -> list[Target]:
    """The targets whose circuit has been open for long enough, one of each standing, as far as they chat."""
    found: dict[int, Target] = {}
    for target in gateway.named:
        breaker = target.standing.breaker
        if breaker.state(now) == "half_open" and breaker.allows(now):
            entry = gateway.menu.catalogue.find(target.provider.name, target.model)
            if entry is None or not entry.ops or "chat" in entry.ops.split():
                found[id(target.standing)] = target
    return list(found.values())
