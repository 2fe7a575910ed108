"""What may have been meant by something that is nearly JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable

FENCE = re.compile(r"```(?:json|JSON)?[ \t]*\n(.*?)(?:\n[ \t]*```|\Z)", re.DOTALL)
TRAILING = re.compile(r'("(?:[^"\\]|\\.?)*"?)|,(?=\s*[}\]])')
"""A string, whether it ends or not, and a comma outside of one."""
COMMA = re.compile(r",\s*\Z")
MEMBER = re.compile(r'(?:,\s*|(?<=\{)\s*)(?:"(?:[^"\\]|\\.)*"(?:\s*:)?\s*)?\Z')
WHOLE = frozenset({'"', "}", "]"})
"""With what values end of which no more can follow."""
CLOSING = {"{": "}", "[": "]"}


def candidates(text: str, *, halves: bool = True) -> Iterable[str]:
    """What may have been meant, the likeliest first. Without `halves` no member of it has half a value only."""
    found = [each.group(1) for each in FENCE.finditer(text)]
    begin = min((place for place in (text.find("{"), text.find("[")) if place >= 0), default=-1)
    if begin >= 0:
        end = max(text.rfind("}"), text.rfind("]")) + 1
        found.append(text[begin:])  # first: what breaks off may have closed something before
        cut = text[begin:end]
        found += [cut] if cut and (halves or closed(cut) == cut) else []
    for each in found:
        for said in (each.strip(), TRAILING.sub(lambda found: found[1] or "", each.strip())):
            yield said
            yield closed(said, halves=halves)


def closed(text: str, *, halves: bool = True) -> str:
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
    said = ((text[:-1] if escaped else text) + ('"' if inside else "")).rstrip()
    kept = (MEMBER if open_ and open_[-1] == "}" else COMMA).sub("", said)
    if not halves and (inside or len(open_) > 1 or kept != said or said[-1:] not in WHOLE):
        return text
    return kept + "".join(reversed(open_))
