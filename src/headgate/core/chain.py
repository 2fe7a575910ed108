"""A chain of hashes over what must not change: each link covers some rows and the link before it.

A link's hash is the SHA-256 of a JSON array: the hash before it ("" of the first), number, time, kind, first, last,
digest, body. Its digest is the SHA-256 of its rows' digests, one behind the other. So whoever knows one hash (a signed
checkpoint, kept elsewhere) can tell whether anything that came before it was changed, removed, moved or put in.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

SIZE = 32
"""Bytes of a row's digest."""
Kind = Literal["rows", "purge"]
Ranges = Sequence[tuple[int, int]]
"""Numbers, from the first of each to the last."""


class Link(NamedTuple):
    """Times are microseconds since 1970. `first` and `last` say where the rows are; of a purge they are 0."""

    number: int
    """From 1, without a gap."""
    time: int
    kind: Kind
    first: int
    last: int
    digest: str
    body: str
    """Of a purge: what went, and why, as JSON."""
    hash: str

    def fits(self, previous: str) -> bool:
        """Whether the hash is that of all the rest, behind the hash `previous`."""
        return self.hash == _hash(previous, *self[:-1])


COLUMNS = Link._fields


def link(
    previous: Link | None, micros: int, kind: Kind, place: tuple[int, int], digests: bytes, body: str = ""
) -> Link:
    """The one behind `previous` (None: the first one)."""
    number, before = (previous.number + 1, previous.hash) if previous is not None else (1, "")
    said = (number, micros, kind, *place, hashlib.sha256(digests).hexdigest(), body)
    return Link(*said, _hash(before, *said))


def digests(rows: Iterable[bytes]) -> bytes:
    sha256 = hashlib.sha256
    return b"".join([sha256(row).digest() for row in rows])


def each(digests: bytes) -> list[bytes]:
    """The digest of each row."""
    return [digests[at : at + SIZE] for at in range(0, len(digests), SIZE)]


def canonical(values: Sequence[Any]) -> bytes:
    """Values of a row as they are hashed: a JSON array without spaces, in UTF-8."""
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def _hash(previous: str, *said: Any) -> str:
    return hashlib.sha256(canonical([previous, *said])).hexdigest()


def ranges(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """Numbers in their order as ranges: 1, 2, 3, 7 are 1 to 3, and 7."""
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


def within(ranges: Ranges) -> Iterator[int]:
    """Each number of ranges."""
    for first, last in ranges:
        yield from range(first, last + 1)
