"""Answers that are kept to be given again: what is kept of one, and on which terms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import msgspec

from headgate.core.chat import Loss

Per = Literal["end_user", "key", "user", "team", "organisation"]
"""Who is given each other's answers. Who belongs to no such one has those of its key to itself."""


@dataclass(slots=True, frozen=True)
class Terms:
    """How the answers of a name are kept."""

    seconds: float
    jitter: float
    """By up to which share of it an answer is kept less long, so that not all end at once."""
    per: Per
    deterministic_only: bool
    tool_calls: bool
    coalesce: bool
    largest: int
    """Bytes of an answer; a larger one is not kept."""
    stale: float = 0.0
    """Seconds after its time in which an answer is still given, while it is asked for anew beside."""
    stale_if_error: float = 0.0
    """The same, where nobody can be asked."""
    similar: Any = None
    """`stages.cache.similar.Similar`: it is given to who asks the like, too; None: only to who asks the same."""


class Asked(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The question that an answer was for, where it may be given to who asks the like."""

    context: bytes
    """A hash of all else that was said, by whom, and whose vectors are compared: in others it is no answer."""
    text: str
    vector: bytes = b""
    """Where others who share the answer are to find it by that."""


class Entry(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An answer as its provider gave it, with whose it is, so that it can be found to be taken out."""

    dialect: str
    """That `body` is in."""
    stream: bool
    body: bytes
    target: str
    time: float
    """When it was asked for, Unix seconds."""
    until: float
    of: str
    """The id of the request."""
    name: str
    """That was asked for."""
    key: str
    team: str
    organisation: str
    lost: tuple[Loss, ...] = ()
    user: str = ""
    tags: tuple[str, ...] = ()
    """Words of whoever asked, by which it is taken out."""
    last: float = 0.0
    """Until when it is there, to be given although it is stale, where that is later than `until`."""
    asked: Asked | None = None
    kind: bytes = b""
    """The content type of `body`, where only its provider knows it."""

    @property
    def end(self) -> float:
        return max(self.until, self.last)

    @property
    def size(self) -> int:
        """Bytes of what may be long, about."""
        asked = self.asked
        return len(self.body) + (len(asked.text) + len(asked.vector) if asked is not None else 0)


class Raised(msgspec.Struct, frozen=True):
    """How like a question has to be where an answer to a similar one was reported to be wrong."""

    context: str
    """In hex, as of `Asked`."""
    least: float
    name: str
    """That was asked for."""
    of: str
    """The id of the request that got the answer."""
    by: str
    """Who reported it."""
    time: float
    """Unix seconds."""


Verdict = Literal["right", "wrong"]


class NotGiven(Exception):
    """The request was given no answer that was kept."""


class Outcome(msgspec.Struct):
    """What came of a report."""

    request: str
    verdict: Verdict
    taken_out: int
    """How many answers were, in the process that was told."""
    threshold: float | None = None
    """How like a question has to be from here on in that context."""


class Which(NamedTuple):
    """Entries to be taken out: those of which all is so that is said."""

    name: str | None = None
    key: str | None = None
    team: str | None = None
    organisation: str | None = None
    before: float | None = None
    """Unix seconds."""
    user: str | None = None
    tag: str | None = None
    id: str | None = None
    """The one that is kept under this, in hex."""

    def has(self, key: bytes, entry: Entry) -> bool:
        named: Sequence[tuple[str | None, str]] = (
            (self.name, entry.name),
            (self.key, entry.key),
            (self.team, entry.team),
            (self.organisation, entry.organisation),
            (self.user, entry.user),
        )
        fits = all(wanted is None or wanted == found for wanted, found in named)
        fits = fits and (self.tag is None or self.tag in entry.tags) and (self.id is None or self.id == key.hex())
        return fits and (self.before is None or entry.time < self.before)


Clock = Callable[[], float]
