"""What a recogniser says: where something stands, what it is, how sure it is; the same for ours and a user's own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple, Protocol, get_args

Kind = Literal[
    "person", "address", "location", "organisation", "age", "date", "birth_date", "nationality", "title", "sex"
]
"""What our own recogniser finds. `nationality` is religions and political groups, too; `date` any date."""
KINDS: tuple[Kind, ...] = get_args(Kind)
USUAL: tuple[Kind, ...] = ("person", "address")
"""What of it is looked for where nothing is said."""
THRESHOLD = 0.6
"""From which score on something is found: nine of ten words in texts that others labelled are right then."""


class Found(NamedTuple):
    """`start` and `end` are characters of the text, `score` is from 0 to 1."""

    start: int
    end: int
    kind: str
    score: float = 1.0


class Finder(Protocol):
    def find(self, text: str) -> list[Found]:
        """What is in a text, in order, none upon another."""
        ...


def apart(found: Iterable[Found]) -> list[Found]:
    """In order; of two that overlap the earlier, the longer, the surer."""
    kept: list[Found] = []
    for each in sorted(found, key=lambda each: (each.start, -each.end, -each.score)):
        if not kept or each.start >= kept[-1].end:
            kept.append(each)
    return kept
