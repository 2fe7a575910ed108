"""Counts what came of looking for answers to similar questions, from the records of requests."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter

from headgate.core.record import Cached
from headgate.telemetry.families import SIMILARITY_BUCKETS, Labels


class Similarities:
    """Of names as they are in metrics, hence few; reasons and verdicts are words of ours."""

    def __init__(self) -> None:
        self.refused: Counter[Labels] = Counter()
        self.verified: Counter[Labels] = Counter()
        self._given: dict[Labels, tuple[list[int], float]] = {}

    def count(self, model: str, cached: Cached) -> None:
        if cached.refused is not None:
            self.refused[model, cached.refused] += 1
        if cached.verified is not None:
            self.verified[model, cached.verified] += 1
        if cached.how == "semantic" and cached.similarity is not None:
            counts, total = self._given.get((model,)) or ([0] * (len(SIMILARITY_BUCKETS) + 1), 0.0)
            counts[bisect_left(SIMILARITY_BUCKETS, cached.similarity)] += 1
            self._given[model,] = counts, total + cached.similarity

    def given(self) -> list[tuple[Labels, float, list[int]]]:
        """By name: the sum of the similarities, and how many were in each bucket."""
        return [(labels, total, counts[:]) for labels, (counts, total) in self._given.copy().items()]
