"""Asks again for the secrets that are elsewhere, beside the requests: a changed one is in force at once."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable

from headgate.config.load import Loaded
from headgate.config.redaction import masked
from headgate.server.lifecycle import Reload
from headgate.server.watch import reload_safely

log = logging.getLogger("headgate.server")

AGAIN = 15.0
"""Seconds, at most, until a place that did not give all is asked again."""


class Renew:
    """`loaded` gives the configuration in force, `reload` puts it in force anew."""

    def __init__(self, loaded: Callable[[], Loaded], reload: Reload) -> None:
        self._loaded = loaded
        self._reload = reload
        self._told: dict[str, str] = {}

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            loaded = self._loaded()
            every = loaded.config.secrets.refresh
            failing = loaded.references is not None and loaded.references.why
            # not all processes at once
            await asyncio.sleep((min(every, AGAIN) if failing else every) * random.uniform(0.9, 1.0))  # noqa: S311
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
