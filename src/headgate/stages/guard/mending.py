"""What may have been meant by something that is nearly JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable

FENCE = re.compile(r"```(?:json|JSON)?[ \t]*\n(.*?)(?:\n[ \t]*```|\Z)", re.DOTALL)
TRAILING = re.compile(r",(?=\s*[}\]])")
COMMA = re.compile(r",\s*\Z")
MEMBER = re.compile(r'(?:,\s*|(?<=\{)\s*)(?:"(?:[^"\\]|\\.)*"\s*:?\s*)?\Z')
CLOSING = {"{": "}", "[": "]"}


def candidates(text: str) -> Iterable[str]:
    """What may have been meant, the likeliest first."""
    found = [each.group(1) for each in FENCE.finditer(text)]
    begin = min((place for place in (text.find("{"), text.find("[")) if place >= 0), default=-1)
    if begin >= 0:
        end = max(text.rfind("}"), text.rfind("]")) + 1
        found += [text[begin:end]] if end > begin else []
        found.append(text[begin:])
    for each in found:
        for said in (each.strip(), TRAILING.sub("", each.strip())):
            yield said
            yield closed(said)


def closed(text: str) -> str:
    """With what is left open closed: a string, lists and objects; what hangs before that (a comma, a name without a
    value) is left out."""
    open_: list[str] = []
    inside = escaped = False
    for letter in text:
        if inside:
            inside = escaped or letter != '"'
            escaped = letter == "\\" and not escaped
        elif letter == '"':
            inside = True
        elif letter in CLOSING:
            open_.append(CLOSING[letter])
        elif open_ and letter == open_[-1]:
            open_.pop()
    said = (text[:-1] if escaped else text) + ('"' if inside else "")
    hanging = MEMBER if open_ and open_[-1] == "}" else COMMA
    return hanging.sub("", said.rstrip()) + "".join(reversed(open_))
