"""Answers that are kept to be given again: what is kept of one, and on which terms."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from math import inf
from typing import Any, Literal, NamedTuple

import msgspec

from headgate.core.chat import Loss
from headgate.core.errors import InvalidRequest

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
    pace: float | None = None
    """Tokens a second of an answer that is streamed again; 0: evenly in the time that its provider took; None: at
    once."""
    oldest: float = inf
    """Seconds since an answer was asked for, above which it is not given."""
    apart: bool = False
    """Who is given no calls of tools is not to be given those of others, with whom all else is shared."""


NARROWER: Sequence[Per] = ("end_user", "key", "user", "team", "organisation")
"""With how many answers are shared, the fewest first."""


@dataclass(slots=True, frozen=True)
class Narrowed:
    """What a caller, or whose it is, allows of the terms of any name: less, never more."""

    seconds: float = inf
    per: Per = "organisation"
    deterministic_only: bool = False
    tool_calls: bool = True
    coalesce: bool = True
    similar: bool = True
    largest: int = sys.maxsize

    def and_also(self, other: Narrowed) -> Narrowed:
        """What both allow."""
        return Narrowed(
            min(self.seconds, other.seconds),
            min(self.per, other.per, key=NARROWER.index),
            self.deterministic_only or other.deterministic_only,
            self.tool_calls and other.tool_calls,
            self.coalesce and other.coalesce,
            self.similar and other.similar,
            min(self.largest, other.largest),
        )

    def of(self, terms: Terms) -> Terms:
        """What is left of these."""
        shorter = self.seconds < terms.seconds
        return replace(
            terms,
            seconds=min(self.seconds, terms.seconds),
            per=min(self.per, terms.per, key=NARROWER.index),
            deterministic_only=self.deterministic_only or terms.deterministic_only,
            tool_calls=self.tool_calls and terms.tool_calls,
            coalesce=self.coalesce and terms.coalesce,
            largest=min(self.largest, terms.largest),
            stale=0.0 if shorter else terms.stale,
            stale_if_error=0.0 if shorter else terms.stale_if_error,
            similar=terms.similar if self.similar else None,
            oldest=self.seconds,
            apart=terms.tool_calls and not self.tool_calls,
        )


AGES = frozenset({"max-age", "s-maxage", "ttl", "max-stale", "stale-if-error"})
"""Of what a body may say: seconds."""
FLAGS = frozenset({"no-store", "no-cache", "only-if-cached"})
TAGS = "tags"
LONGEST = 100_000_000_000.0


def said(value: Any) -> Mapping[str, Any] | None:
    """What a body's field `cache` asks of the gateway, in the words of `cache-control`. None: it is a vendor's own
    (watsonx has one). Raises InvalidRequest."""
    if not isinstance(value, dict) or not value:
        return None
    found = {name.replace("_", "-"): each for name, each in value.items()}
    known = found.keys() & (AGES | FLAGS | {TAGS})
    if not known or (known == {"ttl"} and len(found) > 1):  # a time alone is a word of others, too
        return None
    for name, each in found.items():
        if name in FLAGS:
            good, wanted = isinstance(each, bool), "true or false"
        elif name in AGES:
            good = type(each) in (int, float) and 0 <= each < LONGEST
            good, wanted = good or (name == "max-stale" and isinstance(each, bool)), "a number of seconds"
        elif name == TAGS:
            good, wanted = isinstance(each, list) and all(isinstance(tag, str) for tag in each), "a list of words"
        else:
            good, wanted = False, f"one of {', '.join(sorted(AGES | FLAGS | {TAGS}))}"
        if not good:
            raise InvalidRequest(f"`cache.{name}` must be {wanted}", param=f"cache.{name}")
    return found


class Asked(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The question that an answer was for, where it may be given to who asks the like."""

    context: bytes
    """A hash of all else that was said, by whom, and whose vectors are compared: in others it is no answer."""
    text: str
    vector: bytes = b""
    """Where others who share the answer are to find it by that."""
    key: bytes = b""
    """The same: what the answer is kept under, which its place need not tell."""


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
    took: float = 0.0
    """Seconds from the first of it to its end, where its provider streamed it."""
    end_user: str = ""
    """For whom it was asked first."""

    @property
    def end(self) -> float:
        return max(self.until, self.last)

    @property
    def size(self) -> int:
        """Bytes of what may be long, about."""
        asked = self.asked
        return len(self.body) + (len(asked.text) + len(asked.vector) if asked is not None else 0)


class Whose(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The same of what is kept and is no answer."""

    time: float
    """Unix seconds."""
    key: str = ""
    team: str = ""
    organisation: str = ""
    user: str = ""
    end_user: str = ""
    name: str = ""
    tags: tuple[str, ...] = ()


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


HASH = "sha256:"


class Which(NamedTuple):
    """What is to be taken out: that of which all is so that is said. Names may be `hidden`."""

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
    end_user: str | None = None

    def has(self, key: bytes, entry: Entry | Whose) -> bool:
        """Asked of all that is kept, and of all that comes: what nearly always tells comes first."""
        return (
            (self.before is None or entry.time < self.before)
            and (self.tag is None or self.tag in entry.tags)
            and (self.id is None or self.id == key.hex())
            and _is(self.key, entry.key)
            and _is(self.name, entry.name)
            and _is(self.team, entry.team)
            and _is(self.organisation, entry.organisation)
            and _is(self.user, entry.user)
            and _is(self.end_user, entry.end_user)
        )


def _is(wanted: str | None, found: str) -> bool:
    return wanted is None or wanted == found or wanted == hidden(found, wanted)


def hidden(name: str, like: str = HASH) -> str:
    """A name as it stands where it is not to be read, as a deleted person's; "" where `like` is no such."""
    return HASH + sha256(name.encode("utf-8", "replace")).hexdigest() if like.startswith(HASH) else ""


Clock = Callable[[], float]
