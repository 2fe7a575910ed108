"""Which topic a text is about: that of the example sentence whose vector is nearest to its own."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from headgate.core.breaker import Breaker, Trip
from headgate.core.errors import GatewayError, ProviderNonsense, ProviderRefused, ProviderTimeout, RequirementUnmet
from headgate.core.needs import NONE, Needs
from headgate.core.spaces import Space, Vector
from headgate.core.target import Target
from headgate.stages.rules.embedder import TOGETHER, Embedder
from headgate.stages.stage import Clock

log = logging.getLogger("headgate.stages.rules")

LOOKED_AT = 2000
"""Characters of a text: half of them at its beginning, half at its end. Models of 512 tokens take so much."""
REMEMBERED = 10_000
"""Texts whose topic is known."""
AT_ONCE = 100_000
"""Numbers that are compared before others have their turn: about a millisecond."""
TRIP = Trip(failures=3, error_rate=2.0, slow_rate=2.0, rest=5.0, most_rest=60.0)
QUIET = 60.0
"""Seconds without a failure after which the next one is told in the log again."""
ABOUT_THE_TEXT = frozenset({400, 413, 422})
"""Statuses of refusals that say nothing of the next text."""


class Found(NamedTuple):
    """`score`: how like the text is to the nearest example, 1 being the same; `topic` is "" below the threshold."""

    topic: str
    score: float
    said: str
    """In words, for the decision."""
    known: bool = True
    """False: nobody could tell it."""


NOTHING = Found("", 0.0, "")


class Topics:
    """Asks for a vector of the text, and, whoever gives it, once for those of the examples. A model that cannot be
    asked is asked again now and then; meanwhile there are no topics."""

    def __init__(
        self,
        examples: Mapping[str, Sequence[str]],
        threshold: float,
        seconds: float,
        embedder: Embedder,
        space: Space,
        clock: Clock = time.monotonic,
    ) -> None:
        """`examples` by topic; `seconds` that a request waits at most."""
        self._topic_of = {text: topic for topic, texts in examples.items() for text in texts}
        self._threshold = threshold
        self._seconds = seconds
        self._embedder = embedder
        self._space = space
        self._space.keep(self._topic_of)
        self._clock = clock
        self._breaker = Breaker(TRIP)
        self._failed_at: float | None = None
        self._recent: dict[bytes, Found] = {}

    async def find(self, text: str, worker: int, needs: Needs = NONE) -> Found:
        """Never raises what a provider is at fault for."""
        text = text.strip()
        if not text:
            return NOTHING
        if len(text) > LOOKED_AT:
            text = f"{text[: LOOKED_AT // 2]}\n{text[-LOOKED_AT // 2 :]}"
        digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
        found = self._recent.pop(digest, None)
        if found is None:
            try:
                found = await self._ask(text, worker, needs)
            except GatewayError as error:
                return Found("", 0.0, f"the topic could not be told: {error.message[:300]}", known=False)
        self._recent[digest] = found
        if len(self._recent) > REMEMBERED:
            del self._recent[next(iter(self._recent))]
        return found

    async def _ask(self, text: str, worker: int, needs: Needs) -> Found:
        """Raises GatewayError."""
        now, breaker = self._clock(), self._breaker
        if not breaker.allows(now):
            raise ProviderTimeout(f"{self._embedder.model} is not asked at the moment ({breaker.why})")
        probe = breaker.claim(now)
        try:
            vector, target = await self._embedder.one(text, worker, needs)
            found = await self._nearest(vector, await self._examples(target, len(vector), now + self._seconds, worker))
        except RequirementUnmet:
            if probe:
                breaker.release(probe)
            raise
        except GatewayError as error:
            self._failed(error, probe)
            raise
        except BaseException:
            if probe:
                breaker.release(probe)
            raise
        breaker.succeeded(probe)
        if self._failed_at is not None and self._clock() > self._failed_at + QUIET:
            self._failed_at = None
            log.info("topics can be told again")
        return found

    def _failed(self, error: GatewayError, probe: int) -> None:
        now = self._clock()
        # a provider's own words may be those of the client: they stand in the record of the question alone
        told = f"{error.status} {error.code}" if isinstance(error, ProviderRefused) else error.message
        if self._failed_at is None:
            log.warning("topics cannot be told at the moment, and are taken for none: %s", told)
        self._failed_at = now
        if isinstance(error, ProviderRefused) and error.status in ABOUT_THE_TEXT:
            if probe:
                self._breaker.release(probe)
        else:
            self._breaker.failed(now, probe, told, None)

    async def _examples(self, target: Target, dimensions: int, until: float, worker: int) -> Mapping[str, Vector]:
        """By text, as this target has them. Raises GatewayError."""
        who = f"{target.name} {target.shape}"
        known = self._space.of(who)
        while not self._topic_of.keys() <= known.keys():
            task = self._space.learning(who) or self._space.learn(who, self._learn(who, target, worker))
            await asyncio.wait({task}, timeout=max(until - self._clock(), 0.0))
            if not task.done() or task.cancelled():
                raise ProviderTimeout(f"{target.name} had not given the vectors of all examples in time")
            error = task.result()
            if error is not None:
                raise error
            known = self._space.of(who)
        if any(len(vector) != dimensions for vector in known.values()):
            self._space.forget(who)
            raise ProviderNonsense(f"{target.name} gives vectors of different lengths")
        return known

    async def _learn(self, who: str, target: Target, worker: int) -> GatewayError | None:
        """What is there already is not asked again."""
        known = self._space.of(who)
        lacking = [text for text in self._topic_of if text not in known]
        try:
            for some in _portions(lacking):
                vectors = await self._embedder.several([text[:LOOKED_AT] for text in some], target, worker)
                known.update(zip(some, vectors, strict=True))
        except GatewayError as error:
            return error.with_traceback(None)
        return None

    async def _nearest(self, vector: Vector, examples: Mapping[str, Vector]) -> Found:
        best, nearest = math.inf, ""
        compared = 0
        for text, topic in self._topic_of.items():
            distance = math.dist(vector, examples[text])
            if distance < best:
                best, nearest = distance, topic
            compared += len(vector)
            if compared > AT_ONCE:
                compared = 0
                await asyncio.sleep(0)
        score = 1 - best * best / 2  # the cosine, as both have the length 1
        if score < self._threshold:
            return Found("", score, f"no topic, the nearest is {nearest} ({score:.2f})")
        return Found(nearest, score, f"topic {nearest} ({score:.2f})")


def _portions(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(texts), TOGETHER):
        yield texts[start : start + TOGETHER]
