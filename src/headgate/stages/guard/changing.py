"""What stands in the place of a finding: its category, stars, a hash, or what the guard says."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence

from headgate.core.guard import Action, Finding
from headgate.stages.guard.partly import generalised, masked

DIGITS = 12

Edit = tuple[int, int, str]
"""From where to where in a text, and what stands there instead."""


class Hashes:
    """Without the key nobody can try out what may have stood there."""

    def __init__(self, secret: str) -> None:
        self._key = hashlib.sha512(b"guard" + secret.encode()).digest()

    def __call__(self, text: str) -> str:
        data = text.encode("utf-8", "surrogatepass")
        return hashlib.blake2b(data, digest_size=DIGITS // 2, key=self._key).hexdigest()


def replacement(action: Action, finding: Finding, text: str, hashes: Hashes) -> str:
    """What stands in place of the finding's `text`."""
    return CHANGES[action](finding, text, hashes)


def _redacted(finding: Finding, text: str, hashes: Hashes) -> str:
    return f"[{finding.category.upper()}]"


def _masked(finding: Finding, text: str, hashes: Hashes) -> str:
    return masked(finding.category, text)


def _generalised(finding: Finding, text: str, hashes: Hashes) -> str:
    return generalised(finding.category, text)


def _hashed(finding: Finding, text: str, hashes: Hashes) -> str:
    return f"[{finding.category.upper()}:{hashes(text)}]"


def _replaced(finding: Finding, text: str, hashes: Hashes) -> str:
    return finding.instead if finding.instead is not None else _redacted(finding, text, hashes)


CHANGES: Mapping[Action, Callable[[Finding, str, Hashes], str]] = {
    "redact": _redacted,
    "mask": _masked,
    "generalise": _generalised,
    "hash": _hashed,
    "replace": _replaced,
}


def edited(text: str, edits: Sequence[Edit]) -> str:
    """The text with all of them made; of two that overlap the first, and of two that begin together the longer."""
    parts: list[str] = []
    at = 0
    for start, end, instead in apart(edits):
        parts += (text[at:start], instead)
        at = end
    return "".join((*parts, text[at:]))


def apart(edits: Sequence[Edit]) -> list[Edit]:
    """In order. What overlaps is cut: nothing that was found is left because of another finding."""
    kept: list[Edit] = []
    at = 0
    for start, end, instead in sorted(edits, key=lambda edit: (edit[0], -edit[1])):
        if start >= at:
            kept.append((start, end, instead))
        elif end > at:
            kept.append((at, end, ""))
        at = max(at, end)
    return kept
