"""What alerts go by of a record: read from its line in the journal."""

from __future__ import annotations

from typing import Any

import msgspec

from headgate.core.effort import parted
from headgate.core.usage import Tokens

FAILING = frozenset({401, 402, 403, 408, 429})
"""Statuses below 500 of a provider that are not the fault of who asks."""
REFUSED_KEY = frozenset({401, 402})
"""A key that is none, or whose credit is used up; 403 may be about the model alone."""
HEDGED = "hedged"
OF_LIMITS = frozenset({"limit_exceeded", "budget_exceeded"})
OF_TARGETS = frozenset({"no_target"})
"""Said by the gateway, by the fault of those whom it could ask: they are left alone."""
GUARD_FAILED = "guard_failed"
"""The category of what a guard could not look at."""
OF_KEYS = frozenset({"invalid_api_key", "key_expired", "key_disabled"})


class Tried(msgspec.Struct):
    """One call of a target."""

    target: str = ""
    status: int | None = None
    error: str | None = None
    usage: Tokens | None = None
    cost: str | None = None

    @property
    def failed(self) -> bool:
        """By the target's own fault."""
        if self.error is None or self.error == HEDGED:
            return False
        return self.status is None or self.status >= 500 or self.status in FAILING

    @property
    def refused_key(self) -> bool:
        return self.error == "provider_credentials" or (self.error is not None and self.status in REFUSED_KEY)


class _Cached(msgspec.Struct):
    how: str = ""


class Verdict(msgspec.Struct):
    """What a guard found."""

    action: str = ""
    mode: str = "enforce"
    category: str = ""
    policy: str = ""


class Seen(msgspec.Struct):
    """A record (core.record), as far as alerts go by it."""

    time: float
    id: str = ""
    duration: float = 0.0
    first_token: float | None = None
    key: str | None = None
    organisation: str | None = None
    team: str | None = None
    application: str | None = None
    user: str | None = None
    end_user: str | None = None
    model: str | None = None
    target: str | None = None
    tags: list[str] = []
    attempts: list[Tried] = []
    status: int = 0
    ending: str = "complete"
    error: str | None = None
    origin: str | None = None
    usage: Tokens | None = None
    cost: str | None = None
    cached: _Cached | None = None
    shadow_of: str | None = None
    judgment: dict[str, Any] | None = None
    guards: list[Verdict] = []

    @property
    def at(self) -> float:
        """When it was over."""
        return self.time + self.duration

    @property
    def tagged(self) -> list[str]:
        """Its tags, and those that the search of records has for what guards have found."""
        return [*self.tags, *(f"guard:{each.policy}" for each in self.guards)] if self.guards else self.tags

    @property
    def own(self) -> bool:
        """The gateway asked by itself: it costs, but is nobody's request."""
        return self.shadow_of is not None or self.judgment is not None

    @property
    def refused(self) -> bool:
        """Turned down for what the caller did, so that it says nothing of how well the gateway serves."""
        return self.ending == "refused" and self.status < 500

    @property
    def by_own_fault(self) -> bool:
        """Whose failure, of one that failed, is the gateway's."""
        return self.origin == "gateway" and self.error not in OF_TARGETS

    @property
    def failed(self) -> bool:
        if self.ending == "cut" or self.status >= 500:
            return True
        return self.origin == "provider" and self.ending == "failed" and self.status in FAILING


DIMENSIONS = (
    "organisation", "team", "application", "user", "end_user", "key", "model", "target", "provider", "origin", "error",
)  # fmt: skip
"""What requests are told apart by; an attempt has a target and a provider of its own."""
_decode = msgspec.json.Decoder(Seen).decode


def read(line: bytes | str) -> Seen | None:
    """None where the line is damaged."""
    try:
        return _decode(line.lstrip(b"\0") if isinstance(line, bytes) else line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def value_of(seen: Seen, dimension: str, tried: Tried | None = None) -> str:
    """ "" where it has none."""
    if dimension in ("target", "provider"):
        target = (tried.target if tried is not None else seen.target) or ""
        return target if dimension == "target" else target.partition("/")[0]
    if dimension == "error" and tried is not None:
        return tried.error or ""
    if dimension == "model":
        return parted(seen.model or "")[0]
    found: str | None = getattr(seen, dimension)
    return found or ""
