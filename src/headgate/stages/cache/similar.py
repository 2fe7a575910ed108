"""Find the answer to a question that means the same in other words, among those that were asked in the same context.

Nothing of it is trusted but what is kept with the answer itself: an index only says where to look.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from hashlib import blake2b
from typing import NamedTuple

from headgate.core.cached import Asked, Entry, Per
from headgate.core.exchange import Exchange
from headgate.core.ids import name_task
from headgate.core.ports import Cache as Store
from headgate.core.ports import Index
from headgate.core.record import Cached
from headgate.stages.cache.context import context, question
from headgate.stages.cache.vectors import Placed, Vectors
from headgate.stages.cache.verify import Verdict, Verify
from headgate.stages.stage import Clock

Differ = Callable[[str, str], str | None]
"""What two questions do not agree about, however alike they are; None: nothing that is known of."""


class Found(NamedTuple):
    """The answer to a question that is like another."""

    key: bytes
    entry: Entry
    similarity: float
    verified: Verdict | None = None


class Sought(NamedTuple):
    """What came of looking for one."""

    asked: Asked | None = None
    """What is kept with this question's own answer, for it to be found later; None: it is not to be."""
    vector: bytes = b""
    found: Found | None = None
    similarity: float | None = None
    """Of the question that was most like it, where one was like enough."""
    refused: str | None = None
    """Why that one's answer is not to be given."""
    verified: Verdict | None = None

    def note(self, cached: Cached) -> None:
        """In the record of a request that was given no such answer."""
        cached.similarity, cached.refused, cached.verified = self.similarity, self.refused, self.verified


NOTHING = Sought()
REMEMBERED = 1000
"""Questions whose vectors are known, as who is given another's answer asks for it again and again."""


class Terms(NamedTuple):
    """What is like enough."""

    threshold: float
    counts: frozenset[str]
    """What has to be the same: `system`, `earlier`, `tools`, `parameters`."""
    longest: int
    """Characters of a question; for a longer one nothing is looked for."""


class Similar:
    """That of one name. Requests that ask the very same at the same time share one look."""

    def __init__(
        self,
        terms: Terms,
        store: Store,
        index: Index,
        vectors: Vectors,
        differ: Differ | None,
        verify: Verify | None = None,
        *,
        beside: bool = False,
        clock: Clock = time.time,
    ) -> None:
        """`beside`: vectors are kept with the answers, for the indexes of other processes."""
        self.terms = terms
        self.store = store
        self.index = index
        self.vectors = vectors
        self.differ = differ
        self.verify = verify
        self.beside = beside
        self.clock = clock
        self._under_way: dict[tuple[bytes, bool], asyncio.Task[Sought]] = {}
        self._remembered: OrderedDict[bytes, Placed] = OrderedDict()
        """Vectors by the keys of questions, which are another one's for each tenant: how long it takes tells nobody
        what others ask."""

    async def look(
        self, exchange: Exchange, key: bytes, meaning: bytes, headers: frozenset[bytes], per: Per, *, read: bool
    ) -> Sought:
        """`key` is that of the same question; not to `read`: nothing is to be found. Never fails."""
        text = question(exchange.request) if exchange.dialect.operation == "chat" else ""
        if not text or len(text) > self.terms.longest:
            return NOTHING
        place = context(exchange, meaning, per, headers, self.terms.counts)
        if place is None:
            return NOTHING
        task = self._under_way.get((key, read))
        if task is None:
            seeking = self._seek(exchange, key, text, place, read=read)
            task = self._under_way[key, read] = asyncio.get_running_loop().create_task(seeking)
            task.add_done_callback(partial(self._sought, (key, read)))
        await asyncio.wait((task,))  # it goes on for the others where this client goes away
        return task.result()

    def keep(self, key: bytes, entry: Entry, vector: bytes) -> None:
        """The answer is kept: it is found from here on."""
        if entry.asked is not None:
            self.index.add(entry.asked.context, key, vector, entry.until)

    def met(self, key: bytes, entry: Entry) -> None:
        """The answer is there, kept by another process maybe: it is found from here on, if it can be."""
        asked = entry.asked
        if asked is not None and asked.vector and not self.index.has(key):
            self.index.add(asked.context, key, asked.vector, entry.until)

    def told(self, exchange: Exchange, found: Found, age: int) -> list[tuple[bytes, bytes]]:
        """Say in the record that the request was given this answer, and in headers, which are the result."""
        entry, record, similarity = found.entry, exchange.record, round(found.similarity, 4)
        was = record.cached
        record.cached = Cached(
            how="semantic",
            key=was.key if was is not None else None,
            age=age,
            of=entry.of,
            similarity=similarity,
            entry=found.key.hex(),
            context=entry.asked.context.hex() if entry.asked is not None else None,
            verified=found.verified,
        )
        exchange.decision.said[-1] += f", whose question is like it: similarity {similarity:.2f}"
        return [
            (b"x-headgate-cache", b"semantic"),
            (b"x-headgate-cache-similarity", b"%.4f" % similarity),
            (b"x-headgate-cache-entry", found.key.hex().encode()),
            (b"age", b"%d" % age),
        ]

    def _sought(self, which: tuple[bytes, bool], task: asyncio.Task[Sought]) -> None:
        del self._under_way[which]

    async def _seek(self, exchange: Exchange, key: bytes, text: str, place: bytes, *, read: bool) -> Sought:
        name_task(exchange.id)
        placed = self._remembered.pop(key, None) or await self.vectors.of(text, exchange)
        if placed is None:
            return NOTHING
        self._remembered[key] = placed
        if len(self._remembered) > REMEMBERED:
            self._remembered.popitem(last=False)
        # vectors of two embedders lie in different spaces, so they are different contexts
        within = blake2b(placed.who.encode(), key=place, digest_size=24).digest()
        asked = Asked(within, text, placed.vector, key) if self.beside else Asked(within, text)
        return await self._nearest(exchange, asked, placed.vector) if read else Sought(asked, placed.vector)

    async def _nearest(self, exchange: Exchange, asked: Asked, vector: bytes) -> Sought:
        floor, near = await self.index.nearest(asked.context, vector)
        least, first = max(self.terms.threshold, floor), Sought(asked, vector)
        for key, similarity in near:
            if similarity < least:
                break
            entry = await self.store.get(key)
            if entry is None or entry.until <= self.clock():
                self.index.drop(key)
                continue
            if entry.asked is None or entry.asked.context != asked.context:
                continue  # it is somebody else's, whatever the index says
            refused = self.differ(entry.asked.text, asked.text) if self.differ is not None else None
            verified: Verdict | None = None
            if refused is None and self.verify is not None and similarity < self.verify.below:
                verified = await self.verify.same(entry.asked.text, asked.text, exchange)
                refused = None if verified == "same" else "verification"
            if refused is None:
                return first._replace(found=Found(key, entry, similarity, verified))
            if first.refused is None or verified is not None:
                first = first._replace(similarity=round(similarity, 4), refused=refused, verified=verified)
            if verified is not None:
                break  # one verdict is waited for, and no more
        return first
