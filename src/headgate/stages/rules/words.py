"""Whether a text mentions one of some words, and how many of them."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable

UNSPACED = "\u0e00"
"""From here on (Thai, Chinese, Japanese, Korean) words stand in a text without anything around them."""
WORD = re.compile(r"\w+")
PHRASE = re.compile(r"\w+(?:[\s'\u2019-]+\w+)*")
"""`terms of service`, `trade-off`, `what's`."""


class Words:
    """Whole words, in capitals or not; `indemnif*` is every word that begins so.

    Texts are cut into words once and looked through as a whole for each beginning: an expression of all words would
    be tried anew at every letter.
    """

    def __init__(self, words: Iterable[str]) -> None:
        self._whole: set[str] = set()
        self._begun: list[str] = []
        """Beginnings and phrases, as they stand in a text of words with one blank between them."""
        self._inside: list[str] = []
        self._odd: list[re.Pattern[str]] = []
        for word in dict.fromkeys(word.strip().lower() for word in words):
            stem = word.removesuffix("*").rstrip()
            if stem:
                self._learn(stem, begun=word.endswith("*"))

    def _learn(self, stem: str, *, begun: bool) -> None:
        if stem[0] >= UNSPACED or stem[-1] >= UNSPACED:
            self._inside.append(stem)
        elif not PHRASE.fullmatch(stem):  # `c++`, `a.b`: its signs are part of it
            before, after = (r"(?<!\w)" if WORD.match(stem[0]) else ""), (r"(?!\w)" if WORD.match(stem[-1]) else "")
            self._odd.append(re.compile(before + re.escape(stem) + ("" if begun else after)))
        elif begun or not WORD.fullmatch(stem):
            self._begun.append(f" {' '.join(WORD.findall(stem))}" + ("" if begun else " "))
        else:
            self._whole.add(stem)

    def within(self, text: str) -> bool:
        """Whether one is in the text."""
        return self.count(text, most=1) > 0

    def count(self, text: str, most: int = 1000) -> int:
        """How many different ones are; from `most` on it need not be exact."""
        text = text.lower()
        words = WORD.findall(text)
        found = len(self._whole.intersection(words))
        if found < most and self._begun:
            joined = f" {' '.join(words)} "
            found += sum(begun in joined for begun in self._begun)
        if found < most:
            found += sum(inside in text for inside in self._inside)
            found += sum(odd.search(text) is not None for odd in self._odd)
        return found


def mentioned(text: str, words: tuple[str, ...]) -> bool:
    """Whether a text holds one of these words."""
    return _words(words).within(text)


_words = functools.lru_cache(maxsize=1000)(Words)
