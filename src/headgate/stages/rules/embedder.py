"""Vectors of texts, from an embedding model that the gateway asks itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import msgspec

from headgate.core.embeddings import Purpose
from headgate.core.errors import ProviderNonsense
from headgate.core.exchange import Exchange
from headgate.core.needs import Needs
from headgate.core.question import answer, question
from headgate.core.reply import Reply
from headgate.core.spaces import Vector
from headgate.core.target import Manner, Target
from headgate.dialects import openai_embeddings
from headgate.stages.stage import Proceed

PATH = "topic"
"""What stands in records instead of a path."""
TOGETHER = 32
"""Texts in one request: every host takes so many."""
PATIENCE = 30.0
"""Seconds for the vectors of examples, for which nobody waits so long."""


class _Item(msgspec.Struct, gc=False):
    embedding: list[float]
    index: int = 0


class _Answer(msgspec.Struct):
    data: list[_Item]


_answer = msgspec.json.Decoder(_Answer)


class Within:
    """A stage: nobody waits longer for an answer, whatever the name's own manner is."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Reply:
        manner = exchange.manner
        exchange.manner = replace(manner, deadline=min(manner.deadline, self.seconds))
        return await proceed(exchange)


class Embedder:
    """Each question is recorded as one of the gateway's own, with what it cost."""

    def __init__(
        self,
        model: str,
        ask: Proceed,
        ask_one: Proceed,
        next_id: Callable[[], str],
        path: str = PATH,
        purpose: Purpose = "classification",
    ) -> None:
        """`ask` finds out who is behind the model, and bounds the time; `ask_one` asks the target that it is given."""
        self.model = model
        self._ask = ask
        self._ask_one = ask_one
        self._next_id = next_id
        self._path = path
        self._purpose = purpose

    async def one(self, text: str, worker: int, needs: Needs) -> tuple[Vector, Target]:
        """Of a text, and who gave it, who is one that may be given it. Raises GatewayError."""
        asked = self._question([text], worker)
        asked.imposed = needs
        [vector] = _vectors(await answer(asked, self._ask), 1)
        assert asked.target is not None
        return vector, asked.target

    async def several(self, texts: Sequence[str], target: Target, worker: int) -> list[Vector]:
        """Of up to `TOGETHER` texts, from this target. Raises GatewayError."""
        asked = self._question(texts, worker)
        asked.targets, asked.manner = (target,), Manner(deadline=PATIENCE)
        return _vectors(await answer(asked, self._ask_one), len(texts))

    def _question(self, texts: Sequence[str], worker: int) -> Exchange:
        fields = {"model": self.model, "input": list(texts)}
        asked = question(self._next_id(), openai_embeddings, fields, self._path, worker)
        # for hosts that have a word for it; those that speak OpenAI's API, which has none, get the bytes as they are
        asked.request.purpose = self._purpose
        return asked


def _vectors(body: bytes, count: int) -> list[Vector]:
    """In the order of the texts. Raises ProviderNonsense."""
    try:
        items = _answer.decode(body).data
    except msgspec.DecodeError as error:
        raise ProviderNonsense(f"the embedding model's answer cannot be read: {error}") from None
    if len(items) != count:
        raise ProviderNonsense(f"the embedding model gave {len(items)} vectors for {count} texts")
    return [unit(item.embedding) for item in sorted(items, key=lambda item: item.index)]


def unit(numbers: Sequence[float]) -> Vector:
    """In the same direction, of the length 1. Raises ProviderNonsense where it has none."""
    length = math.hypot(*numbers)
    if not 0 < length < math.inf:
        raise ProviderNonsense("the embedding model gave a vector without a direction")
    return tuple(number / length for number in numbers)
