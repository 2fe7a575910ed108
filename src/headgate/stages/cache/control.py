"""What a request says of the cache: the directives of `cache-control` (RFC 9111, 5.2.1)."""

from __future__ import annotations

from collections.abc import Sequence
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


ANYTHING = Wish()


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
    )
