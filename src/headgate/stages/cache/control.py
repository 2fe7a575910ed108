"""What a request says of the cache: the directives of `cache-control` (RFC 9111, 5.2.1), in a header or in its body."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any, NamedTuple

from headgate.core.cached import TAGS as WORDS


class Wish(NamedTuple):
    """What may be done for a request."""

    store: bool = True
    """Its answer may be kept, and it may be given one that is."""
    read: bool = True
    """It may be given an answer that is kept, or is under way for another."""
    oldest: float = inf
    """Seconds since such an answer was asked for."""
    only: bool = False
    """Nobody is to be asked."""
    stale: float | None = None
    """By how many seconds it may be older than it was to be; None: as is configured."""
    on_error: float | None = None
    """The same where nobody can be asked."""
    ttl: float = inf
    """Seconds for which its answer is kept, if that is less than is configured."""


ANYTHING = Wish()
ANEW = Wish(read=False)
TAGS = b"x-headgate-cache-tags"
MOST, LONGEST = 16, 128
"""Tags, and characters of each, that are kept of a request."""


def wish(headers: Sequence[tuple[bytes, bytes]], body: Mapping[str, Any] | None = None) -> Wish:
    """Of what both say the stricter counts. What makes no sense in a header is passed over, but for an age, which then
    is 0: it was meant to bound something."""
    said = [value for name, value in headers if name == b"cache-control"]
    if not said and body is None:
        return ANYTHING
    told = (word.partition(b"=") for word in b",".join(said).split(b","))
    found = {name: _number(name, value) for each, _, value in told if (name := each.strip().lower().decode("latin-1"))}
    for word, value in (body or {}).items():
        if value is not False and word != WORDS:
            here = inf if value is True else float(value)
            found[word] = min(here, found.get(word, here))
    oldest = min(found.get("max-age", inf), found.get("s-maxage", inf))
    return Wish(
        store="no-store" not in found,
        read="no-cache" not in found and oldest > 0,
        oldest=oldest,
        only="only-if-cached" in found,
        stale=found.get("max-stale"),
        on_error=found.get("stale-if-error"),
        ttl=found.get("ttl", inf),
    )


def _number(word: str, said: bytes) -> float:
    """Any, where `max-stale` has none; none, where what it bounds is bounded by what is no number."""
    number = said.strip().strip(b'"')
    if number.isdigit() and len(number) < 12:
        return float(number)
    return inf if word == "max-stale" and not number else 0.0


def tags(headers: Sequence[tuple[bytes, bytes]], body: Mapping[str, Any] | None = None) -> tuple[str, ...]:
    """Words by which the answer is to be taken out; what is too long or too much is passed over."""
    said = b",".join([value for name, value in headers if name == TAGS])
    here: Sequence[str] = body.get(WORDS, ()) if body is not None else ()
    if not said and not here:
        return ()
    words = (word.strip() for word in (*here, *said.decode("utf-8", "replace").split(",")))
    return tuple(dict.fromkeys(word for word in words if 0 < len(word) <= LONGEST))[:MOST]
