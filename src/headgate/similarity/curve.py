"""How often a threshold is right and how much it finds, on pairs of which it is known, with and without the guards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from headgate.core.ports import Embedder
from headgate.similarity.agree import differ

LEAST = 0.3
"""Thresholds below are not looked at: they are no likeness."""


class Pair(NamedTuple):
    """Two questions, and whether one answer serves both."""

    a: str
    b: str
    alike: bool
    similarity: float | None = None
    """Where it is known already."""


class Judged(NamedTuple):
    """What an embedder and the guards say of a pair."""

    similarity: float
    alike: bool
    differs: str | None


class Hits(NamedTuple):
    """What a threshold lets through."""

    right: int
    wrong: int
    there: int
    """Pairs that are alike, found or not."""

    @property
    def precision(self) -> float:
        """1 where there are none: nothing is wrong."""
        return self.right / (self.right + self.wrong) if self.right + self.wrong else 1.0

    @property
    def recall(self) -> float:
        return self.right / self.there if self.there else 0.0


class Point(NamedTuple):
    """A threshold: with vectors alone, and with what the guards let through of it."""

    threshold: float
    plain: Hits
    guarded: Hits


async def judged(pairs: Sequence[Pair], embedder: Embedder) -> list[Judged]:
    """Raises GatewayError."""
    found = []
    for pair in pairs:
        similarity = pair.similarity
        if similarity is None:
            one, other = (np.frombuffer(vector, "<f4") for vector in await embedder.embed((pair.a, pair.b)))
            similarity = float(one @ other)
        found.append(Judged(similarity, pair.alike, differ(pair.a, pair.b)))
    return found


def point(found: Sequence[Judged], threshold: float) -> Point:
    there = sum(each.alike for each in found)
    near = [each for each in found if each.similarity >= threshold]
    agreeing = [each for each in near if each.differs is None]
    return Point(threshold, _hits(near, there), _hits(agreeing, there))


def curve(found: Sequence[Judged], step: float = 0.05) -> list[Point]:
    return [point(found, threshold) for threshold in np.arange(0.5, 1.0, step).round(4).tolist()]


def advised(found: Sequence[Judged], precision: float) -> Point | None:
    """The least threshold, in hundredths, that is right so often with the guards, and finds something at all."""
    for hundredths in range(round(LEAST * 100), 100):
        at = point(found, hundredths / 100)
        if at.guarded.right and at.guarded.precision >= precision:
            return at
    return None


def refusals(found: Sequence[Judged], threshold: float) -> tuple[Counter[str], Counter[str]]:
    """What the guards have kept back of what is near: by kind, what was alike, and what was not."""
    near = [each for each in found if each.similarity >= threshold and each.differs is not None]
    lost, spared = (Counter(str(each.differs) for each in near if each.alike is alike) for alike in (True, False))
    return lost, spared


def _hits(found: Sequence[Judged], there: int) -> Hits:
    right = sum(each.alike for each in found)
    return Hits(right, len(found) - right, there)
