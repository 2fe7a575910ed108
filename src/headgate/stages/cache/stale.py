"""Answers that are older than they were to be (RFC 5861): who is given one, and how a newer one is asked for beside."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf

from headgate.core.background import Background
from headgate.core.cached import Entry, Terms
from headgate.core.decision import Decision
from headgate.core.errors import GatewayError, NoTarget, ProviderError, ProviderRefused
from headgate.core.exchange import Exchange
from headgate.core.ports import Cache
from headgate.core.question import follow, once_more
from headgate.core.target import PLAIN
from headgate.stages.cache.control import Wish
from headgate.stages.stage import Proceed

STALE, UNREACHED = b'110 headgate "Response is Stale"', b'111 headgate "Revalidation Failed"'
"""Of the header `warning` (RFC 7234, 5.5)."""
AT_ONCE = 100
"""Answers that are asked for anew at the same time; who is given a stale one meanwhile asks for none."""
CLAIM = 30.0
"""Seconds for which nobody else of those who share what is kept asks for the same anew, until it was answered."""


def meanwhile(entry: Entry, terms: Terms, wanted: Wish, now: float) -> bool:
    """Whether a stale answer is given while a newer one is asked for."""
    return now - entry.until < (terms.stale if wanted.stale is None else wanted.stale)


def instead(entry: Entry, terms: Terms, wanted: Wish, now: float, error: GatewayError) -> bool:
    """Whether an answer is given in place of this error."""
    return now - entry.until < allowed(terms, wanted, error)


def allowed(terms: Terms, wanted: Wish, error: GatewayError) -> float:
    """Seconds after its time in which an answer is given in place of this error; only of one of whoever was to be
    asked."""
    if not isinstance(error, NoTarget | ProviderError) or (isinstance(error, ProviderRefused) and not error.retryable):
        return 0.0
    return terms.stale_if_error if wanted.on_error is None else wanted.on_error


class Refresh:
    """Asks anew for what a stale answer was given to: as if who was given it asked once more, and nobody waited. It
    counts for limits and has a record of its own."""

    def __init__(self, background: Background, next_id: Callable[[], str]) -> None:
        self.ask: Proceed | None = None
        """All that stands from the limits on."""
        self._background = background
        self._next_id = next_id
        self._asking: set[bytes] = set()

    def begin(self, exchange: Exchange, key: bytes, store: Cache) -> None:
        background, whose = self._background, ("refresh", exchange.model)
        if self.ask is None or key in self._asking:
            return
        if len(self._asking) >= AT_ONCE:
            background.dropped[whose] += 1
            return
        self._asking.add(key)
        background.begin(whose, self._follow(self._again(exchange), self.ask, key, store))

    def _again(self, exchange: Exchange) -> Exchange:
        made = once_more(exchange, (), self._next_id())
        made.refreshing = True
        made.decision = Decision(said=[f"asked anew, as {exchange.id} was given a stale answer"])
        made.until, made.trace, made.heard, made.announced = inf, None, None, []
        made.manner, made.ceilings, made.target, made.host, made.reply = PLAIN, None, None, None, None
        return made

    async def _follow(self, made: Exchange, ask: Proceed, key: bytes, store: Cache) -> None:
        try:
            if await store.claim(key, CLAIM):
                await follow(made, ask)
                await asyncio.sleep(0)  # it is kept once its last bytes are on their way
                if made.record.ending == "complete":
                    await store.release(key)
        finally:
            self._asking.discard(key)
