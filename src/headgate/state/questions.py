"""Where answers are found by what their questions are like, in the memory of one process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from headgate.core.ports import Near

ENTRIES = 1 << 20
"""Questions, at most; their bytes are bounded, too."""
CANDIDATES = 4
"""How many of the nearest are looked at: guards may refuse the first."""
DEMANDS = 10_000
"""Contexts in which more is demanded than is configured; of more, those are forgotten that were told first."""


class Demands:
    """How like a question has to be at least where answers were reported to be wrong."""

    def __init__(self) -> None:
        self._least: OrderedDict[bytes, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._least)

    def of(self, context: bytes) -> float:
        return self._least.get(context, 0.0)

    def demand(self, context: bytes, similarity: float) -> None:
        """The most that was demanded stays in force; 0: as it is configured."""
        before = self._least.pop(context, 0.0)
        if similarity > 0:
            self._least[context] = max(before, similarity)
        if len(self._least) > DEMANDS:
            self._least.popitem(last=False)

    def clear(self) -> None:
        self._least.clear()


class Questions:
    """Implements core.ports.Index."""

    def __init__(self, max_bytes: int) -> None:
        from headgate.similarity.index import Index

        self.index = Index(ENTRIES, max_bytes)
        self.demands = Demands()

    async def nearest(self, context: bytes, vector: bytes) -> tuple[float, Sequence[Near]]:
        found = self.index.nearest(context, vector, CANDIDATES)
        return self.demands.of(context), [Near(each.id, each.similarity) for each in found]

    def add(self, context: bytes, key: bytes, vector: bytes, until: float) -> None:
        self.index.add(context, key, vector)

    def drop(self, key: bytes) -> None:
        self.index.remove(key)

    def demand(self, context: bytes, similarity: float) -> None:
        self.demands.demand(context, similarity)
