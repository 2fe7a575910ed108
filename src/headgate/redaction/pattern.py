"""What packs are made of: patterns of RE2, shapes of numbers, and the words that make either of them surer."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import product
from typing import Literal, NamedTuple

Check = Callable[[bytes, int, int], int]
"""Given the text and where in it a pattern has matched; says where what was found ends, 0: it is nothing,
less than 0: nor is anything else up to there."""
Proof = Callable[[bytes], bool]
"""Given a number without what separates its parts, in capitals."""
Evidence = Literal["checksum", "context", "checksum and context", "pattern"]
ALONE = 0.9
"""Score of what is sure by itself."""
WHOLE = 4
"""Letters up to which a word must stand alone: `tin` is not in `tint`, but `passport` in `passports`."""


class Pattern(NamedTuple):
    """Something that an expression describes."""

    kind: str
    expression: str
    """In the syntax of RE2. What its first group matches is found; all of it, where it has none."""
    check: Check | None = None
    alone: float | Callable[[bytes], float] = ALONE
    """Score where no word is near, or what tells it of the text."""
    words: tuple[bytes, ...] = ()
    checksum: bool = False
    """Whether the check proves it by a sum."""
    sign: bytes = b""
    """What it has in it: without, nothing is looked for."""


class Shape(NamedTuple):
    """A number or an identifier of fixed shape: all shapes together are one expression."""

    kind: str
    shapes: str
    """Alternatives by `|`: `9` a digit, `A` a letter, `X` either; all else stands for itself."""
    check: Proof | None = None
    alone: float = ALONE
    words: tuple[bytes, ...] = ()
    checksum: bool = True

    def all(self) -> list[str]:
        """Every shape, without `X`."""
        found: list[str] = []
        for shape in self.shapes.split("|"):
            parts = ["9A" if each == "X" else each for each in shape]
            found += ("".join(one) for one in product(*parts))
        return found


def words(said: str) -> tuple[bytes, ...]:
    """Words by `|`, as they are looked for in what stands around: at the beginning of a word, short ones alone."""
    each = (word.strip().encode() for word in said.split("|") if word.strip())
    return tuple(b" " + word + (b" " if len(word) <= WHOLE else b"") for word in each)


def expression(shape: str) -> str:
    """Of a shape, what RE2 looks for."""
    parts = re.findall(r"9+|A+|[^9A]", shape)
    return "".join(
        (r"\d" if part[0] == "9" else "[A-Za-z]") + (f"{{{len(part)}}}" if len(part) > 1 else "")
        if part[0] in "9A"
        else re.escape(part)
        for part in parts
    )
