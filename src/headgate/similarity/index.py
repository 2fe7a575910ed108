"""The nearest of the vectors that are kept, in this process: exact, partition by partition."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FIRST = 8
"""Rows that a partition has room for at first; twice as many each time it is full."""
OVERHEAD = 300
"""Bytes that an entry takes beside its vector, about."""


class Near(NamedTuple):
    """An entry, and the cosine between its vector and the one that was asked for: 1 is the same."""

    id: bytes
    similarity: float


class Index:
    """Entries are told by an id, and found only in the context that they were added in.

    What is there longest goes first where there is no more room.
    """

    def __init__(self, entries: int, max_bytes: int) -> None:
        """At most so many entries, whose vectors and places take at most so many bytes."""
        self.entries = entries
        self.max_bytes = max_bytes
        self.bytes = 0
        self._partitions: dict[bytes, _Partition] = {}
        self._where: dict[bytes, bytes] = {}
        """The context of each id, oldest first."""

    def __len__(self) -> int:
        return len(self._where)

    def add(self, context: bytes, id: bytes, vector: bytes) -> None:
        """`vector` is as an embedder gives it. An id that is there is put in the new one's place."""
        size = len(vector) + OVERHEAD
        if size > self.max_bytes or not self.entries:
            return
        self.remove(id)
        while len(self._where) >= self.entries or self.bytes + size > self.max_bytes:
            self.remove(next(iter(self._where)))
        partition = self._partitions.get(context)
        if partition is None or partition.width != len(vector) // 4:
            self._forget(context)
            partition = self._partitions[context] = _Partition(len(vector) // 4)
        partition.add(id, np.frombuffer(vector, "<f4"))
        self._where[id] = context
        self.bytes += size

    def nearest(self, context: bytes, vector: bytes, k: int) -> list[Near]:
        """The `k` most alike of this context, best first."""
        partition = self._partitions.get(context)
        if partition is None or partition.width != len(vector) // 4:
            return []
        return partition.nearest(np.frombuffer(vector, "<f4"), k)

    def remove(self, id: bytes) -> bool:
        """Whether it was there."""
        context = self._where.pop(id, None)
        if context is None:
            return False
        partition = self._partitions[context]
        partition.remove(id)
        self.bytes -= partition.width * 4 + OVERHEAD
        if not partition.ids:
            del self._partitions[context]
        return True

    def _forget(self, context: bytes) -> None:
        """Vectors of another width came from another model: they are no use any more."""
        partition = self._partitions.get(context)
        for id in [] if partition is None else list(partition.ids):
            self.remove(id)


class _Partition:
    """The entries of one context: rows of a matrix, without holes."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.ids: list[bytes] = []
        self._rows: dict[bytes, int] = {}
        self._vectors: NDArray[np.float32] = np.empty((FIRST, width), np.float32)

    def add(self, id: bytes, vector: NDArray[np.float32]) -> None:
        row = len(self.ids)
        if row == len(self._vectors):
            self._vectors = np.concatenate([self._vectors, np.empty_like(self._vectors)])
        self._vectors[row] = vector
        self._rows[id] = row
        self.ids.append(id)

    def remove(self, id: bytes) -> None:
        """The last row takes the place of the one that goes."""
        row, last = self._rows.pop(id), self.ids.pop()
        if last != id:
            self.ids[row], self._rows[last] = last, row
            self._vectors[row] = self._vectors[len(self.ids)]
        if FIRST <= len(self.ids) < len(self._vectors) // 4:
            self._vectors = self._vectors[: len(self._vectors) // 2].copy()

    def nearest(self, vector: NDArray[np.float32], k: int) -> list[Near]:
        found = self._vectors[: len(self.ids)] @ vector
        k = min(k, len(found))
        best = np.argpartition(found, -k)[-k:] if k < len(found) else np.arange(len(found))
        return [Near(self.ids[row], float(found[row])) for row in best[np.argsort(-found[best])]]
