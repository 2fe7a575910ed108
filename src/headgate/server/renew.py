"""Asks again for the secrets that are elsewhere, beside the requests: a changed one is in force at once."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from contextlib import suppress
from math import inf

from headgate.config.load import Loaded
from headgate.config.redaction import masked
from headgate.server.lifecycle import Reload
from headgate.server.watch import reload_safely

log = logging.getLogger("headgate.server")

AGAIN = 15.0
"""Seconds, at most, until a place that did not give all is asked again."""
LEAST = 5.0
"""Seconds between two times, however often a provider refuses a key: no client makes us ask more often."""


class Renew:
    """`loaded` gives the configuration in force, `reload` puts it in force anew; `doubted` is set where a provider does
    not take a key, which may have been replaced since it was asked for."""

    def __init__(self, loaded: Callable[[], Loaded], reload: Reload, doubted: asyncio.Event) -> None:
        self._loaded = loaded
        self._reload = reload
        self._doubted = doubted
        self._told: dict[str, str] = {}

    async def run(self) -> None:
        """Until cancelled."""
        looked = -inf
        while True:
            loaded = self._loaded()
            every = loaded.config.secrets.refresh
            failing = loaded.references is not None and loaded.references.why
            # not all processes at once
            wait = (min(every, AGAIN) if failing else every) * random.uniform(0.9, 1.0)  # noqa: S311
            with suppress(TimeoutError):
                await asyncio.wait_for(self._doubted.wait(), wait)
            await asyncio.sleep(max(0.0, looked + min(LEAST, wait) - time.monotonic()))
            looked = time.monotonic()
            self._doubted.clear()
            await self.look()

    async def look(self) -> None:
        """Ask once, and reload where something is another than before."""
        references = self._loaded().references
        if references is None or not self._loaded().referred:
            return
        changed = await asyncio.to_thread(references.renew)
        self._tell(references.why)
        if changed:
            log.info("a secret that is kept elsewhere has changed")
            await reload_safely(self._reload)

    def _tell(self, why: dict[str, str]) -> None:
        """Each failure once, and its end."""
        for kind, reason in why.items():
            if self._told.get(kind) != reason:
                log.warning("secrets of %s: what they were stays in force, as %s", kind, masked(reason))
        for kind in self._told.keys() - why.keys():
            log.info("secrets of %s are there again", kind)
        self._told = dict(why)
