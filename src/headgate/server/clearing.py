"""POST /v1/cache/clear: an application takes answers out that are no longer right, as it knows."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

import msgspec

from headgate.core.cached import Which
from headgate.core.caller import Caller
from headgate.core.errors import InvalidRequest, Overloaded
from headgate.server.cache_page import CachePage, Gateways

PATH = b"/v1/cache/clear"
WAITING = 4
"""Who waits for others: all that is kept may have to be looked through."""
HEX = frozenset("0123456789abcdef")


class Said(msgspec.Struct, forbid_unknown_fields=True):
    """Which: those of requests that said this tag, or the one whose `x-headgate-cache-entry` this is."""

    tag: str | None = None
    entry: str | None = None


class Cleared(msgspec.Struct):
    cleared: int
    """How many answers were, in the process that was told."""


_said = msgspec.json.Decoder(Said).decode


class Answers(Protocol):
    async def clear(self, which: Which) -> int:
        """Raises OSError."""


class Clearing(CachePage):
    """A key takes out what was asked by itself alone, whoever shares it."""

    path = PATH

    def __init__(self, gateways: Gateways, answers: Answers) -> None:
        super().__init__(gateways)
        self.answers = answers
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def say(self, caller: Caller, body: bytes) -> Cleared:
        which = _which(body)._replace(key=caller.key, before=time.time())
        if self._waiting >= WAITING:
            raise Overloaded("too much is taken out of the cache at once; say it again", retry_after=1)
        self._waiting += 1
        try:
            async with self._turn:
                return Cleared(await self.answers.clear(which))
        except OSError as error:
            raise Overloaded(f"not all answers could be taken out, say it again: {error}", retry_after=2) from error
        finally:
            self._waiting -= 1


def _which(body: bytes) -> Which:
    """Raises InvalidRequest."""
    try:
        said = _said(body)
    except msgspec.DecodeError as error:
        raise InvalidRequest(f"say `tag`, or `entry`: {error}") from None
    if (said.tag is None) == (said.entry is None):
        raise InvalidRequest("say either `tag`, a word of `x-headgate-cache-tags`, or `entry`")
    if said.entry is not None and (len(said.entry) % 2 or not 0 < len(said.entry) <= 64 or set(said.entry) - HEX):
        raise InvalidRequest("`entry` is what `x-headgate-cache-entry` said", param="entry")
    return Which(tag=said.tag, id=said.entry)
