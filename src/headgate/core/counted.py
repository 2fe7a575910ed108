"""What each process has used of limits that are counted by the minute: told to the others, who add it to their own."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from headgate.core.ports import Fact
from headgate.core.sliding import Sliding
from headgate.core.standing import Board

EVERY = 0.5
"""Seconds between two tellings."""
MINUTE = 60.0
FORGOTTEN = 600.0
"""Seconds after which a process that says nothing is forgotten."""


class Used(msgspec.Struct, frozen=True):
    """By one process of one target, since it began to count, for the so-manieth time (`count`)."""

    count: int
    requests: float
    tokens: float


class Seen(NamedTuple):
    at: float
    used: Used


class Counted:
    """Of the targets of a board that have such limits."""

    def __init__(self, board: Board, me: str) -> None:
        self.board = board
        self.me = me
        self._counting: dict[str, tuple[Sliding | None, Sliding | None, int]] = {}
        self._told: dict[str, Used] = {}
        self._seen: dict[tuple[str, str], Seen] = {}
        self._at = 0.0

    def outgoing(self, now: float) -> list[Fact]:
        """What the others do not know yet."""
        if now - self._at < EVERY:
            return []
        self._at = now
        self._seen = {who: seen for who, seen in self._seen.items() if seen.at + FORGOTTEN > now}
        told = {
            standing.target: self._used(standing.target, standing.requests, standing.tokens)
            for standing in self.board.limited
        }
        new = [target for target, used in told.items() if self._told.get(target) != used]
        self._told = told
        return [Fact(f"count {self.me} {target}", 0.0, 0.0, msgspec.json.encode(told[target])) for target in new]

    def heard(self, place: str, told: bytes, now: float) -> None:
        """What another process has used. Where it is heard of for the first time, only what follows counts; after a
        silence, as much of it as falls into the last minute."""
        who, _, target = place.partition(" ")
        if who == self.me:
            return
        try:
            used = msgspec.json.decode(told, type=Used)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return
        before = self._seen.get((who, target))
        self._seen[who, target] = Seen(now, used)
        standing = self.board.known(target)
        if standing is None or before is None or before.used.count != used.count:
            return
        share = MINUTE / max(now - before.at, MINUTE)
        if standing.requests is not None:
            standing.requests.hear(now, share * (used.requests - before.used.requests))
        if standing.tokens is not None:
            standing.tokens.hear(now, share * (used.tokens - before.used.tokens))

    def lost(self) -> None:
        """The others may know nothing of what they were told."""
        self._told.clear()

    def _used(self, target: str, requests: Sliding | None, tokens: Sliding | None) -> Used:
        """With another number where a change of the configuration has begun the count anew."""
        counting = self._counting.get(target)
        if counting is None or counting[0] is not requests or counting[1] is not tokens:
            counting = (requests, tokens, counting[2] + 1 if counting is not None else 1)
            self._counting[target] = counting
        own_requests, own_tokens = (each.own if each is not None else 0.0 for each in (requests, tokens))
        return Used(counting[2], own_requests, own_tokens)
