"""Ask an embedder for a question's vector, within a bounded time, and leave one alone for a while that fails."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from headgate.core.breaker import Breaker, Trip
from headgate.core.errors import GatewayError, ProviderRefused, RequirementUnmet
from headgate.core.exchange import Exchange
from headgate.core.ports import Embedder
from headgate.stages.stage import Clock

log = logging.getLogger("headgate.stages")

TRIP = Trip(failures=3, error_rate=2.0, slow_rate=2.0, rest=5.0, most_rest=60.0)
QUIET = 60.0
"""Seconds without a failure after which the next one is told in the log again."""
ABOUT_THE_TEXT = frozenset({400, 413, 422})
"""Statuses of refusals that say nothing of the next text."""


class Placed(NamedTuple):
    """A vector, as `core.ports.Embedder` gives it, and whose it is: those of two are never compared."""

    who: str
    vector: bytes


Embed = Callable[[str, Exchange], Awaitable[Placed]]
"""Of a text, for the sake of a request, whose requirements are to be kept to. Raises GatewayError."""


def here(embedder: Embedder) -> Embed:
    """One that runs in this process."""

    async def embed(text: str, exchange: Exchange) -> Placed:
        [vector] = await embedder.embed([text])
        return Placed(embedder.name, vector)

    return embed


class Vectors:
    """Those of one embedder. It never fails: one that cannot be asked has none."""

    def __init__(self, embed: Embed, seconds: float, clock: Clock = time.monotonic) -> None:
        """`seconds` that a request waits at most."""
        self._embed = embed
        self._seconds = seconds
        self._clock = clock
        self._breaker = Breaker(TRIP)
        self._failed_at: float | None = None

    async def of(self, text: str, exchange: Exchange) -> Placed | None:
        now, breaker = self._clock(), self._breaker
        if not breaker.allows(now):
            return None
        probe = breaker.claim(now)
        try:
            async with asyncio.timeout(self._seconds):
                found = await self._embed(text, exchange)
        except (GatewayError, TimeoutError) as error:
            self._failed(error, probe)
            return None
        except BaseException:
            breaker.release(probe)
            raise
        breaker.succeeded(probe)
        if self._failed_at is not None and self._clock() > self._failed_at + QUIET:
            self._failed_at = None
            log.info("answers to similar questions can be looked for again")
        return found

    def _failed(self, error: GatewayError | TimeoutError, probe: int) -> None:
        refused = isinstance(error, ProviderRefused) and error.status in ABOUT_THE_TEXT
        if refused or isinstance(error, RequirementUnmet):
            self._breaker.release(probe)
            return
        now = self._clock()
        if isinstance(error, TimeoutError):
            told = f"no vector within {self._seconds:g} s"
        else:  # a provider's own words may be those of the client: they stand in the record of the question alone
            told = f"{error.status} {error.code}" if isinstance(error, ProviderRefused) else error.message
        if self._failed_at is None:
            log.warning("answers to similar questions are not looked for at the moment: %s", told)
        self._failed_at = now
        self._breaker.failed(now, probe, told, None)
