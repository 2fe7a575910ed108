"""What stands for what in one request: surrogates that others are shown, and what they stand for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple, Protocol

from headgate.core.kept_vault import Known
from headgate.core.made_up import LENGTH, MOST, made_up, parts

LABEL = 20
"""Letters of a category that stand in a surrogate."""
LONGEST = 2 * LABEL
"""Characters before its number that may belong to one, however it is written."""
HELD = LONGEST + 8
"""Characters that one takes at most, as far as it is not over."""
NUMBERED = re.compile(r"\\?[_ -](\d{1,6})(?!\d)")
ANY_NUMBER = re.compile(r"\\?[_ -](\d{1,6})")
CLOSED = re.compile(r"(['\u2019]?[sS]?)(>|\\>|&gt;|%3[Ee])")
AROUND = {"<": (">",), "\\<": ("\\>", ">"), "&lt;": ("&gt;",), "%3C": ("%3E", "%3e"), "%3c": ("%3E", "%3e")}
"""How models write brackets: in Markdown, in HTML, in URLs."""
OPEN = re.compile(r"(?:\\?<|\\|&(?:l(?:t;?)?)?|%(?:3[Cc]?)?)?")
REST = re.compile(r"[\\_ -]{0,2}\d{0,6}['\u2019sS]{0,2}(?:\\|&g?t?|%3?)?\Z")
PLAIN = str.maketrans({"\\": None, " ": "_", "-": "_"})


class Met(NamedTuple):
    """A surrogate in a text, with what belongs to it."""

    start: int
    end: int
    value: str


class Wanted(NamedTuple):
    """A value that is to be hidden."""

    category: str
    value: str
    make: bool = False
    """Something like it is to stand in its place."""


class Session(Protocol):
    """Where a vault is kept for the requests that belong together."""

    telling: bool
    """It is to be told what answers are called although nothing has been hidden."""

    async def assign(self, vault: Vault, wanted: Sequence[Wanted], taken: Taken) -> None:
        """Have each value stand in the vault with a surrogate that no other request of the session has for another.

        Raises VaultAway: none of them that is new has one then."""

    async def answered(self, id: str) -> None:
        """Whoever names this answer goes on with the session. Never fails."""


class Vault:
    """One request's. It is written nowhere, unless it has a session.

    Surrogates are numbered as their values come, so that a client that sends its history again, to whichever worker,
    has the same ones again.
    """

    __slots__ = (
        "_begun_so", "_made", "_pattern", "aimed", "first", "general", "labels", "made", "numbers", "parts", "past",
        "session", "settled", "values",
    )  # fmt: skip

    def __init__(self, first: int = 1, session: Session | None = None) -> None:
        """`first`: number of each category."""
        self.first = first
        self.session = session
        self.past: Mapping[str, str] = {}
        """Values of earlier requests of the session, and what stands for them."""
        self.settled = False
        """What every target is asked has been looked at for what is hidden."""
        self.values: dict[tuple[str, int], str] = {}
        self.numbers: dict[str, str] = {}
        """The other way round: of each value its surrogate."""
        self.made: dict[str, str] = {}
        """Values that are made up, in small letters, and what they stand for."""
        self.parts: dict[str, str] = {}
        """The same of names in a name, in whole words."""
        self._made: dict[str, int] = {}
        """The next of each kind."""
        self._pattern: re.Pattern[str] | None = None
        self._begun_so: set[str] | None = None
        self.labels: dict[str, int] = {}
        """The last number of each."""
        self.general = False
        """Some stand in what every target is asked."""
        self.aimed = False
        """What depends on the target has been looked at."""

    def surrogate(self, category: str, value: str, taken: Taken, *, make: bool = False) -> str:
        """What stands for a value; the same for the same one, whatever it is found to be. `make`: one like it, where
        there is any."""
        if value not in self.numbers:
            likely = make and self.first == 1  # else another may have been told it before
            made = self._make(category, value, taken) if likely else None
            self.numbers[value] = made or self._label(category, value, taken)
        return self.numbers[value]

    def _label(self, category: str, value: str, taken: Taken) -> str:
        label = label_of(category)
        number, there = self.labels.get(label, self.first - 1) + 1, taken.of(label)
        while str(number) in there:
            number += 1
        self.labels[label], self.values[label, number] = number, value
        return f"<{label}_{number}>"

    def _make(self, category: str, value: str, taken: Taken) -> str | None:
        for name, part in self.parts.items():  # somebody who has been named in full
            if part == value and name.lower() not in self.made:
                return self._like(name, value)
        for number in range(self._made.get(category, 0), MOST):
            made = made_up(category, value, number)
            if made is None:
                return None
            called = parts(category, made, value)
            if made.lower() in self.made or taken.says(made) or any(map(taken.says, called)):
                continue
            self._made[category] = number + 1
            self.parts |= called
            return self._like(made, value)
        return None

    def _like(self, made: str, value: str) -> str:
        self.made[made.lower()], self._pattern, self._begun_so = value, None, None
        return made

    def learn(self, known: Iterable[Known]) -> None:
        """What stands for what from here on."""
        for value, said, category in known:
            self.numbers[value] = said
            number = _number(category, said)
            if number:
                label = label_of(category)
                self.values[label, number] = value
                self.labels[label] = max(number, self.labels.get(label, 0))
            else:
                self._like(said, value)
                self.parts |= parts(category, said, value)

    def forget(self, known: Iterable[Known]) -> None:
        """Take it back. Numbers that were given are not given again."""
        for value, said, category in known:
            del self.numbers[value]
            number = _number(category, said)
            if number:
                del self.values[label_of(category), number]
            else:
                del self.made[said.lower()]
                self._pattern = self._begun_so = None
                for name in parts(category, said, value):
                    self.parts.pop(name, None)

    def part(self, first: int) -> None:
        """Go on without the session, and take numbers from `first` on, which nobody has."""
        self.session, self.first = None, first
        self.labels = {label: max(number, first - 1) for label, number in self.labels.items()}

    def met(self, text: str) -> list[Met]:
        """The surrogates in a text, as far as models have left them to be known."""
        found = list(self._numbered(text)) if self.labels else []
        if self.made:
            for match in self._written().finditer(text):
                said = match[0]
                value = self.parts.get(said) if match.lastgroup == "part" else self.made.get(said.lower())
                if value is not None:
                    found.append(Met(*match.span(), value))
        return found

    def _written(self) -> re.Pattern[str]:
        if self._pattern is None:
            made, called = _either(self.made), _either(self.parts)
            part = rf"|\b(?P<part>{called})\b" if called else ""
            self._pattern = re.compile(f"(?i:{made}){part}")
        return self._pattern

    def _numbered(self, text: str) -> Iterator[Met]:
        at = 0
        for number in NUMBERED.finditer(text):
            if number.start() < at:
                continue
            tail = text[max(number.start() - LONGEST, at) : number.start()]
            for label in self.labels:
                found = tail[-1:].upper() == label[-1] and _spelt(label).search(tail)
                value = self.values.get((label, int(number[1]))) if found else None
                if not found or value is None:
                    continue
                begin = number.start() - len(tail) + found.start()
                one = _met(text, begin, number, found[1] or "", label, value)
                if one is not None:
                    at = one.end
                    yield one
                    break

    def clear(self, text: str) -> int:
        """Up to where no surrogate may begin that is not over."""
        if not self.made:
            return self._clear(text)
        low, begun = text[-LENGTH:].lower(), self._beginnings()
        for size in range(len(low), 0, -1):
            if low[-size:] in begun:
                return min(self._clear(text), len(text) - size)
        return self._clear(text)

    def _beginnings(self) -> set[str]:
        """How something made up may begin."""
        if self._begun_so is None:
            every = (*self.made, *map(str.lower, self.parts))
            self._begun_so = {each[:size] for each in every for size in range(1, len(each) + 1)}
        return self._begun_so

    def _clear(self, text: str) -> int:
        if not self.labels:
            return len(text)
        for at in range(max(len(text) - HELD, 0), len(text)):
            letter = text[at]
            if letter in "<\\&%":
                opened = OPEN.match(text, at)
                rest = text[opened.end() if opened else at :]
            elif letter.isupper() and not _inner(text[at - 1 : at]):
                rest = text[at:]
            else:
                continue
            if self._begun(rest):
                return at
        return len(text)

    def _begun(self, rest: str) -> bool:
        """Whether a surrogate may go on so."""
        plain = rest.translate(PLAIN).upper()
        for label in self.labels:
            if label.startswith(plain):
                return True
            if plain.startswith(label):
                sizes = range(len(label), len(rest) + 1)
                size = next((size for size in sizes if _same(rest[:size], label)), None)  # none of "Straße"
                if size is not None and REST.match(rest, size):
                    return True
        return False


class Taken:
    """What in some texts looks like a surrogate and is none: these are not given to anything."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts
        self._seen: list[tuple[str, str]] | None = None
        self._of: dict[str, set[str]] = {}
        self._low = ""

    def says(self, words: str) -> bool:
        """Whether they stand in any of the texts, in whatever letters."""
        self._low = self._low or "\n".join(self._texts).lower()
        return words.lower() in self._low

    def holds(self, value: str) -> bool:
        """Whether it stands in any of them, as it is."""
        return any(value in text for text in self._texts)

    def of(self, label: str) -> set[str]:
        """The numbers that stand behind a label, or could when something behind them is taken away."""
        if self._seen is None:
            self._seen = [
                (text[max(each.start() - LONGEST, 0) : each.start()].translate(PLAIN).upper(), each[1])
                for text in self._texts
                for each in ANY_NUMBER.finditer(text)
            ]
        found = self._of.get(label)
        if found is None:
            seen = [digits for before, digits in self._seen if before.endswith(label)]
            found = self._of[label] = {digits[:size] for digits in seen for size in range(1, len(digits) + 1)}
        return found


@lru_cache(1024)
def label_of(category: str) -> str:
    """A category as it stands in surrogates."""
    said = re.sub(r"[^A-Za-z0-9]+", "_", category).strip("_").upper()[:LABEL].strip("_")
    return said if said[:1].isalpha() else f"V{said}"


def _number(category: str, said: str) -> int:
    """Of a surrogate with one; else 0."""
    start = f"<{label_of(category)}_"
    return int(said[len(start) : -1]) if said.startswith(start) else 0


def _either(words: Iterable[str]) -> str:
    return "|".join(map(re.escape, sorted(words, key=len, reverse=True)))


@lru_cache(1024)
def _spelt(label: str) -> re.Pattern[str]:
    """A label at the end of a text, as models write it."""
    said = r"\\?[_ -]".join(map(re.escape, label.split("_")))
    return re.compile(rf"(\\<|<|&lt;|%3[Cc])?{said}\Z", re.IGNORECASE)


def _met(text: str, begin: int, number: re.Match[str], opening: str, label: str, value: str) -> Met | None:
    """With its brackets; or without, where it is written as it was."""
    closed = CLOSED.match(text, number.end()) if opening else None
    if closed is not None:
        ending = closed[2]
        if ending in AROUND[opening]:
            if opening == "\\<" and ending == ">":  # the backslash is somebody's own
                begin += 1
            return Met(begin, closed.end(), value + closed[1])
    bare = begin + len(opening)
    if text[bare : number.end()].replace("\\", "") == f"{label}_{number[1]}" and not _inner(text[bare - 1 : bare]):
        return None if _inner(text[number.end() : number.end() + 1]) else Met(bare, number.end(), value)
    return None


def _inner(letter: str) -> bool:
    return letter.isalnum() or letter == "_"


def _same(text: str, label: str) -> bool:
    return text.translate(PLAIN).upper() == label
