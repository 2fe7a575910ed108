"""A text as hashes of its short runs of characters and words, each with the place where it stands: all by arrays."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
BITS = 17
"""Of a hash: so many weights there are for runs of characters, and as many for words and shapes."""
RUNS = (3, 4, 5)
"""Characters of a run."""
SHAPES = (2, 4, 6)
"""Shapes of a run."""
LONGEST = 24
"""Letters of a word that are looked at."""
SHORTEST_SEGMENT, SENTENCES, SEGMENT = 8, 60, 200
"""Characters of what is looked at by itself: less is nothing; so many has more than a short sentence; no more."""
MIX = (0x9E3779B1, 0x85EBCA77, 0xC2B2AE3D, 0x27D4EB2F, 0x165667B1, 0xD3A2646C + 1, 0xFD7046C5, 0xB55A4F09)
"""Odd numbers that scatter bits."""


class Grams(NamedTuple):
    length: int
    """Characters, of which many spaces are one."""
    chars: Array
    """A row of hashes for each length of run, of every place; those that the text is too short for are at 0."""
    words: Array
    """A row for each kind of run of words."""
    starts: Array
    """Where each word begins."""
    shapes: Array
    """A row for each length of run of shapes: kinds of characters, of which many alike are one."""
    turns: Array
    """Where each shape begins."""
    segments: Array
    """Lines, or sentences of long ones, each from where to where."""
    places: Array
    """Of each character, where it stands in the text."""


class _Tables(NamedTuple):
    plain: Array
    """ASCII: digits are 0, what is blank is a space, but for ends of lines."""
    word: Array
    end: Array
    stop: Array
    """Behind which, and a blank, a sentence begins."""
    powers: Array
    shape: Array


@cache
def _tables() -> _Tables:
    codes = range(128)
    plain = [48 if 48 <= code < 58 else 32 if code < 33 and code != 10 else ord(chr(code).lower()) for code in codes]
    word = [chr(code).isalnum() or code == 39 for code in codes]
    stop = [chr(code) in ".!?:;|>" for code in codes]
    end = [chr(code) in '\n.!?:;"<>[]{}|#' for code in codes]
    powers = [pow(MIX[0], exponent, 1 << 32) for exponent in range(1, LONGEST + 1)]
    shape = [_shape(chr(code)) for code in codes]
    numbers = [np.array(each, np.uint32) for each in (plain, powers, shape)]
    return _Tables(numbers[0], np.array(word), np.array(end), np.array(stop), *numbers[1:])


def _shape(letter: str) -> int:
    """Small, great, digit, blank, end of line, opening, closing, quote, stop, comma, stroke, other signs."""
    tests = (letter.islower(), letter.isupper(), letter.isdigit(), letter in " \t", letter in "\r\n", letter in "([{<")
    others = (letter in ")]}>", letter in "\"'`", letter in ".!?", letter in ",;:", letter in "\\/|_-", True)
    return (*tests, *others).index(True) + 1


def grams(text: str) -> Grams:
    text = text.replace("\\n", " \n")  # as many characters; how JSON and people write an end of a line
    raw = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
    codes, kept = _codes(raw)
    length = len(codes)
    chars = np.zeros((len(RUNS), length), np.intp)
    rolling = codes * np.uint32(MIX[1])
    for step in range(1, RUNS[-1]):
        if length <= step:
            break
        rolling = (rolling[:-1] ^ (rolling[:-1] >> np.uint32(13))) * np.uint32(MIX[2]) + codes[step:]
        if step + 1 in RUNS:
            chars[RUNS.index(step + 1), : length - step] = _bucket(rolling)
    starts, hashes, first = _words(codes)
    shapes, turns = _shape_runs(raw[kept])
    return Grams(
        length, chars, _word_runs(hashes, first), starts, shapes, turns, _segments(codes), np.flatnonzero(kept)
    )


def _codes(raw: Array) -> tuple[Array, Array]:
    """Without what makes no difference, and which characters these are; of blanks the end of a line is left."""
    codes = np.where(raw < 128, _tables().plain[np.minimum(raw, 127)], raw)
    blank = (codes == 32) | (codes == 10)
    kept = np.ones(len(codes), bool)
    kept[1:] = ~(blank[1:] & blank[:-1])
    number = np.cumsum(kept) - 1
    left = codes[kept]
    left[number[codes == 10]] = 10
    return left, kept


def _shape_runs(codes: Array) -> tuple[Array, Array]:
    kinds = np.where(
        codes < 128,
        _tables().shape[np.minimum(codes, 127)],
        np.where(codes < 0x2000, 13, np.where(codes < 0x2C00, 14, 15)),
    ).astype(np.uint32)
    changes = np.ones(len(kinds), bool)
    changes[1:] = kinds[1:] != kinds[:-1]
    turns = np.flatnonzero(changes)
    kinds = kinds[turns]
    rows = np.zeros((len(SHAPES), len(kinds)), np.intp)
    rolling = kinds
    for step in range(1, SHAPES[-1]):
        if len(kinds) <= step:
            break
        rolling = rolling[:-1] * np.uint32(MIX[6]) + kinds[step:]
        if step + 1 in SHAPES:
            rows[SHAPES.index(step + 1), : len(kinds) - step] = _bucket(rolling * np.uint32(MIX[3]))
    return rows, turns


def _words(codes: Array) -> tuple[Array, Array, Array]:
    """Where words start, their hashes, and which of them are the first of a sentence or line."""
    tables = _tables()
    low = np.minimum(codes, 127)
    within, ends = tables.word[low], tables.end[low]
    alone = np.zeros(len(codes), bool)
    if len(codes) and codes.max() > 127:
        punctuation = (
            ((codes >= 0x2000) & (codes < 0x2C00))
            | ((codes >= 0x3000) & (codes < 0x3040))
            | (codes >= 0xFE00) & (codes < 0x10000)
        )
        within = np.where(codes < 128, within, (codes >= 0xAA) & ~punctuation)
        ends = np.where(codes < 128, ends, (codes == 0x3002) | (codes == 0xFF0C) | (codes == 0x3001))
        # scripts that are written without spaces, and pictures: each is a word of its own
        alone = ((codes >= 0x0E00) & (codes < 0x0E80)) | ((codes >= 0x2E80) & (codes < 0xA000)) | (codes >= 0x1F000)
    before = np.zeros(len(codes), bool)
    before[1:] = within[:-1] & ~alone[:-1]
    starting = within & (~before | alone)
    starts = np.flatnonzero(starting)
    if not len(starts):
        return starts, np.zeros(0, np.uint32), np.zeros(0, bool)
    number = np.cumsum(starting)
    inside = np.flatnonzero(within)
    letter = np.minimum(inside - starts[number[inside] - 1], LONGEST - 1)
    compressed = np.searchsorted(inside, starts)
    hashes = np.add.reduceat(codes[inside] * tables.powers[letter], compressed, dtype=np.uint32)
    sentence = np.cumsum(ends)[starts]
    first = np.ones(len(starts), bool)
    first[1:] = sentence[1:] != sentence[:-1]
    return starts, (hashes ^ (hashes >> np.uint32(15))) * np.uint32(MIX[3]), first


def _word_runs(words: Array, first: Array) -> Array:
    """One word, two, three, two with another between, and one and two that begin a sentence."""
    rows = np.zeros((6, len(words)), np.intp)
    count = len(words)
    rows[0] = _bucket(words * np.uint32(MIX[4]))
    if count > 1:
        two = (words[:-1] ^ (words[:-1] >> np.uint32(13))) * np.uint32(MIX[5]) + words[1:]
        rows[1, :-1] = _bucket(two * np.uint32(MIX[6]))
        rows[5, :-1] = np.where(first[:-1], _bucket(two * np.uint32(MIX[2])), 0)
    if count > 2:
        three = (two[:-1] ^ (two[:-1] >> np.uint32(13))) * np.uint32(MIX[7]) + words[2:]
        rows[2, :-2] = _bucket(three)
        skipping = (words[:-2] ^ (words[:-2] >> np.uint32(11))) * np.uint32(MIX[1]) + words[2:]
        rows[3, :-2] = _bucket(skipping * np.uint32(MIX[5]))
    rows[4] = np.where(first, _bucket(words * np.uint32(MIX[7])), 0)
    return rows


def _segments(codes: Array) -> Array:
    blanks = np.flatnonzero(codes[1:] == 32)
    ends = blanks[_tables().stop[np.minimum(codes[blanks], 127)]] + 1
    cuts = [(place, False) for place in ends.tolist()] + [
        (place, True) for place in np.flatnonzero(codes == 10).tolist()
    ]
    found: list[tuple[int, int]] = []
    at = 0
    for place, line in sorted([*cuts, (len(codes), True)]):
        while place - at > SEGMENT * 3 // 2:
            found.append((at, at + SEGMENT))
            at += SEGMENT // 2
        if line or place - at >= SENTENCES:
            if place - at > SHORTEST_SEGMENT:
                found.append((at, place))
            at = place
    return np.array(found or [(0, len(codes))], np.int64)


def _bucket(hashes: Array) -> Array:
    """Never 0, whose weight is 0."""
    mixed = (hashes ^ (hashes >> np.uint32(16))) * np.uint32(MIX[0])
    found: Array = np.maximum(mixed >> np.uint32(32 - BITS), np.uint32(1))
    return found
