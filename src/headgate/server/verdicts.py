"""What people and applications say of answers that were kept: a wrong one is taken out, and more is wanted there."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from headgate.core.cached import NotGiven, Outcome, Raised, Verdict, Which
from headgate.core.ports import Index
from headgate.core.record import Cached, Record
from headgate.server.notes import Notes

FILE = Path("run") / "wrong-answers.jsonl"
"""In the data directory: a line for each answer to a similar question that was reported to be wrong, and `null` where
all of that was forgotten."""
STEP = 0.001
"""By how much more like a question has to be than the one whose answer was wrong."""
GIVEN = ("hit", "semantic", "stale")
log = logging.getLogger("headgate.server")

_decode = msgspec.json.Decoder(Raised | None).decode


Tell = Callable[[bytes], Awaitable[None]]


class Store(Protocol):
    """Where the answers are."""

    async def clear(self, which: Which) -> int:
        """Take them out, in all processes. Raises OSError."""


class Verdicts:
    """Those that this process is told, and what the others of the machine were told."""

    def __init__(self, data_dir: Path, store: Store, tell: Tell | None = None) -> None:
        """`tell` has the other machines `hear` a line. Raises OSError."""
        self.index: Index | None = None
        self.shared = False
        """The index is one for all machines, which learns by itself."""
        self.counts: Counter[tuple[str, ...]] = Counter()
        self._store = store
        self._tell = tell
        self._notes = Notes(data_dir / FILE, anew=True)

    async def report(self, record: Record, verdict: Verdict, by: str) -> Outcome:
        """Raises NotGiven, and OSError where not all of it could be done."""
        cached = record.cached
        if cached is None or cached.how not in GIVEN:
            raise NotGiven(record.id)
        self.counts[verdict,] += 1
        if verdict == "right":
            return Outcome(record.id, verdict, 0)
        raised = _raised(record, cached, by)
        if raised is not None and self.index is not None:
            await self.index.learn(raised)
            await self._told(msgspec.json.encode(raised))
        count = await self._store.clear(Which(id=cached.entry or cached.key, before=time.time()))
        return Outcome(record.id, verdict, count, raised.least if raised is not None else None)

    async def raised(self) -> Sequence[Raised]:
        return await self.index.raised() if self.index is not None else []

    async def forget(self) -> None:
        """All thresholds are as they are configured. Raises OSError."""
        if self.index is not None:
            await self.index.forget()
        await self._told(b"null")

    async def look(self) -> None:
        """What was told since the last time, or before this process began. Raises OSError."""
        if self.index is None or self.shared:
            return
        for line in self._notes.read():
            await self.hear(line)

    async def hear(self, line: bytes) -> None:
        """As it was told somewhere else."""
        if self.index is None or self.shared:
            return
        try:
            raised = _decode(line)
        except msgspec.DecodeError:
            return
        await (self.index.learn(raised) if raised is not None else self.index.forget())

    async def _told(self, line: bytes) -> None:
        if self.shared:
            return
        self._notes.write(line)
        if self._tell is not None:
            await self._tell(line)


def _raised(record: Record, cached: Cached, by: str) -> Raised | None:
    """None: it was an answer to the very same question."""
    if cached.context is None or cached.similarity is None:
        return None
    return Raised(cached.context, round(cached.similarity + STEP, 4), record.model or "", record.id, by, time.time())
