"""What two questions do not agree about, however alike they are: who answers both alike answers one of them wrong."""

from __future__ import annotations

from typing import NamedTuple

from headgate.similarity import words as known
from headgate.similarity.reading import OPPOSED, PERSONS, Reading
from headgate.similarity.words import PREFIXES, THIRD, stem

SAME = 0.9
"""Where more than this part of the words is shared, the rest is what is asked for, wherever it stands."""
FEW = 2
"""Words behind a direction: with more it says nothing."""
MOST = 50
"""Things on one side only that are looked for in the other's text: with more they do not agree anyhow."""
LONG = 1000
"""Characters from which on what two texts begin and end with alike is not read."""
LONGEST = 20_000
"""Characters that are read: to compare so many takes some 20 ms."""
WORD = 6
"""Characters of one, about."""
FRAME = 4
"""Words that are shared from which on a text is taken for a template that is filled in."""
DOING = frozenset(map(stem, known.DOING.split()))


def differ(a: str, b: str) -> str | None:
    """What keeps these two from having one answer (`number`, `name`, `negation`, …); None: nothing that is known of.

    What stands near it is as telling as how much is alike: two wordings may be of one question, while what is word for
    word the same but for one place is made to ask for something else there. It takes time in proportion to the length.
    """
    if a == b:
        return None
    shared = 0
    if min(len(a), len(b)) > LONG:
        start, end = _frame(a, b)
        shared = (start + end) // WORD
        a, b = a[start : len(a) - end], b[start : len(b) - end]
    if max(len(a), len(b)) > LONGEST:
        return "length"
    mine, theirs = Reading(a), Reading(b)
    return (
        _marks(mine, theirs)
        or _quoted(mine, b, theirs, a)
        or _denied(mine, theirs)
        or _opposed(mine, theirs)
        or _turned(mine, theirs)
        or _worded(mine, theirs, shared)
    )


def _frame(a: str, b: str) -> tuple[int, int]:
    """How many characters both begin, and end, with: whole sentences at the beginning, whole words at the end."""
    same = _common(a, b)
    start = max(a.rfind(mark, 0, same) + len(mark) if mark in a[:same] else 0 for mark in (". ", "? ", "! ", "\n"))
    tail = a[len(a) - _common(a[start:][::-1], b[start:][::-1]) :]
    _, space, words = tail.partition(" ")
    return start, len(space + words)


def _common(a: str, b: str) -> int:
    same, most = 0, min(len(a), len(b))
    while same < most:
        middle = (same + most + 1) // 2
        if a[same:middle] == b[same:middle]:
            same = middle
        else:
            most = middle - 1
    return same


def _marks(mine: Reading, theirs: Reading) -> str | None:
    if mine.numbers != theirs.numbers:
        return "number"
    if mine.times != theirs.times:
        return "time"
    if list(mine.units) != list(theirs.units):
        return "unit"
    if mine.signs != theirs.signs:
        return "sign"
    if any(name not in theirs.known for name in mine.names) or any(name not in mine.known for name in theirs.names):
        return "name"
    if mine.asked and theirs.asked and not mine.asked & theirs.asked:
        return "question"
    if mine.refused and theirs.refused and mine.refused != theirs.refused:
        return "negation"
    return None


def _quoted(mine: Reading, theirs_said: str, theirs: Reading, mine_said: str) -> str | None:
    for quotes, text in ((mine.quoted - theirs.quoted, theirs_said), (theirs.quoted - mine.quoted, mine_said)):
        if quotes:
            said = " ".join(text.casefold().split())
            if len(quotes) > MOST or any(quote not in said for quote in quotes):
                return "quote"
    return None


def _denied(mine: Reading, theirs: Reading) -> str | None:
    """As often, and not something that the other affirms."""
    if mine.denied.total() != theirs.denied.total():
        return "negation"
    for one, other in ((mine, theirs), (theirs, mine)):
        if any(word in other.content and word not in other.denied for word in one.denied if word):
            return "negation"
        if any(_turns(word, other) for word in one.content if word not in other.content):
            return "negation"
    return None


def _turns(word: str, other: Reading) -> bool:
    return any(word.startswith(prefix) and word[len(prefix) :] in other.content for prefix in PREFIXES)


def _opposed(mine: Reading, theirs: Reading) -> str | None:
    ours = {place for word in mine.known if word in OPPOSED for place in OPPOSED[word]}
    others = {place for word in theirs.known if word in OPPOSED for place in OPPOSED[word]}
    sides = dict(ours - others)
    if any(sides.get(line, side) != side for line, side in others - ours):
        return "opposite"
    return None


def _turned(mine: Reading, theirs: Reading) -> str | None:
    """From A to B is not from B to A."""
    for direction in mine.places.keys() & theirs.places.keys():
        ours, others = mine.places[direction], theirs.places[direction]
        if _swapped(ours - others, others - ours, mine.known, theirs.known):
            return "direction"
    moved = list(mine.content) != list(theirs.content) or _letters(mine) != _letters(theirs)
    if moved and mine.all != theirs.all and sorted(mine.all) == sorted(theirs.all):
        return "order"
    first, second = _persons(mine), _persons(theirs)
    if first != second and THIRD.intersection(first) and sorted(first) == sorted(second):
        return "order"
    return None


def _letters(reading: Reading) -> list[str]:
    """What may stand for something: f(a, b) is not f(b, a)."""
    return [word for word in reading.all if len(word) == 1]


def _persons(reading: Reading) -> list[str]:
    """Who is spoken of, in the order of their coming."""
    return list(dict.fromkeys(PERSONS[word] for word in reading.all if word in PERSONS))


def _swapped(ours: set[str], others: set[str], mine: set[str], theirs: set[str]) -> bool:
    few = len(ours) <= FEW >= len(others)
    return few and any(word in theirs for word in ours) and any(word in mine for word in others)


def _worded(mine: Reading, theirs: Reading, framed: int) -> str | None:
    """Whether all says the same, or it is another wording, of which the vectors judge."""
    left, right = _left(mine, theirs), _left(theirs, mine)
    shared = len(mine.content) - left.words + framed
    if not left.words and not right.words:
        if shared >= FRAME and _doing(mine) != _doing(theirs):
            return "wording"
        return None if shared or mine.numbers or mine.all == theirs.all else "wording"
    fewer, more = sorted((left.words, right.words))
    if shared > SAME * (shared + more):
        return "wording"
    moved = left.order != right.order
    if fewer:
        scattered = min(left.spots, right.spots) > 1
        return None if (scattered or moved) and (fewer > 1 or shared >= 4) else "wording"
    return None if moved and shared >= 5 else "wording"


def _doing(reading: Reading) -> list[str]:
    """The verbs behind what the text is about: they say little where one asks for something, and much where it does."""
    pairs = zip(reading.all, map(stem, reading.all), reading.all[1:], strict=False)
    return sorted(
        stem(verb) for word, root, verb in pairs if stem(verb) in DOING and {word, root} & reading.content.keys()
    )


class _Left(NamedTuple):
    """What of a text is not in the other."""

    words: int
    spots: int
    """How many places such words stand at."""
    order: list[str]
    """The words of both, as they come."""


def _left(mine: Reading, theirs: Reading) -> _Left:
    words = spots = 0
    order: list[str] = []
    fresh = True
    for word in mine.content:
        if word in theirs.content:
            order.append(word)
            fresh = True
        else:
            words += 1
            spots += fresh
            fresh = False
    return _Left(words, spots, order)
