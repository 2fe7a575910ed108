"""What is looked at to tell whether a word is part of a name: the same when weights are learned and when used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

WORDS = """
a an the of in on at by for from to with and or but is was are were be has have had will would my your his her their
our name i you he she they we it this that as not no mr mrs ms dr de la el en los del y que con le les et du van der
die und von im am zu il di e da do s born lives live living near city street address phone email tel zip dear hi
hello said says who when where
"""
CLOSED = frozenset(WORDS.split())
"""Words that are a class of their own."""
OFFSETS = 5
"""A word has weights for two words before it, one, itself, one and two behind."""
EDGE = "\n\n"
"""Before the first word and behind the last."""


class Seen(Protocol):
    """A word written small, and its class."""

    @property
    def low(self) -> str: ...
    @property
    def sort(self) -> str: ...


def shape(word: str) -> str:
    """`Xx` for Anna, `X` for A, `XX` for IBM, `XxX` for McCoy, `9` by how many for numbers, `x9` for mixtures."""
    if word.isalpha():
        if word.islower():
            return "x"
        if word.isupper():
            return "XX" if len(word) > 1 else "X"
        rest = word[1:]
        if rest.islower():
            return "Xx"
        return "XxX" if word[0].isupper() else "xX"
    if word.isdigit():
        return f"9{min(len(word), 7)}"
    if any(each.isdigit() for each in word):
        return "X9" if word[0].isupper() else "9X" if word[0].isdigit() else "x9"
    return word if len(word) == 1 else "X'" if word[0].isupper() else "x'"


def sort(word: str, flags: str) -> str:
    """The class of a word, by which words that were never seen are known."""
    low = word.lower()
    if low in CLOSED:
        return f"={low}" if word == low else f"={low}^"
    return f"{shape(word)}/{flags}"


def own(word: str, flags: str) -> tuple[str, str]:
    """What a word says of itself and of those beside it."""
    return f"w{word.lower()}", f"c{sort(word, flags)}"


def inner(word: str) -> tuple[str, ...]:
    """What the letters of a word say of itself."""
    low = word.lower()
    if not word[0].isalpha():
        return (f"f{shape(word)}",)
    return f"f{shape(word)}", f"a{low[:2]}", f"b{low[:3]}", f"x{low[-2:]}", f"y{low[-3:]}", f"z{low[-4:]}"


def joint(near: Sequence[Seen]) -> tuple[str, ...]:
    """What a word says with two on each side of it."""
    first, second, word, fourth, _ = near
    here, before, after = word.sort, second.sort, fourth.sort
    return (
        f"B{before}|{here}", f"C{here}|{after}", f"D{before}|{here}|{after}", f"E{second.low}|{here}",
        f"F{here}|{fourth.low}", f"G{first.low}|{second.low}",
    )  # fmt: skip
