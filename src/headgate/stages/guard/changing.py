"""What stands in the place of a finding: its category, stars, a hash, or what the guard says."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

import msgspec

from headgate.core.caller import Caller
from headgate.core.crowd import Crowd
from headgate.core.guard import Action, Finding
from headgate.stages.guard.partly import generalised, levels, masked, meant

DIGITS = 12
TENANTS = 10_000
"""Whose keys are known at a time."""
_encode = msgspec.json.Encoder().encode

Edit = tuple[int, int, str]
"""From where to where in a text, and what stands there instead."""


Hash = Callable[[str], str]
"""Of a text: the same for the same one."""


@lru_cache(4)
def stretched(secret: str) -> bytes:
    """A secret that somebody may have chosen, as one that takes a moment to try (scrypt, RFC 7914): whoever is given
    hashes knows what some of them are of, and could else find it by them."""
    return hashlib.scrypt(secret.encode(), salt=b"headgate guard", n=2**14, r=8, p=1, maxmem=2**26, dklen=64)


class Hashes:
    """Without the key nobody can try out what may have stood there; and each tenant has its own, so that what two of
    them say of the same thing does not tell that it is the same."""

    def __init__(self, secret: bytes) -> None:
        self._key = hashlib.blake2b(secret, digest_size=64).digest()
        self._of: dict[tuple[str, ...], Hash] = {}

    def of(self, caller: Caller | None) -> Hash:
        """Its organisation's; else its team's; else that of all who have neither."""
        tenant = _tenant(caller)
        found = self._of.get(tenant)
        if found is None:
            if len(self._of) >= TENANTS:
                self._of.clear()
            found = self._of[tenant] = _hash(hashlib.blake2b(_encode(tenant), key=self._key).digest())
        return found


def _tenant(caller: Caller | None) -> tuple[str, ...]:
    """By name, and when it was made: who is made anew under an old name is somebody else."""
    if caller is not None:
        organisation, team = caller.belongs.organisation, caller.belongs.team
        if organisation is not None:
            return "organisation", organisation, caller.born.organisation
        if team is not None:
            return "team", team, caller.born.team
    return ()


def _hash(key: bytes) -> Hash:
    """BLAKE2b with a key is a MAC (RFC 7693)."""

    def digest(text: str) -> str:
        data = text.encode("utf-8", "surrogatepass")
        return hashlib.blake2b(data, digest_size=DIGITS // 2, key=key).hexdigest()

    return digest


def see(crowd: Crowd, caller: Caller | None, category: str, text: str) -> None:
    """Of what is generalised."""
    said = levels(category, text)
    if said:
        crowd.see((*_tenant(caller), category), meant(category, text), said)


def shared(crowd: Crowd, caller: Caller | None, category: str, text: str) -> str:
    """What is said of many that have been seen of the tenant; else `[CATEGORY]`."""
    said = crowd.shared((*_tenant(caller), category), levels(category, text))
    return said if said is not None else f"[{category.upper()}]"


def replacement(action: Action, finding: Finding, text: str, hashed: Hash) -> str:
    """What stands in place of the finding's `text`."""
    return CHANGES[action](finding, text, hashed)


def _redacted(finding: Finding, text: str, hashed: Hash) -> str:
    return f"[{finding.category.upper()}]"


def _masked(finding: Finding, text: str, hashed: Hash) -> str:
    return masked(finding.category, text)


def _generalised(finding: Finding, text: str, hashed: Hash) -> str:
    return generalised(finding.category, text)


def _hashed(finding: Finding, text: str, hashed: Hash) -> str:
    return f"[{finding.category.upper()}:{hashed(text)}]"


def _replaced(finding: Finding, text: str, hashed: Hash) -> str:
    return finding.instead if finding.instead is not None else _redacted(finding, text, hashed)


CHANGES: Mapping[Action, Callable[[Finding, str, Hash], str]] = {
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
