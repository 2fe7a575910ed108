"""Takes secrets and personal data out of texts and out of JSON, whatever they stand in."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
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
NUMBER = 9
"""Digits from which on a number may be somebody's."""


class Found(NamedTuple):
    """Where something is, in bytes of the text's UTF-8."""

    start: int
    end: int
    kind: str


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

    def text(self, text: str, counts: Counter[str]) -> str:
        """The text with `[KIND]` in place of what was found, which is counted."""
        if len(text) < SHORTEST:
            return text
        data = text.encode("utf-8", "surrogatepass")
        parts: list[bytes] = []
        at = 0
        for start, end, kind in self.find(data):
            parts += (data[at:start], mark(kind).encode())
            at = end
            counts[kind] += 1
        if not parts:
            return text
        return b"".join((*parts, data[at:])).decode("utf-8", "surrogatepass")

    def value(self, value: Any, counts: Counter[str], depth: int = DEEPEST) -> Any:
        """Decoded JSON, the names of fields with it."""
        if isinstance(value, str):
            return self._inner(value, counts, depth)
        if isinstance(value, dict):
            return {self.text(name, counts): self._named(name, inner, counts, depth) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.value(inner, counts, depth) for inner in value]
        if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**NUMBER:
            said = str(value)
            told = self.text(said, counts)
            return value if told == said else told
        return value

    def _named(self, name: str, value: Any, counts: Counter[str], depth: int) -> Any:
        if isinstance(value, str) and len(value) >= SHORTEST and CALLED.match(name):
            counts["secret"] += 1
            return mark("secret")
        return self.value(value, counts, depth)

    def _inner(self, text: str, counts: Counter[str], depth: int) -> str:
        """A text, which may be JSON itself."""
        if depth and text[:1] in ("{", "[") and text[-1:] in ("}", "]"):
            try:
                inner = msgspec.json.decode(text)
            except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
                return self.text(text, counts)
            told = self.value(inner, counts, depth - 1)
            return text if told == inner else msgspec.json.encode(told).decode()
        return self.text(text, counts)


def mark(kind: str) -> str:
    return f"[{kind.upper()}]"


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
