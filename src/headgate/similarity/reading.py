"""What an answer depends on in a question: its numbers, names, times, denials, and the words that say much."""

from __future__ import annotations

import re
from collections import Counter

from headgate.similarity import words as known
from headgate.similarity.words import stem

APART = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
)
"""Scripts without spaces between words: each letter is one."""
LETTER = rf"[^\W{APART}]"
TOKENS = re.compile(
    rf"""
    (?P<address>https?://[^\s<>"')\]]+|[\w.+-]{{1,64}}@[\w-]{{1,63}}(?:\.[\w-]{{1,63}})+)
  | (?P<number>(?:(?<![\w).])[-\u2212])?\d+(?:[.,:/]\d+)*)(?P<behind>%|\u00b0[CF]?(?!\w)|[^\W\d_{APART}]*)(?!\w)
  | (?P<word>{LETTER}+(?:['\u2019]{LETTER}+|\.{LETTER}+)*(?:\+\+|\#(?!\w))?)
  | (?P<letter>[{APART}])
  | (?P<unit>[%$\u20ac\u00a3\u00a5\u20b9]|\u00b0(?:[CF](?!\w))?)
  | (?P<sign>[+*<>=^\u00d7\u00f7&|~\u2190-\u22ff\u2600-\u27bf\U0001f000-\U0001faff]|(?<=\d)\s[-/\u2212]\s(?=\d))
  | (?P<end>[.!?:;\n\u2022()\[\]"\u201c\u201d])
    """,
    re.VERBOSE,
)
QUOTED = re.compile(
    '"([^"]+)"|\u201c([^\u201c\u201d]+)\u201d|\u00ab([^\u00ab\u00bb]+)\u00bb|\u201e([^\u201c\u201d\u201e]+)[\u201c\u201d]'
    r"|`([^`]+)`|(?<!\w)['\u2018]([^'\u2018\u2019\n]+)['\u2019](?!\w)"
)
THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?\Z")
POINTED = re.compile(r"\d{1,3}(?:\.\d{3})+,\d+\Z|\d{1,3}(?:\.\d{3}){2,}\Z")
"""Thousands as others write them."""
ANSWERED = re.compile(r"\s*(?:no|yes|nein|ja|non|oui|s\u00ed)\s*[,.;:\u2013-]", re.IGNORECASE)
"""A text that begins with it says it once more."""
PLAIN = re.compile(r"\d{1,12}(?:\.\d{1,6})?\Z")


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _first(text: str) -> dict[str, str]:
    """What each word of a group is called."""
    return {word: group.split(",")[0] for group in text.split() for word in group.split(",")}


LITTLE = _set(known.LITTLE) | {stem(word) for word in known.LITTLE.split() if not word.endswith("ly")}
DENIAL = "n't"
NEGATIONS = _set(known.NEGATIONS) | {DENIAL}
MODALS, WHETHER = _set(known.MODALS), _set(known.WHETHER)
ASKED, AMOUNTS, DIRECTIONS = _set(known.ASKED), _set(known.AMOUNTS), _set(known.DIRECTIONS)
NUMBERS = {word: int(group.split(":")[0]) for group in known.NUMBERS.split() for word in group.split(":")[1].split(",")}
UNITS = _first(known.UNITS)
MEASURES = _set(known.MEASURES)
TIMES = _first(known.MONTHS)
DOUBTFUL = _set(known.DOUBTFUL)


def _sides() -> dict[str, set[tuple[int, int]]]:
    """The line, and the side of it, that each word stands on."""
    found: dict[str, set[tuple[int, int]]] = {}
    for line, sides in enumerate(known.OPPOSED.strip().split("\n")):
        for side, words in enumerate(sides.split("|")):
            for word in words.split():
                found.setdefault(word, set()).add((line, side))
    return found


OPPOSED = _sides()
MANY = frozenset(("many", "a", "an", "per"))
"""Before a unit they count like figures."""
PERSONS = _first(known.PERSONS)


class Reading:
    """A text, read once, in time in proportion to its length."""

    def __init__(self, text: str) -> None:
        self.all: list[str] = []
        """Its words in their order, in small letters; figures are among them as they are written."""
        self.content: dict[str, None] = {}
        """The stems of words that say much, and are nothing of what follows, in their order."""
        self.numbers: list[str] = []
        self.units: dict[str, None] = {}
        """In their order: grams in an ounce are not ounces in a gram."""
        self.times: set[str] = set()
        self.names: set[str] = set()
        self.signs: list[str] = []
        """In their order: of arithmetic, and pictures."""
        self.denied: Counter[str] = Counter()
        """How often, by the stem of the word that comes next."""
        self.refused: set[str] = set()
        """What will not, or cannot, be."""
        self.asked: set[str] = set()
        self.places: dict[str, set[str]] = {}
        """By a direction, the words right behind it."""
        self.quoted = {" ".join(each.casefold().split()) for found in QUOTED.findall(text) for each in found if each}
        self._shouted = sum(map(str.isupper, text[:1000])) > sum(map(str.islower, text[:1000]))
        self._counting = _Counting(self.numbers)
        self._direction = self._denial = ""
        self._fresh, self._figure = True, False
        begun = ANSWERED.match(text)
        for match in TOKENS.finditer(text, begun.end() if begun else 0):
            self._take(match)
        self._counting.end()
        self.denied[""] += bool(self._denial)
        self.known = {*self.all, *map(stem, self.all)}

    def _take(self, match: re.Match[str]) -> None:
        kind, text = match.lastgroup, match[0]
        if kind == "end":
            self._fresh, self._direction = True, ""
            return
        if kind == "behind":
            self._number(match["number"], match["behind"].casefold())
        elif kind == "word":
            for part in _parts(text):
                self._word(part)
        elif kind == "sign":
            self.signs.append(text.strip())
        elif kind == "unit":
            self.units.setdefault(UNITS[text.casefold()])
        else:
            self.all.append(text.casefold())
            self._say(text.casefold())
            if kind == "address":
                self.names.add(text.casefold())
        self._fresh = False

    def _number(self, figures: str, behind: str) -> None:
        self.all.append(figures)
        value = _value(figures)
        if behind in known.BEHIND and value.isdigit():
            value, behind = str(int(value) * known.BEHIND[behind]), ""
        self._counting.figures(value)
        self._behind(figures)
        self._figure = True
        if behind and behind not in ("st", "nd", "rd", "th"):
            self.all.append(behind)
            self.units.setdefault(UNITS.get(behind, behind))

    def _word(self, part: str) -> None:
        word, figure = part.casefold(), self._figure
        self.all.append(word)
        if word != DENIAL:
            self._named(part, word)
        self._figure = self._counting.word(word)
        time = TIMES.get(word)
        unit = UNITS.get(word) or UNITS.get(stem(word))
        counted = figure or (len(self.all) > 1 and self.all[-2] in MANY)
        if time and (figure or word not in DOUBTFUL or (part[0].isupper() and not self._fresh)):
            self.times.add(time)
            self._behind(word)
        elif unit and (counted or (unit in MEASURES and len(word) > 1)):
            self.units.setdefault(unit)
            self._behind(word)
        elif self._figure:
            self._behind(word)
        else:
            self._meaning(word)
        self._fresh = False

    def _named(self, part: str, word: str) -> None:
        """A name has capitals, but for those that a sentence begins with, or what is in no plain word."""
        strange = not part.replace("-", "").isalpha()
        capitals = 0 if self._shouted else sum(map(str.isupper, part))
        within = capitals > part[0].isupper()
        if strange or within or (capitals and not self._fresh and word not in LITTLE and len(word) > 1):
            self.names.add(word)

    def _meaning(self, word: str) -> None:
        before = self.all[-2] if len(self.all) > 1 else ""
        if word in NEGATIONS:
            self.denied[""] += bool(self._denial)
            self._denial = word
            if before in MODALS:
                self.refused.add(before)
        elif word in DIRECTIONS:
            self._direction = word
        elif word in ASKED or (word in AMOUNTS and before == "how"):
            self.asked.add(word)
            self.asked.discard("how")
        elif word == "how":
            self.asked.add(word)
        elif (word in WHETHER and not before) or (word == "you" and len(self.all) == 2):
            self.asked ^= {"whether"}
        elif word not in LITTLE:
            self._say(word)

    def _say(self, word: str) -> None:
        found = stem(word)
        if found not in LITTLE:
            self.content.setdefault(found)
            self._behind(found)

    def _behind(self, found: str) -> None:
        if self._direction:
            self.places.setdefault(self._direction, set()).add(found)
            self._direction = ""
        if self._denial:
            self.denied[found] += 1
            self._denial = ""


class _Counting:
    """Puts numbers in words together: two thousand and five, 3 million."""

    def __init__(self, numbers: list[str]) -> None:
        self._numbers = numbers
        self._figures = ""
        self._whole = self._part = 0
        self._under_way = False

    def figures(self, value: str) -> None:
        self.end()
        self._figures = value

    def word(self, word: str) -> bool:
        """Whether it is part of a number."""
        value = NUMBERS.get(word)
        if value is None:
            if word == "one" and self._under_way and self._fits(1):
                self._part += 1
                return True
            if word != "and":
                self.end()
            return False
        if self._figures:
            if value >= 100 and PLAIN.match(self._figures):
                self._numbers.append(f"{float(self._figures) * value:.0f}")
                self._figures = ""
                return True
            self.end()
        if value >= 1000:
            self._whole, self._part = self._whole + max(self._part, 1) * value, 0
        elif value == 100 and self._part < 100:
            self._part = max(self._part, 1) * 100
        else:
            if not self._fits(value):
                self.end()
            self._part += value
        self._under_way = True
        return True

    def _fits(self, value: int) -> bool:
        """Whether the number goes on with it: twenty five, and not five twenty."""
        rest = self._part % 100
        return not self._under_way or (value < 100 and (not rest or (value < 10 <= 20 <= rest and not rest % 10)))

    def end(self) -> None:
        if self._figures:
            self._numbers.append(self._figures)
        elif self._under_way:
            self._numbers.append(str(self._whole + self._part))
        self._figures, self._whole, self._part, self._under_way = "", 0, 0, False


def _value(figures: str) -> str:
    """One way to write it. Zeros at the end stay: 3.1 and 3.10 may be versions."""
    figures = figures.replace("\u2212", "-")
    if THOUSANDS.match(figures.lstrip("-")):
        return figures.replace(",", "")
    if POINTED.match(figures.lstrip("-")):
        return figures.replace(".", "").replace(",", ".")
    if ":" in figures:
        return ":".join(part.lstrip("0") or "0" for part in figures.split(":"))
    return figures


def _parts(text: str) -> list[str]:
    """`don't` is two words; of others only what stands before the apostrophe says something."""
    text = text.replace("\u2019", "'")
    if "'" not in text:
        return [text.replace(".", "")] if len(text.replace(".", "")) == text.count(".") + 1 else [text]
    before, after = text.split("'", 1)
    if before.endswith("n") and after.casefold() == "t":
        before = {"ca": "can", "wo": "will", "sha": "shall"}.get(before[:-1].casefold(), before[:-1])
        return [before, DENIAL] if before else [DENIAL]
    return [before] if after.casefold() in ("s", "re", "ve", "ll", "d", "m", "") else [before, after]
