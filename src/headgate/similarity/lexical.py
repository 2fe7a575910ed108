"""Vectors of texts by the words and letters they have in common: no weights, and no idea of what words mean.

It finds what is said again in another order, in other forms of the words, or with other small words, and of what is
said with other words that which shares most. `bench/semantic.py` says how much that is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from headgate.similarity.reading import LITTLE
from headgate.similarity.words import stem

WIDTH = 512
"""Numbers in a vector."""
LONGEST = 20_000
"""Characters of a text that are looked at."""
WORDS = re.compile(r"\w+")
LETTERS, PAIR, SMALL = 0.3, 0.2, 0.1
"""What three letters of a word weigh, and two words in a row, where a word weighs 1; what is left of it for a word that
says little."""


class Lexical:
    """An embedder."""

    name = "lexical-1"
    """Another number for whatever makes other vectors."""
    threshold = 0.75

    async def embed(self, texts: Sequence[str]) -> list[bytes]:
        """Takes some 50 µs for a question, and 5 ms for a thousand words."""
        return [vector(text) for text in texts]


def vector(text: str) -> bytes:
    """Of a text."""
    made = np.zeros(WIDTH, np.float32)
    words = [stem(word) for word in WORDS.findall(text[:LONGEST].casefold())] or [""]
    for word in words:
        weight = SMALL if word in LITTLE else 1.0
        _add(made, word, weight)
        ended = f"<{word}>"
        for at in range(len(ended) - 2):
            _add(made, ended[at : at + 3], weight * LETTERS)
    for first, second in pairwise(words):
        _add(made, f"{first} {second}", PAIR * (SMALL if first in LITTLE or second in LITTLE else 1.0))
    length = float(np.sqrt(made @ made))
    if not length:  # all came to nothing: a direction of its own is as good as any
        made[0] = length = 1.0
    return (made / np.float32(length)).astype("<f4").tobytes()


def _add(made: NDArray[np.float32], feature: str, weight: float) -> None:
    hashed = crc32(feature.encode("utf-8", "surrogatepass"))
    made[hashed % WIDTH] += weight if hashed & 0x80000000 else -weight
