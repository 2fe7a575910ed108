"""Reads a text as a model may: what is hidden in it seen, what is written otherwise decoded.

For finding only: what goes to a model is the text as it was.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from headgate.injection import decoding, disguises
from headgate.injection.characters import ALIKE, INVISIBLE, MIXED, TWIN, UNSEEN, UNTWIN, Plain
from headgate.injection.signs import signs

DEEPEST = 3
"""Writings within writings."""
MOST = 8
"""Views of a text."""
FEWEST = 3
"""Places from which on what is not seen is no slip of an editor."""
PLAIN = Plain()
FLAG = re.compile("\U0001f3f4[\U000e0061-\U000e007a\U000e0030-\U000e0039]{3,6}\U000e007f")
"""England, Scotland, Wales: the only use of tags."""
SMUGGLED = (
    ("tags", re.compile("[\U000e0000-\U000e007f]{2,}"), decoding.inside_tags),
    ("selectors", re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]{3,}"), decoding.inside_selectors),
    ("zeros", re.compile("[\u200b-\u200d\u2060-\u2064\ufeff]{16,}"), decoding.inside_zeros),
)
"""Text in characters that nobody sees."""
_SEEN = r"A-Za-z0-9,.!?\u00c0-\u024f\u0370-\u052f "
STREWN = re.compile(f"(?<=[{_SEEN}])[{INVISIBLE}]+(?=[{_SEEN}])")
"""Of no width among letters of alphabets that need nothing such."""
STYLE = re.compile("[\uff21-\uff3a\uff41-\uff5a\u24b6-\u24e9\U0001d400-\U0001d7ff\U0001f130-\U0001f189]")
STYLED = re.compile(f"{STYLE.pattern}{{2,}}")
"""Letters of full width, in bold, in circles: Latin to whoever reads them."""
OVERRIDE = re.compile("[\u202d\u202e][^\u202c\n]*")
"""Shown in another order than it is read."""


WAYS = (
    *(how for how, _, _ in SMUGGLED), "order", "no_width", "twins", "styled", *(each.how for each in decoding.WRITINGS),
    "leet", "case", "spaced", "pieces", "reversed", "rot13", "mirror", "rotated",
)  # fmt: skip
"""What a view may have been hidden or written in."""


class Hidden(NamedTuple):
    """What nobody sees, or nobody can read, in characters of the text."""

    start: int
    end: int
    how: str


class View(NamedTuple):
    text: str
    hows: frozenset[str]
    """Ways it was hidden or written in; none for text that is what it looks like."""


class Reading(NamedTuple):
    views: list[View]
    """The first is the text in plain characters."""
    hidden: list[Hidden]
    """What is not seen: tags, variation selectors, no width, twins of letters, another order."""
    encoded: list[Hidden]
    """What is seen and not read: base64 and its like, of the text itself."""


def read(text: str) -> Reading:
    """Takes time in proportion to the text, whatever it is."""
    hidden: list[Hidden] = []
    plain, said = text, []
    if not text.isascii():
        letters = _letters(text)
        plain = _plain(text, TWIN.search(letters) is not None)
        for found, inside in _hidden(text, letters):
            hidden.append(found)
            said += [inside] if inside else []
    views = [View(plain, frozenset(each.how for each in hidden))]
    if said:
        views.append(views[0]._replace(text="\n".join((plain, *said))))
    places = Places(text)
    encoded = [Hidden(places.of(run.start), places.of(run.end), run.how) for run in _decode(views)]
    return Reading(views, hidden, encoded)


def hidden(text: str) -> list[Hidden]:
    """What is not seen."""
    return [] if text.isascii() else [each for each, _ in _hidden(text, _letters(text))]


def shown(text: str, how: str) -> str:
    """What was hidden in that way, without what is not seen, and in letters instead of what looks like them."""
    match how:
        case "order":
            return re.sub("[\u202c-\u202e]", "", text)
        case "no_width":
            return STREWN.sub("", f"x{text}x")[1:-1]  # it begins and ends between letters
        case "twins":
            return ALIKE.sub(lambda word: _untwined(word[0], True), text)
        case "styled":
            return STYLED.sub(lambda letters: unicodedata.normalize("NFKC", letters[0]), text)
    return ""


def _plain(text: str, twins: bool) -> str:
    """Without what is not seen, in the letters that it seems to be written in."""
    plain = text.translate(PLAIN)
    mixed = len(MIXED.findall(plain)) if twins else 0
    return ALIKE.sub(lambda word: _untwined(word[0], mixed > 1), plain) if mixed else plain


def _untwined(word: str, alone: bool) -> str:
    """`alone`: also where it has no other letters than twins."""
    return word.translate(UNTWIN) if alone or MIXED.search(word) else word


class Places:
    """Where in a text stands what is at a place of `plainly` of it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts: list[int] | None = None

    def of(self, place: int) -> int:
        if self._text.isascii():
            return place
        if self._starts is None:
            self._starts = [at for at, letter in enumerate(self._text) for _ in PLAIN[ord(letter)] or ""]
        return self._starts[place] if place < len(self._starts) else len(self._text)


def _letters(text: str) -> str:
    """Each of the characters that are not ASCII once."""
    return "".join(each for each in set(text) if each > "\x7f")


def _hidden(text: str, letters: str) -> Iterator[tuple[Hidden, str]]:
    """What is not seen, and what it says where that can be told."""
    if UNSEEN.search(letters):
        flags = [match.span() for match in FLAG.finditer(text)]
        for how, expression, inside in SMUGGLED:
            for run in expression.finditer(text):
                if not any(start <= run.start() < end for start, end in flags):
                    yield Hidden(*run.span(), how), inside(run[0][: decoding.LONGEST])
        for run in OVERRIDE.finditer(text):
            yield Hidden(*run.span(), "order"), run[0][::-1].translate(PLAIN)
        strewn = list(STREWN.finditer(text))
        if len(strewn) >= FEWEST:
            yield Hidden(strewn[0].start(), strewn[-1].end(), "no_width"), ""
    for how, expression, any_of in (("twins", MIXED, TWIN), ("styled", STYLED, STYLE)):
        places = list(expression.finditer(text)) if any_of.search(letters) else []
        if len(places) >= FEWEST:
            yield Hidden(places[0].start(), places[-1].end(), how), ""


def _decode(views: list[View]) -> list[decoding.Run]:
    """Adds what the views say when they are decoded, and that in turn, so far as it may go; the runs of the first."""
    at, first = 0, None
    for _ in range(DEEPEST):
        last = len(views)
        for view in views[at:last]:
            shown = signs(view.text)
            found = decoding.runs(view.text, shown) if shown else []
            first = found if first is None else first
            if found:
                views.append(View(_replaced(view.text, found), view.hows | {run.how for run in found}))
            if shown:
                views += [
                    View(other, view.hows | {how})
                    for how, other in disguises.undone(view.text, shown)
                    if how not in view.hows  # turned twice it is as it was
                ]
            if len(views) >= MOST:
                del views[MOST:]
                return first
        at = last
    return first or []


def _replaced(text: str, runs: list[decoding.Run]) -> str:
    parts: list[str] = []
    at = 0
    for start, end, _, said in runs:
        parts += (text[at:start], said)
        at = end
    return "".join((*parts, text[at:]))
