"""A credential that counts, and what all who verify have in common: none is verified twice in a short time."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, NamedTuple

from headgate.core.keys import digest
from headgate.identity.mapping import Mapped
from headgate.identity.remembered import Remembered


class Verified(NamedTuple):
    """A token that counts."""

    claims: Mapping[str, Any]
    mapped: Mapped
    until: float
    """Unix seconds: the token's own end."""


class Verifier(ABC):
    """Times are in Unix seconds."""

    def __init__(self, remember: float, leeway: float) -> None:
        """`remember`: seconds for which what was found out counts. `leeway`: by which clocks may differ."""
        self._remembered: Remembered[Verified] = Remembered(remember)
        self._leeway = leeway

    def known(self, digest: bytes, now: float) -> Verified | None:
        """A token that has been verified a moment ago, by the SHA-256 of all its bytes."""
        return self._remembered.get(digest, now)

    async def verify(self, token: bytes, now: float) -> Verified:
        """Raises Unauthenticated with what is wrong, KeyExpired, or IdentityUnavailable where nobody can say."""
        key = digest(token)
        return self._remembered.get(key, now) or await self._find(key, token, now)

    @abstractmethod
    async def _find(self, key: bytes, token: bytes, now: float) -> Verified:
        """Verify a token that is not remembered; `key` is its SHA-256."""

    def _remember(self, key: bytes, found: Verified, now: float) -> Verified:
        self._remembered.put(key, found, now, found.until + self._leeway)
        return found
