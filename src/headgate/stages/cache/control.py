"""What a request says of the cache: the directives of `cache-control` (RFC 9111, 5.2.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf
from typing import NamedTuple


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


ANYTHING = Wish()
ANEW = Wish(read=False)
TAGS = b"x-headgate-cache-tags"
MOST, LONGEST = 16, 128
"""Tags, and characters of each, that are kept of a request."""


def wish(headers: Sequence[tuple[bytes, bytes]]) -> Wish:
    """What makes no sense is passed over, but for an age, which then is 0: it was meant to bound something."""
    said = [value for name, value in headers if name == b"cache-control"]
    if not said:
        return ANYTHING
    told = {word.partition(b"=")[0].strip().lower(): word.partition(b"=")[2] for word in b",".join(said).split(b",")}
    oldest = inf
    if b"max-age" in told:
        number = told[b"max-age"].strip().strip(b'"')
        oldest = float(number) if number.isdigit() and len(number) < 12 else 0.0
    return Wish(
        store=b"no-store" not in told,
        read=b"no-cache" not in told and oldest > 0,
        oldest=oldest,
        only=b"only-if-cached" in told,
        stale=_seconds(told, b"max-stale", inf),
        on_error=_seconds(told, b"stale-if-error", 0.0),
    )


def _seconds(told: Mapping[bytes, bytes], word: bytes, plain: float) -> float | None:
    """None: it is not said; `plain`: without a number, or with one that makes no sense, which allows nothing."""
    if word not in told:
        return None
    number = told[word].strip().strip(b'"')
    return float(number) if number.isdigit() and len(number) < 12 else 0.0 if number else plain


def tags(headers: Sequence[tuple[bytes, bytes]]) -> tuple[str, ...]:
    """Words by which the answer is to be taken out; what is too long or too much is passed over."""
    said = b",".join([value for name, value in headers if name == TAGS])
    if not said:
        return ()
    words = (word.strip() for word in said.decode("utf-8", "replace").split(","))
    return tuple(dict.fromkeys(word for word in words if 0 < len(word) <= LONGEST))[:MOST]
