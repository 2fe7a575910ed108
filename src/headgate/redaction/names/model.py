"""A linear chain of labels over words (a conditional random field), with the weights of `scripts/train_names.py`.

Weights are small whole numbers, one for each label. Those of a feature are one long integer with a lane of 16 bits for
a label, so that the weights of twenty features for all labels are summed by twenty additions.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from operator import mul
from pathlib import Path
from typing import NamedTuple

import zstandard

from headgate.redaction.names.features import EDGE, OFFSETS, inner, joint, own
from headgate.redaction.names.tokens import Lexicon

WEIGHTS = Path(__file__).parent / "weights.zst"
KINDS = ("person", "location", "organisation", "address")
LABELS = 1 + len(KINDS)
"""0: nothing; then a kind each."""
SCALE = 16
"""Of weights: what is 1 in the logarithm of a likelihood."""
BIAS = 128
"""Added to each weight, so that no lane is below 0."""
LANES = 2 * LABELS
"""Bytes of a feature's weights."""
SHARES = [math.exp(-each / SCALE) for each in range(1 << 14)]
"""How likely what weighs so much less is."""
MASK = (1 << 8 * LANES) - 1
ONES = (1.0,) * LABELS
EVERY = 16
"""Words after which likelihoods are scaled."""
LEAST = 0.1
"""How sure it is at least that a word is something, for it to be told."""
CERTAIN = 2 * SCALE
"""What is less likely by so much than that there is nothing is not looked at."""
BETWEEN = "\x1f"
"""Between features: it is a space, and so in none."""
HEADER = struct.Struct("<IIII")


class Word(NamedTuple):
    """Of which kind a word is, by its place in KINDS, and how sure it is that it is something at all."""

    kind: int
    score: float


class Known(NamedTuple):
    """A word, and its weights for a word two before it, one before, itself, one behind, two behind."""

    low: str
    sort: str
    word: str = ""
    before_two: int = 0
    before_one: int = 0
    here: int = 0
    behind_one: int = 0
    behind_two: int = 0


EMPTY = Known("", "")


class Model:
    def __init__(self, path: Path = WEIGHTS) -> None:
        data = zstandard.ZstdDecompressor().decompress(path.read_bytes())
        lexicon, owned, joined, _ = HEADER.unpack_from(data)
        names_end = HEADER.size + lexicon
        flags = {}
        for line in data[HEADER.size : names_end].decode().split("\n"):
            mark, _, words = line.partition("\t")
            flags.update(dict.fromkeys(words.split(" "), mark))
        self.lexicon = Lexicon(flags)
        keys = data[names_end : names_end + owned].decode().split(BETWEEN)
        others = data[names_end + owned : names_end + owned + joined].decode().split(BETWEEN)
        at = names_end + owned + joined
        middle = at + len(keys) * OFFSETS * LABELS
        end = middle + len(others) * LABELS
        self._own = _lanes(keys, data[at:middle], OFFSETS * LANES)
        self._joint = _lanes(others, data[middle:end], LANES)
        steps = struct.unpack_from(f"<{LABELS * LABELS}h", data, end)
        self._factors = [
            [math.exp(step / SCALE) for step in steps[row : row + LABELS]] for row in range(0, LABELS * LABELS, LABELS)
        ]
        self._gains = [
            (
                steps[kind] + steps[kind * LABELS] - steps[0] - steps[kind * LABELS + kind],
                steps[kind * LABELS + kind] - steps[0],
            )
            for kind in range(1, LABELS)
        ]
        """Of each kind, what its first word costs more than others and what each word is worth, beside nothing."""
        self._known: dict[str, Known] = {}
        self._letters: dict[str, int] = {}
        self._blocks: dict[str, tuple[int, ...]] = {}

    def label(self, words: Sequence[str], spans: Sequence[tuple[int, int]]) -> dict[int, Word]:
        """By their places, the words that are something."""
        labelled: dict[int, Word] = {}
        if not spans:
            return labelled
        padded = [EDGE, EDGE, *words, EDGE, EDGE]
        fresh: dict[str, Known] = {}
        known = [EMPTY] * len(padded)
        for start, end in spans:
            for place in range(start, end + 4):
                if known[place] is EMPTY:
                    word = padded[place]
                    known[place] = self._known.get(word) or fresh.get(word) or self._learn(word, fresh)
            rows = [self._row(known[place : place + OFFSETS]) for place in range(start, end)]
            if self._likely(rows):
                labelled |= ((start + place, word) for place, word in _labels(rows, self._factors))
        return labelled

    def _learn(self, word: str, fresh: dict[str, Known]) -> Known:
        """What a word weighs. Only of words that have weights it is remembered: others may be somebody's name."""
        low = word.lower()
        flags = self.lexicon.flags.get(low, "")
        key, other = own(word, flags)
        weights = self._own.get(key)
        blocks = self._blocks.get(other)
        if weights is not None or blocks is None:
            total = (weights or 0) + self._own.get(other, 0)
            blocks = tuple(total >> 8 * LANES * block & MASK for block in range(OFFSETS))
            if weights is None:
                self._blocks[other] = blocks
        known = Known(low, other, word, *blocks)
        (self._known if weights is not None else fresh)[word] = known
        return known

    def _row(self, near: Sequence[Known]) -> list[int]:
        """How likely each label is for the word in the middle of five."""
        first, second, word, fourth, fifth = near
        total = first.behind_two + second.behind_one + word.here + fourth.before_one + fifth.before_two
        weights = self._joint
        letters = self._letters.get(word.word)
        if letters is None:
            letters = sum(weights.get(key, 0) for key in inner(word.word))
            if word.word in self._known:
                self._letters[word.word] = letters
        total += letters
        for key in joint(near):
            if key in weights:
                total += weights[key]
        return memoryview(total.to_bytes(LANES, "little")).cast("H").tolist()

    def _likely(self, rows: Sequence[list[int]]) -> bool:
        """Whether anything may be in them: no way through the labels is likelier than this sum."""
        for kind, (enter, stay) in enumerate(self._gains, 1):
            total = enter
            for row in rows:
                gain = row[kind] - row[0] + stay
                if gain > 0:
                    total += gain
            if total > -CERTAIN:
                return True
        return False


def _lanes(keys: Sequence[str], weights: bytes, size: int) -> dict[str, int]:
    """The weights of each feature, which are a byte each, as one number."""
    lanes = bytearray(2 * len(weights))
    lanes[::2] = weights
    return {key: int.from_bytes(lanes[at * size : (at + 1) * size], "little") for at, key in enumerate(keys)}


def _labels(rows: Sequence[list[int]], factors: Sequence[Sequence[float]]) -> Iterator[tuple[int, Word]]:
    """Those that are something, by the likelihood of each label, all ways through the others together (forward and
    backward). Before and behind them is nothing."""
    likely = [[SHARES[top - each] for each in row] for row in rows for top in (max(row),)]
    into = list(zip(*factors, strict=True))
    last = list(map(mul, likely[0], factors[0]))
    forward = [last]
    for place in range(1, len(likely)):
        last = _times(likely[place], last, into)
        if not place % EVERY:
            last = _scaled(last)
        forward.append(last)
    backward: Sequence[float] = into[0]
    for place in range(len(rows) - 1, -1, -1):
        both = list(map(mul, forward[place], backward))
        something = 1.0 - both[0] / sum(both)
        if something >= LEAST:
            best = max(both[1:])
            yield place, Word(both.index(best, 1) - 1, something)
        if place:
            backward = _times(ONES, list(map(mul, likely[place], backward)), factors)
            if not place % EVERY:
                backward = _scaled(backward)


def _times(own: Sequence[float], last: Sequence[float], factors: Sequence[Sequence[float]]) -> list[float]:
    a, b, c, d, e = last
    return [each * (a * f + b * g + c * h + d * i + e * j) for each, (f, g, h, i, j) in zip(own, factors, strict=True)]


def _scaled(values: Sequence[float]) -> list[float]:
    """The same in proportion, so that long chains stay within what a number can hold."""
    total = sum(values)
    return [each / total for each in values]
