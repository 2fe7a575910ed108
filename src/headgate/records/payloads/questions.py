"""Pairs of near questions out of what was said, told alike or not by whether their answers agree."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec
import numpy as np

from headgate.core.chat import ChatRequest
from headgate.core.errors import GatewayError
from headgate.core.events import Text
from headgate.core.plugin import PluginNotFound, module
from headgate.core.ports import Embedder
from headgate.similarity.curve import Pair
from headgate.similarity.index import Index
from headgate.similarity.reading import Reading
from headgate.stages.cache.context import question

NEAREST = 5
"""Questions that each is paired with, at most;"""
NEAR = 0.5
"""so near at least."""
ROOM = 1 << 32


class Asked(NamedTuple):
    """A question that was answered, in a context: all else that was asked."""

    context: bytes
    question: str
    answer: str


def asked(payload: Mapping[str, Any]) -> Asked | None:
    """Out of a payload as `headgate records --export --payload` writes it; None: no question of words, or no answer."""
    request, answer = payload.get("request"), payload.get("answer")
    if not isinstance(request, dict) or not isinstance(answer, dict):
        return None
    try:
        dialect: Any = module("dialects", str(payload.get("dialect")))
        typed = dialect.read_request(request)
        reader = dialect.reader(False)
        events = reader.feed(msgspec.json.encode(answer)) + reader.end()
    except (GatewayError, PluginNotFound):
        return None
    said = "".join(event.text for event in events if isinstance(event, Text))
    text = question(typed) if isinstance(typed, ChatRequest) else ""
    if not text or not said:
        return None
    rest = repr(msgspec.structs.replace(typed, messages=typed.messages[:-1]))
    return Asked(blake2b(rest.encode("utf-8", "surrogatepass"), digest_size=16).digest(), text, said)


async def pairs(said: Iterable[Asked], embedder: Embedder, alike: float) -> list[Pair]:
    """Answers whose cosine is at least `alike`, and that say the same numbers, count as one. Raises GatewayError."""
    contexts: dict[bytes, dict[str, str]] = defaultdict(dict)
    for each in said:
        contexts[each.context][each.question] = each.answer
    found = []
    for answers in contexts.values():
        if len(answers) > 1:
            found += await _pairs(answers, embedder, alike)
    return found


async def _pairs(answers: Mapping[str, str], embedder: Embedder, alike: float) -> list[Pair]:
    """Of one context; `answers` by question."""
    index, questions, found = Index(len(answers), ROOM), list(answers), []
    for number, text in enumerate(questions):
        [vector] = await embedder.embed((text,))
        for near in index.nearest(b"", vector, NEAREST):
            if near.similarity >= NEAR:
                other = questions[int(near.id)]
                agree = await _agree(answers[text], answers[other], embedder, alike)
                found.append(Pair(other, text, agree, near.similarity))
        index.add(b"", b"%d" % number, vector)
    return found


async def _agree(a: str, b: str, embedder: Embedder, alike: float) -> bool:
    if a.split() == b.split():
        return True
    if sorted(Reading(a).numbers) != sorted(Reading(b).numbers):
        return False
    one, other = (np.frombuffer(vector, "<f4") for vector in await embedder.embed((a, b)))
    return float(one @ other) >= alike
