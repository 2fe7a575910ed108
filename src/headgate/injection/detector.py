"""How suspicious a text is: read in every way that a model might, matched with rules, scored."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from headgate.injection.ngrams import Grams, grams
from headgate.injection.reading import Places, Reading, View, read
from headgate.injection.rules import Place, Rule, Rules, shipped
from headgate.injection.scorer import Score, model, score

DOCUMENT = (
    r"(?im)^[ \t]*\|.*\|.*\n[ \t]*\|"
    r"|^(?:subject|from|received date|to|date) ?:.*\s.{0,200}(?:subject|from|received date|content|to) ?:"
    r"|<(?:html|body|div|table|article|head|span)\b|<!--"
)
"""A table, a letter or a page of the web in what a user says: what is for documents is for it."""


PIECE, OVERLAP = 131_072, 1024
"""Characters that are looked at together, and of them again with the next."""
DULL = 0.1
"""How suspicious a text is at least of which it is said where."""


class Suspicion(NamedTuple):
    """From 0 to 1; at 0.5 one harmless text in a hundred is as suspicious."""

    score: float
    place: Place
    """Whether it speaks as a user does, or as an instruction within a document."""
    start: int
    end: int
    """Characters of the text where it is."""
    signs: tuple[str, ...]
    """Names of rules that it fits, ways that it was hidden in."""


class Detector:
    def __init__(self, own: Sequence[Rule] = ()) -> None:
        """`own`: rules beside those that come with Headgate. Raises ValueError where an expression is none."""
        import re2

        self._rules = Rules([*shipped(), *own])
        self._document = re2.compile(DOCUMENT)

    def look(self, text: str, place: Place) -> Suspicion:
        """Takes time in proportion to the text, and memory for no more than a piece of it."""
        pieces = range(0, max(len(text) - OVERLAP, 1), PIECE - OVERLAP)
        found = [(at, self._of_piece(text[at : at + PIECE], place)) for at in pieces]
        at, worst = max(found, key=lambda each: each[1].score)
        return worst._replace(start=worst.start + at, end=worst.end + at)

    def _of_piece(self, text: str, place: Place) -> Suspicion:
        reading = read(text)
        places: list[Place] = [place]
        if place == "direct" and self._document.search(text.encode("utf-8", "replace")):
            places.append("indirect")
        best, least = None, 0.0
        for view in reading.views:
            found = grams(view.text)
            for each in places:
                value, signs, given = self._of_view(view, found, each)
                least = max(least, given)
                if best is None or value.value > best[0].value:
                    best = value, each, view, signs
        assert best is not None
        value, where, view, signs = best
        odds = max(least, 1 / (1 + math.exp(-max(value.value, -50))))
        start, end = _within(text, reading, view, value) if odds > DULL else (0, len(text))
        return Suspicion(odds, where, start, end, signs)

    def _of_view(self, view: View, found: Grams, place: Place) -> tuple[Score, tuple[str, ...], float]:
        hits = self._rules.hits(view.text, place)
        signs = (*sorted(view.hows), *(hit.rule.name for hit in hits))
        return score(model(place), found, signs), signs, max((hit.rule.score for hit in hits), default=0.0)


def _within(text: str, reading: Reading, view: View, value: Score) -> tuple[int, int]:
    """Where it is in the text as it came; of what was hidden in it, where that was."""
    if view is reading.views[0]:
        places = Places(text)
        return places.of(value.start), places.of(value.end - 1) + 1 if value.end else 0
    spans = [*reading.encoded, *reading.hidden]
    if not spans:
        return 0, len(text)
    return min(each.start for each in spans), max(each.end for each in spans)
