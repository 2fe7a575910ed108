"""How much a text says what attacks say: linear models over its n-grams, by scripts/train_injection.py."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

import msgspec
import numpy as np

from headgate.injection.ngrams import BITS, Array, Grams

WINDOW = 1024
"""Characters of what is looked at as a whole; windows overlap by half."""
SIZE = 1 << BITS


class Table(NamedTuple):
    """Weights by hash, in units of `scale`."""

    chars: Array
    words: Array
    scale: float


class Model(NamedTuple):
    """A text's score is the best of its segments', and the best of its windows', and what else is told of it."""

    near: Table
    wide: Table | None
    told: Mapping[str, float]
    """Ways of hiding, names of rules."""
    bias: float
    """Subtracts what one harmless text in a hundred has: above 0 is suspicious."""


class Score(NamedTuple):
    value: float
    """Above 0: more than 99 of a hundred harmless texts have. As a logarithm of odds."""
    start: int
    end: int
    """Characters of the text where it is most suspicious."""


class Head(msgspec.Struct):
    """What stands before the weights in a file of them."""

    near: float
    wide: float | None
    told: dict[str, float]
    bias: float


@cache
def model(name: str) -> Model:
    """`direct`, for what users say, or `indirect`, for documents and results of tools."""
    return decoded((files("headgate.injection") / "weights" / name).read_bytes())


def decoded(data: bytes) -> Model:
    line, _, tables = data.partition(b"\n")
    head = msgspec.json.decode(line, type=Head)
    parts = np.frombuffer(tables, np.int8).reshape(-1, SIZE)
    wide = Table(parts[2], parts[3], head.wide) if head.wide is not None else None
    return Model(Table(parts[0], parts[1], head.near), wide, head.told, head.bias)


def encoded(model: Model) -> bytes:
    wide = None if model.wide is None else model.wide.scale
    line = msgspec.json.encode(Head(model.near.scale, wide, dict(model.told), model.bias))
    tables = [model.near, model.wide] if model.wide is not None else [model.near]
    return b"\n".join((line, b"".join(part.tobytes() for table in tables for part in (table.chars, table.words))))


def windows(length: int) -> Array:
    if length <= WINDOW * 5 // 4:
        return np.array([(0, length)])
    return np.array([(at, min(at + WINDOW, length)) for at in range(0, length - WINDOW // 2, WINDOW // 2)])


def score(model: Model, found: Grams, told: Iterable[str] = ()) -> Score:
    """`told`: ways the text was hidden in, rules that it fits."""
    if not found.length:
        return Score(-math.inf, 0, 0)
    counts = tuple(_counts(each) for each in (found.chars, found.words, found.shapes))
    parts = _sums(model.near, found, counts, found.segments)
    best = int(parts.argmax())
    value = float(parts[best]) + model.bias + sum(model.told.get(each, 0.0) for each in told)
    if model.wide is not None:
        value += float(_sums(model.wide, found, counts[:2], windows(found.length)).max())
    start, end = found.segments[best]
    return Score(value, int(found.places[start]), int(found.places[end - 1]) + 1)


def _sums(table: Table, found: Grams, counts: Sequence[Array], spans: Array) -> Array:
    """What each span's n-grams come to, by the root of their number; without shapes, where these are not counted."""
    sums = _part(table.chars, found.chars, counts[0], spans)
    sums += _part(table.words, found.words, counts[1], np.searchsorted(found.starts, spans))
    if len(counts) > 2:
        sums += _part(table.words, found.shapes, counts[2], np.searchsorted(found.turns, spans))
    return sums * table.scale


def _part(weights: Array, hashes: Array, counts: Array, spans: Array) -> Array:
    """Sums over any spans, for which the text is gone through once."""
    sums = np.zeros(hashes.shape[1] + 1, np.int64)
    np.cumsum(weights.take(hashes).sum(0, dtype=np.int64), out=sums[1:])
    starts, ends = spans[:, 0], spans[:, 1]
    found: Array = (sums[ends] - sums[starts]) / np.sqrt(np.maximum(counts[ends] - counts[starts], 1))
    return found


def _counts(hashes: Array) -> Array:
    """How many there are before each place."""
    counts = np.zeros(hashes.shape[1] + 1, np.int64)
    np.cumsum((hashes > 0).sum(0), out=counts[1:])
    return counts
