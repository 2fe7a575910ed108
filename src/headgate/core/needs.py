"""What must be so of whoever is given a request, or a question about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from headgate.core.exchange import Exchange
    from headgate.core.target import Target


class Law(Protocol):
    """What the configuration forbids, of one request."""

    def forbids(self, target: Target) -> str | None:
        """Why a target may not be given it, as words; None: it may."""


class Needs(NamedTuple):
    """Of a request."""

    traits: frozenset[str] = frozenset()
    law: Law | None = None
    about: Exchange | None = None
    """The request itself: guards keep from others what they keep from providers of it."""

    @property
    def any(self) -> bool:
        return bool(self.traits) or self.law is not None

    def lacking(self, target: Target) -> str | None:
        """Why a target may not be given it, as words; None: it may."""
        missing = self.traits - target.traits
        if missing:
            return f"is not {', '.join(sorted(missing))}"
        return self.law.forbids(target) if self.law is not None else None


NONE = Needs()
