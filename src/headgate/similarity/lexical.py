"""Vectors of texts by the words and letters they have in common: no weights, and no idea of what words mean."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from zlib import crc32

import numpy as np

WIDTH = 512
"""Numbers in a vector."""
LONGEST = 20_000
"""Characters of a text that are looked at."""
WORDS = re.compile(r"\w+")
STOP = """
a an and are as at be by can could d did do does for from had has have how i if in is it its ll m may me my of on or
please s should so some t that the their them then there these they this those to us was we were what when which
will with would you your
"""
STOPPED = frozenset(STOP.split())


class Lexical:
    """An embedder: finds what is said with nearly the same words, in another order or form."""

    name = "lexical-1"
    threshold = 0.9

    async def embed(self, texts: Sequence[str]) -> list[bytes]:
        """Takes some 50 µs for a question."""
        return [vector(text) for text in texts]


def vector(text: str) -> bytes:
    """Words weigh most, then pairs of words and the letters in them; all hashed into one vector."""
    words = WORDS.findall(text[:LONGEST].casefold())
    kept = [_stem(word) for word in words if word not in STOPPED] or words or [""]
    made = np.zeros(WIDTH, np.float32)
    for word in kept:
        _count(made, word, 1.0)
        padded = f"<{word}>"
        for at in range(len(padded) - 2):
            _count(made, padded[at : at + 3], 0.3)
    for first, second in pairwise(kept):
        _count(made, f"{first} {second}", 0.5)
    length = float(np.sqrt(made @ made)) or 1.0
    return (made / np.float32(length)).astype("<f4").tobytes()


def _count(made: np.ndarray[tuple[int, ...], np.dtype[np.float32]], feature: str, weight: float) -> None:
    hashed = crc32(feature.encode("utf-8", "surrogatepass"))
    made[hashed % WIDTH] += weight if hashed & 0x80000000 else -weight


def _stem(word: str) -> str:
    for ending in ("ings", "ing", "ies", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word
