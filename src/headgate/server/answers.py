"""The answers that are kept: where they are, their metrics, and how what is taken out goes from every worker.

A worker that is told to take some out says so in a file, at which the others of the machine look: each has a memory of
its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from pathlib import Path

import msgspec

from headgate.config import semantic
from headgate.config.schema import Config
from headgate.core.cached import Which
from headgate.core.ports import Index
from headgate.server.notes import Notes
from headgate.server.verdicts import Verdicts
from headgate.state.answers import Memory
from headgate.state.questions import Questions
from headgate.state.shared_answers import SharedAnswers
from headgate.telemetry.metrics import Read

FILE = Path("run") / "taken-out.jsonl"
"""In the data directory: a line for each time that answers were taken out."""
EVERY = 0.25
log = logging.getLogger("headgate.server")
_decode = msgspec.json.Decoder(Which).decode


class Answers:
    def __init__(self, config: Config) -> None:
        state, said = config.state, config.cache
        self.kept: Memory | SharedAnswers
        if said.store == "memory" or state.url is None:
            self.kept = Memory(said.max_bytes)
        else:
            url = state.url.get_secret_value()
            self.kept = SharedAnswers(url, state.prefix, state.ca_file, patience=said.patience)
        self.index: Index | None = None
        """Where answers to similar questions are found, once any are to be."""
        self.verdicts = Verdicts(config.data_dir, self)
        self._notes = Notes(config.data_dir / FILE, anew=False)

    def configured(self, config: Config) -> None:
        """How much room there is from here on, and whether similar questions are found."""
        if isinstance(self.kept, Memory):
            self.kept.room = config.cache.max_bytes
        if self.index is None and next(semantic.configured(config), None) is not None:
            self.index = self.verdicts.index = Questions(config.cache.max_vector_bytes)

    async def clear(self, which: Which) -> int:
        """Take these out here, and have the others do so; gives how many were here. Raises OSError."""
        count = await self.kept.clear(which)
        self._notes.write(msgspec.json.encode(which))
        return count

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._look()
                await self.verdicts.look()
            except OSError as error:
                log.warning("it cannot be seen which answers were taken out: %s", error.strerror)
                await asyncio.sleep(60 * EVERY)
            await asyncio.sleep(EVERY)

    async def _look(self) -> None:
        for line in self._notes.read():
            try:
                which = _decode(line)
            except msgspec.DecodeError:
                continue
            with contextlib.suppress(OSError):  # of the state: whoever was told has been told this, too
                await self.kept.clear(which)

    def watched(self) -> dict[str, Read]:
        return {"headgate_cache_reports": self.verdicts.counts.copy, **self._of_store()}

    def _of_store(self) -> dict[str, Read]:
        kept = self.kept
        if isinstance(kept, Memory):
            return {
                "headgate_cache_entries": lambda: len(kept),
                "headgate_cache_bytes": lambda: kept.bytes,
                "headgate_cache_evictions": lambda: {(cause,): count for cause, count in kept.evictions.items()},
            }
        return {
            "headgate_cache_away": lambda: float(kept.why is not None),
            "headgate_cache_failures": lambda: kept.failures,
        }

    def close(self) -> None:
        if isinstance(self.kept, SharedAnswers):
            self.kept.close()
