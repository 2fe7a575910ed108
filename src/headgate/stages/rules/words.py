"""Whether a text mentions one of some words, and how many of them."""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Iterable
from typing import NamedTuple

UNSPACED = "\u0e00"
"""From here on (Thai, Chinese, Japanese, Korean) words stand in a text without anything around them."""
WORD = re.compile(r"\w+")
PHRASE = re.compile(r"\w+(?:[\s'\u2019-]+\w+)*")
"""`terms of service`, `trade-off`, `what's`."""
MANY = 500
"""Pieces of which it takes less time to find out first which may be in a text."""


class Phrase(NamedTuple):
    """Words one after the other, the last perhaps only begun: as they stand in a text with one blank between them."""

    written: str
    whole: frozenset[str]


class Piece(NamedTuple):
    """What may stand within a word, or holds signs; `begins` and `ends`: no letter may stand before it, or after."""

    written: str
    pairs: frozenset[str]
    begins: bool = False
    ends: bool = False


class Words:
    """Whole words, in capitals or not; `indemnif*` is every word that begins so.

    A text is cut into words once. It is looked through as a whole only for that of which all parts are in it, as some
    thousand words would otherwise take seconds.
    """

    def __init__(self, words: Iterable[str]) -> None:
        self._whole: set[str] = set()
        self._begun: set[str] = set()
        self._phrases: dict[str, list[Phrase]] = {}
        """By their first word."""
        self._pieces: list[Piece] = []
        self._pieces_by: dict[str, list[Piece]] = {}
        """By the two letters or signs at their beginning."""
        for word in dict.fromkeys(word.strip().lower() for word in words):
            stem = word.removesuffix("*").rstrip()
            if stem:
                self._learn(stem, begun=word.endswith("*"))
        self._lengths = {len(begun) for begun in self._begun}
        for piece in self._pieces:
            self._pieces_by.setdefault(piece.written[:2], []).append(piece)

    def _learn(self, stem: str, *, begun: bool) -> None:
        if stem[0] >= UNSPACED or stem[-1] >= UNSPACED:
            self._pieces.append(Piece(stem, _pairs(stem)))
        elif not PHRASE.fullmatch(stem):  # `c++`, `a.b`: its signs are part of it
            begins, ends = WORD.match(stem[0]) is not None, WORD.match(stem[-1]) is not None
            self._pieces.append(Piece(stem, _pairs(stem), begins, ends and not begun))
        elif not WORD.fullmatch(stem):
            words = WORD.findall(stem)
            written = f" {' '.join(words)}" + ("" if begun else " ")
            phrase = Phrase(written, frozenset(words[:-1] if begun else words))
            self._phrases.setdefault(words[0], []).append(phrase)
        else:
            (self._begun if begun else self._whole).add(stem)

    def within(self, text: str) -> bool:
        """Whether one is in the text."""
        return self.count(text, most=1) > 0

    def count(self, text: str, most: int = 1000) -> int:
        """How many different ones are; from `most` on it need not be exact."""
        text = text.lower()
        words = WORD.findall(text)
        different = set(words)
        found = len(self._whole & different)
        if found < most and self._begun:
            found += len(self._begun & {word[:length] for length in self._lengths for word in different})
        if found < most and self._phrases:
            phrases = [phrase for first in self._phrases.keys() & different for phrase in self._phrases[first]]
            likely = [phrase.written for phrase in phrases if phrase.whole <= different]
            joined = f" {' '.join(words)} " if likely else ""
            found += sum(written in joined for written in likely)
        if found < most and self._pieces:
            found += sum(_stands(piece, text) for piece in self._likely(text))
        return found

    def _likely(self, text: str) -> Iterable[Piece]:
        if len(self._pieces) < MANY:
            return self._pieces
        there = _pairs(text)
        begun = self._pieces_by.keys() & (there | set(text))
        return (piece for start in begun for piece in self._pieces_by[start] if piece.pairs <= there)


def _stands(piece: Piece, text: str) -> bool:
    start = text.find(piece.written)
    while start >= 0:
        end = start + len(piece.written)
        before, after = text[start - 1 : start], text[end : end + 1]
        if not (piece.begins and WORD.match(before)) and not (piece.ends and WORD.match(after)):
            return True
        start = text.find(piece.written, start + 1)
    return False


def _pairs(text: str) -> frozenset[str]:
    """Of letters or signs that stand beside each other."""
    return frozenset(map(operator.add, text, text[1:]))


def mentioned(text: str, words: tuple[str, ...]) -> bool:
    """Whether a text holds one of these words."""
    return _words(words).within(text)


_words = functools.lru_cache(maxsize=1000)(Words)
