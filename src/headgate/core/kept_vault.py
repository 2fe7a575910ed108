"""What is kept of what stands for what in a session, piece by piece, and whose it is."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from headgate.core.cached import Whose
from headgate.core.caller import Caller

MARK = 16
"""Bytes by which a piece is known."""
BESIDE = 300
"""Bytes of a piece, and of each of its values, beside their letters, about."""


class Known(NamedTuple):
    """A value, and what stands for it."""

    value: str
    said: str
    category: str


class Piece(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What one request has added to a session."""

    mark: bytes
    known: tuple[Known, ...]
    first: int
    """The number that categories begin with."""
    whose: Whose
    link: bytes = b""
    """It is only another name of this session."""
    one: bool = True
    """Which is one conversation."""

    @property
    def owner(self) -> str:
        """Who shares the room with others: the organisation, else the team, else the key."""
        whose = self.whose
        return whose.organisation or whose.team or whose.key

    @property
    def size(self) -> int:
        """Bytes, about."""
        return BESIDE + sum(len(each.value) + len(each.said) + BESIDE for each in self.known)


def piece(known: Iterable[Known], first: int, whose: Whose, link: bytes = b"", *, one: bool = True) -> Piece:
    return Piece(secrets.token_bytes(MARK), tuple(known), first, whose, link, one)


def whose(caller: Caller | None, end_user: str, now: float) -> Whose:
    if caller is None:
        return Whose(now)
    of = caller.belongs
    return Whose(now, caller.key, of.team or "", of.organisation or "", of.user or "", end_user)
