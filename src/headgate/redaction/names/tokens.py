"""Parts a text into words, and says which may be part of a name or an address: few, and only these are weighed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence


def _words(said: str) -> frozenset[str]:
    return frozenset(said.split())


WORD = re.compile(r"\w+|\n|[^\w\s]")
"""Every character but spaces is in one."""
JOINING = _words("""
of the and de la las los le les du des da do dos das di del della dei van von der den zu zum zur am im an y e et i
und en el al bin ibn st s d l c o a n nº no nr núm num esc piso pta bl port apto planta km dcha izq interior
""") | frozenset(",.-\u2013'\u2019/&#\n:ºª")
"""Stand within names and addresses."""
NOTHING, PART, NAME = range(3)
"""What a word is taken for before it is weighed; a part is weighed beside what may be a name."""
CUES = _words("""
name names named called dear hi hello hey llamo llama heiße heisse heet chiamo chamo mr mrs ms dr user customer
client patient employee contact signed sincerely regards from Name Dear Hi Hello Hey Contact From Regards Customer
Patient
""")
"""After these, names are looked for that are written small."""
SKIPPED = _words("""
is : - m , = the a to my our of and '
""")
"""Stand between a cue and a name."""
GAP = 3
"""So many words that may be part of a name are weighed with what is beside them."""
NEAR, BEHIND = 4, 9
"""Words between the number of a house and the word for a street, and behind that word in the address."""


class Lexicon:
    """What is known of words by themselves, each written small: letters of `flags` say what it may be."""

    def __init__(self, flags: Mapping[str, str]) -> None:
        """`g` given name, `s` surname, `c` town, `l` land, `r` street, `o` organisation, `t` title, `k` product or
        abbreviation, `m` month or day, `p` plain word."""
        self.flags = flags
        self._small = {word: NAME for word, some in flags.items() if "g" in some and "p" not in some}
        self._small |= dict.fromkeys(JOINING, PART)
        roads = [word for word, some in flags.items() if "r" in some and word not in JOINING]
        self._roads = frozenset(roads + [word.capitalize() for word in roads])

    def spans(self, words: Sequence[str]) -> list[tuple[int, int]]:
        """Where in the words something is to be weighed."""
        known = dict.fromkeys(words, NOTHING)
        known |= {word: self._sort(word) for word in known if not "a" <= word[0] <= "z"}
        for word in self._small.keys() & known.keys():
            known[word] = self._small[word]
        sorts = [known[word] for word in words]
        strong = self._streets(words, sorts) if not self._roads.isdisjoint(known) else []
        strong += [place for place, sort in enumerate(sorts) if sort == NAME]
        if not CUES.isdisjoint(known):
            strong += self._after_cues(words, sorts)
        return _spans(sorts, sorted(set(strong)))

    def _sort(self, word: str) -> int:
        """Of a word that does not begin with a small letter of ASCII."""
        first = word[0]
        if first.isupper():
            return PART if len(word) > 1 and self.flags.get(word.lower(), "") == "p" else NAME
        return PART if first.isdigit() else NOTHING

    def _streets(self, words: Sequence[str], sorts: list[int]) -> list[int]:
        """Streets written small with the number of a house near them, and what stands between.

        What follows the word for a street is part of its name.
        """
        found: list[int] = []
        for place, word in enumerate(words):
            if word not in self._roads:
                continue
            near = range(max(place - NEAR, 0), min(place + NEAR + 1, len(words)))
            numbers = [other for other in near if words[other][0].isdigit()]
            for other in numbers:
                found += range(min(place, other), max(place, other) + 1)
            if numbers or not word.islower():
                for other in range(place + 1, min(place + BEHIND, len(words))):
                    if words[other] == "\n" or (not sorts[other] and not words[other].isalpha()):
                        break
                    sorts[other] = sorts[other] or PART
        return found

    def _after_cues(self, words: Sequence[str], sorts: Sequence[int]) -> list[int]:
        found: list[int] = []
        for place, word in enumerate(words):
            if word not in CUES:
                continue
            at = place + 1
            while at < min(len(words), place + 3) and words[at] in SKIPPED:
                at += 1
            for other in range(at, min(at + 2, len(words))):
                if (
                    not words[other].isalpha()
                    or "p" in self.flags.get(words[other].lower(), "")
                    or sorts[other] == PART
                ):
                    break
                found.append(other)
        return found


def _spans(sorts: Sequence[int], strong: Sequence[int]) -> list[tuple[int, int]]:
    """Each with what may belong to it on both sides; those that touch are one."""
    spans: list[tuple[int, int]] = []
    for place in strong:
        start, end = place, place + 1
        last = spans[-1][1] if spans else 0
        while start > last and place - start < GAP and sorts[start - 1] == PART:
            start -= 1
        while end < len(sorts) and end - place <= GAP and sorts[end] == PART:
            end += 1
        if spans and start <= last:
            spans[-1] = (spans[-1][0], max(end, last))
        else:
            spans.append((start, end))
    return spans
