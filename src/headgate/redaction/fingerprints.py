"""Knows files again by pieces of them: words in a row as numbers, of which some are kept (winnowing).

Schleimer, Wilkerson, Aiken, "Winnowing: local algorithms for document fingerprinting" (SIGMOD 2003): of each few rows
that follow each other the one with the smallest number is kept, so that no copy of ROW + WINDOW - 1 words goes unseen.
Only letters, digits and underscores count: white space, line breaks, quotes, brackets and commas may be others.
"""

from __future__ import annotations

import os
import re
import sys
from array import array
from collections.abc import Collection, Iterable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

ROW, WINDOW = 10, 4
"""Words in a row that are one number; numbers that follow each other, of which one is kept."""
ENOUGH = 3
"""Different rows near each other that must be known: one may stand anywhere, such as a row of imports."""
NEAR = 24
"""Words between two that are near."""
LARGEST = 4 << 20
"""Bytes of a file that is read."""
HEAD = b"headgate fingerprints 1\n"
WORD = re.compile(rb"[0-9A-Za-z_\x80-\xff]+")
PLAIN = bytes(
    ord(chr(byte).lower()) if chr(byte).isalnum() and byte < 128 else byte if byte > 127 or byte == 95 else 32
    for byte in range(256)
)
"""Small letters, and a space for whatever is in no word."""
LEFT_OUT = frozenset({"node_modules", "__pycache__", "venv", "vendor", "dist", "build", "target"})
"""Folders that hold what others have written, or what is made."""


class Piece(NamedTuple):
    """Where something known stands, in bytes of the text's UTF-8."""

    start: int
    end: int
    rows: int
    """How many different rows of it are known."""


class Registry:
    """Numbers of rows of files."""

    def __init__(self, numbers: Collection[int] = ()) -> None:
        self.numbers = frozenset(numbers)

    @classmethod
    def load(cls, path: Path) -> Registry:
        """Raises OSError; ValueError where it is none of ours."""
        data = path.read_bytes()
        numbers = array("I")
        if not data.startswith(HEAD) or (len(data) - len(HEAD)) % numbers.itemsize:
            raise ValueError(f"{path} holds no fingerprints; `headgate guard register` makes such a file")
        numbers.frombytes(data[len(HEAD) :])
        if sys.byteorder == "big":
            numbers.byteswap()
        return cls(numbers)

    def save(self, path: Path) -> None:
        """Whole or not at all. Raises OSError."""
        numbers = array("I", sorted(self.numbers))
        if sys.byteorder == "big":
            numbers.byteswap()
        made = path.with_name(f".{path.name}.{os.getpid()}")
        made.write_bytes(HEAD + numbers.tobytes())
        made.replace(path)

    def find(self, data: bytes) -> list[Piece]:
        """Pieces of a text that stand in a file of these."""
        rows = Rows(data)
        known = self.numbers.intersection(rows.kept)
        if len(known) < ENOUGH:
            return []
        found: list[Piece] = []
        near: list[int] = []
        for place, number in enumerate(rows.numbers):
            if number in known:
                if near and place - near[-1] > NEAR:
                    found += rows.piece(near)
                    near = []
                near.append(place)
        return [*found, *rows.piece(near)]


class Rows:
    """The rows of words of a text."""

    __slots__ = ("data", "numbers")

    def __init__(self, data: bytes) -> None:
        self.data = data
        words = data.translate(PLAIN).split()
        plain = b" ".join(words)
        begins = [0, *accumulate(len(word) + 1 for word in words)]
        self.numbers = [crc32(plain[begin : end - 1]) for begin, end in zip(begins, begins[ROW:], strict=False)]

    @property
    def kept(self) -> set[int]:
        numbers = self.numbers
        if len(numbers) < WINDOW:
            return set(numbers)
        return set(map(min, numbers, numbers[1:], numbers[2:], numbers[3:]))

    def piece(self, places: list[int]) -> Iterator[Piece]:
        """What stands in these rows, if they are enough."""
        different = len({self.numbers[place] for place in places})
        if different >= ENOUGH:
            spans = [match.span() for match in WORD.finditer(self.data)]
            yield Piece(spans[places[0]][0], spans[places[-1] + ROW - 1][1], different)


def numbers(data: bytes) -> set[int]:
    """What is kept of a file."""
    return Rows(data).kept


def files(paths: Iterable[Path]) -> Iterator[Path]:
    """The files that are meant: of folders all that are text, in order, without hidden ones and what others wrote."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for folder, inner, names in os.walk(path):
            inner[:] = sorted(name for name in inner if name[0] != "." and name not in LEFT_OUT)
            yield from (Path(folder) / name for name in sorted(names) if name[0] != ".")


def text(path: Path) -> bytes | None:
    """What is in a file; None where it is no text, or larger than is read. Raises OSError."""
    if path.stat().st_size > LARGEST:
        return None
    data = path.read_bytes()
    return None if b"\0" in data[:8192] else data
