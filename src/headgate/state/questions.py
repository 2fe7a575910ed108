"""Where answers are found by what their questions are like, in the memory of one process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from headgate.core.cached import Raised
from headgate.core.ports import Near

ENTRIES = 1 << 20
"""Questions, at most; their bytes are bounded, too."""
CANDIDATES = 4
"""How many of the nearest are looked at: guards may refuse the first."""
RAISED = 10_000
"""Contexts in which more is wanted than is configured; of more, those are forgotten that were told first."""


class Questions:
    """Implements core.ports.Index."""

    def __init__(self, max_bytes: int) -> None:
        from headgate.similarity.index import Index

        self.index = Index(ENTRIES, max_bytes)
        self._raised: OrderedDict[bytes, Raised] = OrderedDict()

    async def nearest(self, context: bytes, vector: bytes) -> tuple[float, Sequence[Near]]:
        found = self.index.nearest(context, vector, CANDIDATES)
        raised = self._raised.get(context)
        return raised.least if raised is not None else 0.0, [Near(each.id, each.similarity) for each in found]

    def add(self, context: bytes, key: bytes, vector: bytes, until: float) -> None:
        self.index.add(context, key, vector)

    def has(self, key: bytes) -> bool:
        return key in self.index

    def drop(self, key: bytes) -> None:
        self.index.remove(key)

    async def learn(self, raised: Raised) -> None:
        context = bytes.fromhex(raised.context)
        before = self._raised.pop(context, None)
        self._raised[context] = before if before is not None and before.least > raised.least else raised
        if len(self._raised) > RAISED:
            self._raised.popitem(last=False)

    async def raised(self) -> Sequence[Raised]:
        return list(reversed(self._raised.values()))

    async def forget(self) -> None:
        self._raised.clear()
