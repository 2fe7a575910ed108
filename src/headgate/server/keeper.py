"""Beside requests, in one process: signs what was written, and tells it elsewhere."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

from headgate.config.load import Loaded
from headgate.core.errors import IdentityUnavailable
from headgate.core.ports import Upstream
from headgate.governance.databases import Databases
from headgate.governance.purging import Purge
from headgate.identity.asking import ask, endpoint
from headgate.store.checkpoints import AUDIT, RECORDS, Checkpoint, take, unsigned
from headgate.store.database import StoreAway
from headgate.store.sealing import Unsealable
from headgate.store.signing import able, signer

log = logging.getLogger("headgate.audit")

WAIT = 10.0
"""Seconds that whoever is told of checkpoints may take."""
MOST = 1000
"""Checkpoints that wait for a file or an address."""
SHORTEST = 0.2
FIRST_PURGE, PURGE = 10.0, 3600.0
"""Seconds from the start to the first purge, and from one to the next."""


class Keeper:
    """`loaded` gives the configuration in force."""

    def __init__(self, loaded: Callable[[], Loaded], upstream: Upstream) -> None:
        self._loaded = loaded
        self._upstream = upstream
        first = loaded()
        self._databases = Databases(first.config, os.environ, first.references)
        self._told = ""
        self._slot = -1.0
        self._asking: asyncio.Task[None] | None = None
        self._unsent: list[Checkpoint] = []
        """Those that the address has not been told yet."""
        self._unwritten: list[Checkpoint] = []
        """Those that are not in the file yet."""

    async def run(self) -> None:
        """Until cancelled."""
        purge, purged = time.monotonic() + FIRST_PURGE, ""
        try:
            while True:
                config = self._loaded().config
                await asyncio.sleep(min(config.audit.checkpoint_seconds, max(purge - time.monotonic(), SHORTEST)))
                await self.turn(time.time())
                said = self._loaded().config.model_dump_json(include={"retention", "teams"})
                if time.monotonic() >= purge or said != purged:
                    await self.purge(time.time())
                    purge, purged = time.monotonic() + PURGE, said
                self._probe(time.time())
        finally:
            if self._asking is not None:
                self._asking.cancel()
            await self._databases.close()

    async def purge(self, now: float) -> None:
        """What is older than it is kept. What goes wrong is told, and tried again the next time."""
        try:
            done = await Purge(self._databases, self._loaded().config, now).run()
        except (StoreAway, OSError) as error:
            log.warning("what is older than it is kept cannot be purged: %s", error)
            return
        for each in done:
            log.info("purged %d %s (%s)", each.rows, each.kind, each.why or "all")

    def _probe(self, now: float) -> None:
        """Ask the questions of `fairness` that are due, beside everything else."""
        every = self._loaded().config.fairness.every
        busy = self._asking is not None and not self._asking.done()
        if every is None or now // every == self._slot or busy or not self._databases.has_records:
            return
        self._slot = now // every
        self._asking = asyncio.get_running_loop().create_task(self._round(now))

    async def _round(self, now: float) -> None:
        from headgate.governance.fairness import rounds

        try:
            await rounds.due(self._loaded(), self._databases, now)
        except StoreAway as error:
            log.warning("what came of the questions of `fairness` cannot be kept: %s", error)
            self._slot = -1.0  # whose they are could not be told, perhaps

    async def turn(self, now: float) -> None:
        """Sign what is new. What goes wrong is told once, and tried again at the next turn."""
        try:
            made = await self.checkpoints(now)
            self._unsent += made
            self._unwritten += made
            self._write()
            await self._send()
        except (StoreAway, Unsealable, OSError, IdentityUnavailable) as error:
            if str(error) != self._told:
                log.warning("checkpoints of what was written cannot be made or told: %s", error)
            self._told = str(error)
        else:
            self._told = ""

    async def checkpoints(self, now: float) -> list[Checkpoint]:
        """Of the audit and of the records, as far as there is something new. Raises StoreAway, Unsealable."""
        if not able() or not (self._databases.has_store or self._databases.has_records):
            return []
        chains = []
        if self._databases.has_store and await unsigned(store := await self._databases.store(), AUDIT) is not None:
            chains.append((store, AUDIT))
        records = await self._databases.records()
        if records is not None and await unsigned(records, RECORDS) is not None:
            chains.append((records, RECORDS))
        if not chains:
            return []  # what signs takes 10 MB, and a store of its key is made where there is none
        signing = await signer(await self._databases.store(), await asyncio.to_thread(self._databases.seal))
        made = [await take(database, chain, signing, round(now * 1e6)) for database, chain in chains]
        return [each for each in made if each is not None]

    def _write(self) -> None:
        """Raises OSError: what is not in the file is written the next time."""
        path: Path | None = self._loaded().config.audit.checkpoint_file
        while path is not None and self._unwritten:
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(self._unwritten[0]._asdict()) + "\n")
                file.flush()
                os.fsync(file.fileno())
            del self._unwritten[0]
        self._unwritten = self._unwritten[-MOST:] if path is not None else []

    async def _send(self) -> None:
        """Raises IdentityUnavailable."""
        url = self._loaded().config.audit.checkpoint_url
        while url is not None and self._unsent:
            to = endpoint("POST", url.get_secret_value(), {"content-type": "application/json"}, WAIT)
            status, _ = await ask(self._upstream, to, json.dumps(self._unsent[0]._asdict()).encode(), "who is told")
            if not 200 <= status < 300:
                raise OSError(f"whoever is told of checkpoints answers {status}")
            del self._unsent[0]
        self._unsent = self._unsent[-MOST:] if url is not None else []
