"""Takes secrets and personal data out of texts and out of JSON, whatever they stand in."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import msgspec

from headgate.redaction.patterns import NAMED, PATTERNS, Pattern

PACKAGE = "re2"
CALLED = re.compile(rf"(?:x-)?(?:{NAMED}|authorization|pwd|bearer)\Z", re.IGNORECASE)
"""Names of fields whose text is a secret, whatever it looks like."""
SHORTEST = 5
"""Characters of what can be found."""
DEEPEST = 4
"""JSON inside a text of JSON, as arguments of tools are."""
MEMORY = 128 << 20
"""Bytes that the automaton may take; it is made as far as texts need it."""
WINDOW, OVERLAP = 4096, 512
"""Bytes that are looked through at a time, and of them again: nothing that a check is for is longer."""
NUMERIC = re.compile(r"[+(]?\d[\d ().-]{5,30}\Z")
"""What may be a number of somebody's, which only the name of its field tells."""
WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])|[_-]")
"""Between the words of such a name."""
NUMBER = 9
"""Digits from which on a number may be somebody's."""


class Found(NamedTuple):
    """Where something is, in bytes of the text's UTF-8."""

    start: int
    end: int
    kind: str


class Room:
    """How many characters more are kept; nothing is looked for in others, which are left out."""

    def __init__(self, left: int, full: Callable[[], object]) -> None:
        """`full` is called, once, when something is left out."""
        self.left = left
        self._full: Callable[[], object] | None = full

    def take(self, count: int) -> int:
        """How many of so many there is room for."""
        taken = min(count, self.left)
        self.left -= taken
        if taken < count and self._full is not None:
            self._full()
            self._full = None
        return taken


class Redactor:
    """One automaton says which patterns occur; only these are then looked for. Both take time in proportion to the
    text, whatever it is (RE2)."""

    def __init__(self, kinds: Collection[str] | None = None, patterns: Sequence[Pattern] = PATTERNS) -> None:
        """`kinds`: only these."""
        self.patterns = [each for each in patterns if kinds is None or each.kind in kinds]

    @cached_property
    def _compiled(self) -> tuple[Any, list[Any]]:
        import re2

        options = re2.Options()
        options.max_mem = MEMORY
        gate = re2.Set.SearchSet(options)
        gate.Add("")  # is in every text: where it is not found, the automaton has failed
        for each in self.patterns:
            gate.Add(each.expression)
        gate.Compile()
        return gate, [re2.compile(each.expression, options) for each in self.patterns]

    def find(self, data: bytes) -> list[Found]:
        """What is in a text, in order; of two that overlap the earlier, the longer, the first of `patterns`."""
        gate, expressions = self._compiled
        hit = gate.Match(data)
        places = sorted(place - 1 for place in hit if place) if hit else range(len(expressions))
        found = [each for place in places for each in _matches(data, self.patterns[place], expressions[place])]
        found.sort(key=lambda each: (each.start, -each.end))
        kept: list[Found] = []
        for each in found:
            if not kept or each.start >= kept[-1].end:
                kept.append(each)
        return kept

    def text(self, text: str, counts: Counter[str], room: Room | None = None) -> str:
        """The text with `[KIND]` in place of what was found, which is counted."""
        most = len(text) if room is None else room.take(len(text))
        if most < SHORTEST:
            return text[:most]
        data = text[: most + OVERLAP].encode("utf-8", "surrogatepass")
        end = len(data) if most == len(text) else len(text[:most].encode("utf-8", "surrogatepass"))
        parts: list[bytes] = []
        at = 0
        for start, stop, kind in self.find(data):
            if start >= end:
                break
            parts += (data[at:start], mark(kind).encode())
            at = stop
            counts[kind] += 1
        if not parts:
            return text[:most]
        return b"".join((*parts, data[at:end])).decode("utf-8", "surrogatepass")

    def value(self, value: Any, counts: Counter[str], depth: int = DEEPEST, room: Room | None = None) -> Any:
        """Decoded JSON, the names of fields with it."""
        if isinstance(value, str):
            return self._inner(value, counts, depth, room)
        if isinstance(value, dict):
            return {
                self.text(name, counts, room): self._named(name, inner, counts, depth, room)
                for name, inner in _fitting(value.items(), room)
            }
        if isinstance(value, list):
            return [self.value(inner, counts, depth, room) for inner in _fitting(value, room)]
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**NUMBER:
            said = str(value)
            told = self.text(said, counts)
            return value if told == said else told
        return value

    def _named(self, name: str, value: Any, counts: Counter[str], depth: int, room: Room | None) -> Any:
        """What stands in a field, of which the name may tell what it is."""
        said = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if isinstance(said, str):
            if len(said) >= SHORTEST and CALLED.match(name):
                counts["secret"] += 1
                return mark("secret")
            if NUMERIC.match(said):
                before = f"{WORDS.sub(' ', name)}: "
                told = self.text(before + said, found := Counter[str]())
                if told.startswith(before) and found:
                    counts.update(found)
                    return told.removeprefix(before)
        return self.value(value, counts, depth, room)

    def _inner(self, text: str, counts: Counter[str], depth: int, room: Room | None) -> str:
        """A text, which may be JSON itself."""
        if depth and text[:1] in ("{", "[") and text[-1:] in ("}", "]"):
            try:
                inner = msgspec.json.decode(text)
            except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
                return self.text(text, counts, room)
            told = self.value(inner, counts, depth - 1, room)
            return text if told == inner else msgspec.json.encode(told).decode()
        return self.text(text, counts, room)


def mark(kind: str) -> str:
    return f"[{kind.upper()}]"


def _fitting(values: Iterable[Any], room: Room | None) -> Iterator[Any]:
    """Those that there is room for."""
    for value in values:
        if room is not None and not room.left:
            room.take(1)
            return
        yield value


def _matches(data: bytes, pattern: Pattern, expression: Any) -> Iterator[Found]:
    at = 0
    while match := _next(expression, data, at, WINDOW if pattern.check is not None else len(data)):
        start, end = match.span(1 if match.re.groups else 0)
        if pattern.check is not None:
            end = pattern.check(data, start, end)
        if end > start:
            yield Found(start, end, pattern.kind)
            at = end
        else:
            at = start + 1


def _next(expression: Any, data: bytes, at: int, window: int) -> Any:
    """The first match behind a place. One costs time by how much text there is, and a check may refuse thousands."""
    while True:
        stop = min(at + window, len(data))
        match = expression.search(data, at, stop)
        if match is not None:
            return match if match.end() < stop or stop == len(data) else expression.search(data, match.start())
        if stop == len(data):
            return None
        at = stop - OVERLAP
