"""Follows the store: what one process changes there is in force in every other within a second."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from headgate.config import stored
from headgate.store.database import Database, StoreAway, connect
from headgate.store.objects import Objects

log = logging.getLogger("headgate.server")

EVERY = 0.25
"""Seconds between two looks at its revision."""
AWAY = 1.0
"""The same while it cannot be reached."""
REFUSED = 15.0
"""Seconds until what could not be put in force is tried again."""


class Follow:
    """`known` gives the revision in force, `reload` reads all anew; `why` tells why the store cannot be asked."""

    def __init__(
        self, data_dir: Path, url: str | None, known: Callable[[], int], reload: Callable[[], Awaitable[object]]
    ) -> None:
        self.why: str | None = None
        self._data_dir = data_dir
        self._url = url
        self._known = known
        self._reload = reload
        self._database: Database | None = None
        self._refused: tuple[int, str] | None = None
        """The revision that could not be put in force, and why: told once."""
        self._doubted = False
        """It could not be asked once: a file has no tables at the moment when another process makes it."""
        self._again = 0.0
        """When it is tried again: what keeps a secret may have been away, and no other revision need come."""

    async def run(self) -> None:
        """Until cancelled."""
        try:
            while True:
                await asyncio.sleep(EVERY if self.why is None else AWAY)
                await self.look(time.monotonic())
        finally:
            await self._close()

    async def look(self, now: float) -> None:
        """One look, and what follows from it."""
        if not stored.there(self._data_dir, self._url):
            return
        try:
            if self._database is None:
                self._database = connect(stored.url(self._data_dir, self._url))
            revision = await Objects(self._database).revision()
        except (StoreAway, ValueError) as error:
            await self._close()
            if self._url is None and not self._doubted:
                self._doubted = True
                return
            if self.why is None:
                log.warning("the store is away, what was in it stays in force: %s", error)
            self.why = str(error)
            return
        self._doubted = False
        if self.why is not None:
            log.info("the store is back")
        self.why = None
        refused = self._refused is not None and self._refused[0] == revision
        if revision != self._known() and (not refused or now >= self._again):
            await self._put_in_force(revision, now)

    async def _put_in_force(self, revision: int, now: float) -> None:
        try:
            await self._reload()
        except (ValueError, OSError) as error:
            if self._refused != (revision, str(error)):
                log.error("what was changed in the store is not in force: %s", error)  # noqa: TRY400
            self._refused, self._again = (revision, str(error)), now + REFUSED

    async def _close(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            await database.close()
