"""Takes secrets and personal data out of texts and out of JSON, whatever they stand in."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec

from headgate.redaction.finder import Finder, Found, together
from headgate.redaction.kinds import chosen, names
from headgate.redaction.labels import NAMED
from headgate.redaction.names.found import Finder as Names

CALLED = re.compile(rf"(?:x-)?(?:{NAMED}|authorization|pwd|bearer)\Z", re.IGNORECASE)
"""Names of fields whose text is a secret, whatever it looks like."""
SHORTEST = 5
"""Characters of what can be found."""
DEEPEST = 4
"""JSON inside a text of JSON, as arguments of tools are."""
OVERLAP = 512
"""Bytes behind what is kept that are looked at, so that nothing is cut through: few things are longer."""
FIELD = 64
"""Characters up to which the name of a field may tell what its text is."""
WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])|[_-]")
"""Between the words of such a name."""
NUMBER = 9
"""Digits from which on a number may be somebody's."""


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
    """Takes out what a finder finds."""

    def __init__(self, finder: Finder | None = None, also: Names | None = None) -> None:
        """`finder`: everything that is in the packs and not optional, unless it is said; `also`: finds names."""
        self.finder = finder or Finder(*chosen(names()))
        self.also = also

    def find(self, data: bytes) -> list[Found]:
        found = self.finder.find(data)
        if self.also is not None:
            found += _in_bytes(data, self.also)
        return together(found) if self.also is not None and len(found) > 1 else found

    def text(self, text: str, counts: Counter[str], room: Room | None = None, before: str = "") -> str:
        """The text with `[KIND]` in place of what was found, which is counted. `before`: what stands before it."""
        most = len(text) if room is None else room.take(len(text))
        if most < SHORTEST:
            return text[:most]
        data = (before + text[: most + OVERLAP]).encode("utf-8", "surrogatepass")
        end = len(data) if most == len(text) else len((before + text[:most]).encode("utf-8", "surrogatepass"))
        parts: list[bytes] = []
        at = len(before.encode("utf-8", "surrogatepass"))
        for start, stop, kind, *_ in self.find(data):
            if start >= end:
                break
            if stop > at:
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
        if not isinstance(said, str):
            return self.value(value, counts, depth, room)
        if len(said) >= SHORTEST and CALLED.match(name):
            counts["secret"] += 1
            return mark("secret")
        if len(said) > FIELD or said[:1] in ("{", "["):
            return self.value(value, counts, depth, room)
        told = self.text(said, counts, room, f"{WORDS.sub(' ', name[:FIELD])}: ")
        return value if told == said else told

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


def _in_bytes(data: bytes, finder: Names) -> Iterator[Found]:
    text = data.decode("utf-8", "surrogatepass")
    at = place = 0
    for start, end, kind, score in finder.find(text):
        first = place + len(text[at:start].encode("utf-8", "surrogatepass"))
        at, place = end, first + len(text[start:end].encode("utf-8", "surrogatepass"))
        yield Found(first, place, kind, score, "context")


def mark(kind: str) -> str:
    return f"[{kind.upper()}]"


def _fitting(values: Iterable[Any], room: Room | None) -> Iterator[Any]:
    """Those that there is room for."""
    for value in values:
        if room is not None and not room.left:
            room.take(1)
            return
        yield value
