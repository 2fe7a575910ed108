"""The answers that are kept: where they are, their metrics, and how what is taken out goes from every worker.

A worker that is told to take some out says so in a file, at which the others of the machine look: each has a memory of
its own. Those of other machines are told by the shared state, where there is one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from headgate.config import semantic
from headgate.config.caching import encrypted
from headgate.config.schema import Config
from headgate.core.cached import Which
from headgate.core.ports import Cache, Index
from headgate.server.answer_keys import AnswerKeys
from headgate.server.notes import Notes
from headgate.server.verdicts import Verdicts
from headgate.state.answers import Memory
from headgate.state.file_answers import FileAnswers
from headgate.state.orders import Orders
from headgate.state.questions import Questions
from headgate.state.shared_answers import SharedAnswers
from headgate.state.two_levels import TwoLevels
from headgate.store.sealing import Seal
from headgate.telemetry.metrics import Read

if TYPE_CHECKING:
    from headgate.store.questions import Questions as SharedQuestions

FILE = Path("run") / "taken-out.jsonl"
"""In the data directory: a line for each time that answers were taken out."""
KEPT = "answers.db"
"""Where answers are kept in a file, in the data directory."""
EVERY = 0.25
HEARD = 1.0
"""Seconds in which all have heard what was taken out."""
MEASURED = 10.0
"""Seconds between two looks at how large the file is."""
log = logging.getLogger("headgate.server")
_decode = msgspec.json.Decoder(Which).decode


class Answers:
    def __init__(self, config: Config, seal: Callable[[], Seal] | None = None) -> None:
        state, said = config.state, config.cache
        url = state.url.get_secret_value() if state.url is not None else None
        keys = AnswerKeys(seal) if seal is not None and encrypted(said, os.environ) else None
        self.back: FileAnswers | SharedAnswers | None = None
        if said.store == "sqlite":
            path = config.data_dir / KEPT
            self.back = FileAnswers(path, said.max_file_bytes, patience=said.patience, choose=keys)
        elif said.store == "state" and url is not None:
            self.back = SharedAnswers(url, state.prefix, state.ca_file, patience=said.patience, choose=keys)
        self.memory = Memory(said.max_bytes) if self.back is None or said.front else None
        """What is held here, of all or of what is kept elsewhere."""
        self.kept = _levels(self.memory, self.back, said.front)
        self.orders = (
            Orders(url, f"{state.prefix}:taken-out", self._ordered, state.ca_file) if url is not None else None
        )
        self.index: Index | None = None
        """Where answers to similar questions are found, once any are to be."""
        self.away: SharedQuestions | None = None
        """The same, where it is a database."""
        self.verdicts = Verdicts(config.data_dir, self, self.orders.give if self.orders is not None else None)
        self._notes = Notes(config.data_dir / FILE, anew=False)
        self._measured = (0, 0)
        self._later: set[asyncio.Task[None]] = set()
        self._wanted = asyncio.Event()
        """Any are kept."""
        self._alike = asyncio.Event()
        """Any are given to similar questions."""

    def configured(self, config: Config) -> None:
        """How much room there is from here on, and whether similar questions are found."""
        if config.caches:
            self._wanted.set()
        if self.memory is not None:
            self.memory.room = config.cache.max_bytes
        if isinstance(self.back, FileAnswers):
            self.back.room = config.cache.max_file_bytes
        if self.index is None and next(semantic.configured(config), None) is not None:
            self.index = self.verdicts.index = self._index(config)
            self._alike.set()

    def _index(self, config: Config) -> Index:
        said = config.cache
        if said.index is None:
            return Questions(said.max_vector_bytes)
        from headgate.store.questions import Questions as Shared

        self.verdicts.shared = True
        self.away = Shared(said.index.get_secret_value(), said.patience)
        return self.away

    async def clear(self, which: Which) -> int:
        """Take these out here, and have the others do so; gives how many were here. Raises OSError."""
        count = await self.kept.clear(which)
        told = msgspec.json.encode(which)
        self._notes.write(told)
        if self.back is not None and which.before is not None:
            task = asyncio.get_running_loop().create_task(self._once_more(self.back, which))
            self._later.add(task)
            task.add_done_callback(self._later.discard)
        if self.orders is not None:
            await self.orders.give(told)
        return count

    async def _once_more(self, back: Cache, which: Which) -> None:
        """What others put there until they had heard of it."""
        await asyncio.sleep(HEARD)
        with contextlib.suppress(OSError):
            await back.clear(which)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch())
            await self._wanted.wait()
            if self.orders is not None:
                group.create_task(self.orders.run())
            group.create_task(self._measure())
            await self._alike.wait()
            await self._fill()

    async def _fill(self) -> None:
        """Have those found that stand in the file already."""
        if not isinstance(self.back, FileAnswers) or not isinstance(self.index, Questions):
            return
        try:
            async for entry in self.back.each():
                asked = entry.asked
                if asked is not None and asked.vector and not self.index.has(asked.key):
                    self.index.add(asked.context, asked.key, asked.vector, entry.until)
        except OSError as error:
            log.warning("not all answers are found for similar questions: %s", error)

    async def _watch(self) -> None:
        while True:
            try:
                await self._look()
                await self.verdicts.look()
            except OSError as error:
                log.warning("it cannot be seen which answers were taken out: %s", error.strerror)
                await asyncio.sleep(60 * EVERY)
            await asyncio.sleep(EVERY)

    async def _measure(self) -> None:
        while isinstance(self.back, FileAnswers):
            with contextlib.suppress(OSError):
                self._measured = await self.back.measured()
            await asyncio.sleep(MEASURED)

    async def _look(self) -> None:
        for line in self._notes.read():
            await self._obey(line)

    async def _obey(self, told: bytes) -> Which | None:
        try:
            which = _decode(told)
        except msgspec.DecodeError:
            return None
        await self.kept.heard(which)
        return which

    async def _ordered(self, told: bytes) -> None:
        """By another machine, perhaps: one of the workers of this one takes them out of its file."""
        which, back = await self._obey(told), self.back
        if which is None:
            await self.verdicts.hear(told)
        if which is not None and isinstance(back, FileAnswers) and await back.claim(told, HEARD):
            with contextlib.suppress(OSError):
                await back.clear(which)

    def watched(self) -> dict[str, Read]:
        found: dict[str, Read] = {"headgate_cache_reports": self.verdicts.counts.copy}
        if self.away is not None:
            found["headgate_cache_index_away"] = self._index_away
        memory, back = self.memory, self.back
        if memory is not None:
            found["headgate_cache_entries"] = lambda: len(memory)
            found["headgate_cache_bytes"] = lambda: memory.bytes
            found["headgate_cache_evictions"] = lambda: _by_cause(memory.evictions)
        if back is not None:
            found["headgate_cache_away"] = lambda: float(back.why is not None)
            found["headgate_cache_failures"] = lambda: back.failures
            found["headgate_cache_timeouts"] = lambda: back.timeouts
        if isinstance(back, FileAnswers):
            found["headgate_cache_file_entries"] = lambda: self._measured[0]
            found["headgate_cache_file_bytes"] = lambda: self._measured[1]
            found["headgate_cache_file_evictions"] = lambda: _by_cause(back.evictions)
            found["headgate_cache_dropped"] = lambda: back.dropped
        return found

    def _index_away(self) -> float:
        return float(self.away is not None and self.away.why is not None)

    async def close(self) -> None:
        for task in self._later:
            task.cancel()
        if self.away is not None:
            await self.away.close()
        if self.back is not None:
            self.back.close()


def _levels(memory: Memory | None, back: Cache | None, seconds: float) -> Cache:
    if back is None:
        assert memory is not None
        return memory
    return back if memory is None else TwoLevels(memory, back, seconds)


def _by_cause(counts: Mapping[str, int]) -> dict[tuple[str, ...], float]:
    return {(cause,): float(count) for cause, count in counts.items()}
