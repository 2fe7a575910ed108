"""What is kept of what was said: where it waits in memory, and the process that brings it into the database."""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import time
from collections.abc import Callable

from headgate.config import records
from headgate.config.payloads import encrypted
from headgate.config.schema import Config
from headgate.journal.segments import segments
from headgate.records import status
from headgate.records.payloads import keeper, payload
from headgate.records.payloads.keeper import Settings
from headgate.records.payloads.waiting import Waiting, folder_of, size
from headgate.redaction.names.found import USUAL
from headgate.server.beside import Beside
from headgate.server.lifecycle import Lifecycle
from headgate.store.sealing import Seal, Unsealable
from headgate.telemetry.metrics import Read

log = logging.getLogger("headgate.records")

AGAIN = 30.0
"""Seconds after which a key is asked for again."""
MODULE, TASK = "headgate.records.payloads.keeper", "keeps what was said"


class Payloads:
    """Of one worker. The process is started by the first worker, when anything is to be kept: also what an earlier
    gateway has left."""

    def __init__(self, config: Config, lifecycle: Lifecycle, seal: Callable[[], Seal]) -> None:
        said = config.payloads
        self._config = config
        self._lifecycle = lifecycle
        self._seal = seal
        self._folder = folder_of(said.memory, config.data_dir)
        self.waiting = Waiting(self._folder, lifecycle.worker, said.memory_bytes)
        self._process: Beside | None = None
        self._running: asyncio.Task[None] | None = None

    def keep(self, config: Config) -> None:
        """See that the process runs, if `config` wants it."""
        left = bool(segments(self._folder)) or bool(segments(self._config.data_dir / keeper.FOLDER))
        if self._running is None and self._lifecycle.worker == 0 and (config.keeps or left):
            self._running = asyncio.get_running_loop().create_task(self._run())

    async def end(self) -> None:
        """Let what was said be kept, for some seconds at most."""
        self.waiting.close()
        if self._process is not None:
            await self._process.end()
        if self._running is not None:
            self._running.cancel()

    async def _run(self) -> None:
        """Once there is a key, where there is to be one: a service that keeps it may be away."""
        while True:
            try:
                settings = await asyncio.to_thread(self._settings)
                break
            except Unsealable as error:
                log.error("what was said cannot be encrypted, and waits in memory: %s", error)  # noqa: TRY400
                await asyncio.sleep(AGAIN)
        self._process = Beside(MODULE, settings, TASK, self._lifecycle)
        await self._process.run()

    def _settings(self) -> Settings:
        config, said = self._config, self._config.payloads
        url = records.url(config.records, config.store.url, config.data_dir)
        data_dir, memory = str(config.data_dir), str(self._folder)
        made = Settings(data_dir, memory, url, said.max_bytes, said.backlog_bytes, list(config.dialects))
        made.names = list(USUAL if said.names is True else said.names or ())
        if encrypted(said, os.environ):
            key, made.sealed = payload.new_key(self._seal())
            made.key = base64.b64encode(key).decode()
        return made

    def watched(self) -> dict[str, Read]:
        """By the metric's name."""
        data_dir, folder, waiting = self._config.data_dir, self._config.data_dir / keeper.FOLDER, self.waiting

        def told() -> status.Status:
            return status.load(data_dir, keeper.STATUS)

        return {
            "headgate_payloads_taken": lambda: waiting.taken,
            "headgate_payloads_dropped": lambda: waiting.dropped,
            "headgate_payloads_lost": lambda: told().lost,
            "headgate_payloads_waiting_bytes": lambda: size(self._folder),
            "headgate_payloads_behind_bytes": lambda: status.behind(folder, told().positions, time.time())[0],
            "headgate_payloads_drained": lambda: told().drained,
            "headgate_payloads_away": lambda: float(told().away is not None),
        }
