"""Distinguished names: written with what somebody typed in them, read, and compared as directories do.

https://www.rfc-editor.org/rfc/rfc4514
"""

from __future__ import annotations

import re

Name = tuple[frozenset[tuple[str, str]], ...]
"""From the entry up to the root: of each step its attributes and values, in small letters."""

_SPECIAL = re.compile(r'["+,;<>=\\]')
_HEX = re.compile(r"[0-9a-fA-F]{2}")
_ATTRIBUTE = re.compile(r"[A-Za-z][A-Za-z0-9-]*|\d+(?:\.\d+)*")


def escaped(value: str) -> str:
    """A value as it stands in a name, whatever is in it: it cannot end there, nor become a step of its own."""
    found = _SPECIAL.sub(lambda special: f"\\{special[0]}", value).replace("\0", "\\00")
    if found[:1] in ("#", " "):
        found = "\\" + found
    if found.endswith(" ") and not found.endswith("\\ "):
        found = found[:-1] + "\\ "
    return found


def parse(text: str) -> Name:
    """Raises ValueError for what is no name."""
    if not text.strip():
        return ()
    return tuple(_step(step) for step in _split(text, ",;"))


def under(name: Name, above: Name) -> bool:
    """Whether an entry is the other, or stands below it."""
    return len(name) >= len(above) and name[len(name) - len(above) :] == above


def plain(name: Name) -> str:
    """One way of writing a name, the same for all that are equal."""
    return ",".join("+".join(f"{kind}={escaped(value)}" for kind, value in sorted(step)) for step in name)


def written(text: str) -> list[tuple[str, str]]:
    """All attributes and values of a name, from the entry up, as they are written. Raises ValueError."""
    return [pair for step in _split(text, ",;") for pair in _pairs(step)] if text.strip() else []


def _step(text: str) -> frozenset[tuple[str, str]]:
    return frozenset((kind, folded(value)) for kind, value in _pairs(text))


def _pairs(text: str) -> list[tuple[str, str]]:
    found = []
    for pair in _split(text, "+"):
        kind, equals, value = pair.partition("=")
        kind = kind.strip()
        if not equals or not _ATTRIBUTE.fullmatch(kind):
            raise ValueError(f"{text[:80]!a} is no part of a distinguished name")
        found.append((kind.lower(), _value(value)))
    return found


def folded(value: str) -> str:
    """Values that differ in case or in the number of their spaces are the same to a directory."""
    return " ".join(value.split()).casefold()


def _value(text: str) -> str:
    """Without escapes, which are of one special character or of bytes of UTF-8."""
    text = text.strip(" ") if not text.endswith("\\ ") else text.lstrip(" ")
    if len(text) > 1 and text[0] == text[-1] == '"':  # as older directories write it
        text = text[1:-1]
    found, place = bytearray(), 0
    while place < len(text):
        if text[place] != "\\":
            found += text[place].encode()
            place += 1
        elif _HEX.fullmatch(text[place + 1 : place + 3]):
            found.append(int(text[place + 1 : place + 3], 16))
            place += 3
        else:
            found += text[place + 1 : place + 2].encode()
            place += 2
    return found.decode()


def _split(text: str, at: str) -> list[str]:
    parts, start, place, quoted = [], 0, 0, False
    while place < len(text):
        if text[place] == "\\":
            place += 1
        elif text[place] == '"':
            quoted = not quoted
        elif text[place] in at and not quoted:
            parts.append(text[start:place])
            start = place + 1
        place += 1
    return [*parts, text[start:]]
