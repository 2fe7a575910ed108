"""POST /v1/cache/feedback: an application says that an answer from the cache was wrong, or right."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

import msgspec

from headgate.core.cached import NotGiven, Outcome, Verdict
from headgate.core.caller import Caller
from headgate.core.errors import InvalidRequest, Overloaded, UnknownRequest
from headgate.core.ids import ALPHABET, REQUEST
from headgate.core.record import Record
from headgate.server.cache_page import CachePage, Gateways
from headgate.server.verdicts import Verdicts

PATH = b"/v1/cache/feedback"
WAITING = 32
"""Requests that are looked for, or wait for that."""
ID = re.compile(f"{REQUEST}[{ALPHABET}]{{26}}")


class Said(msgspec.Struct, forbid_unknown_fields=True):
    """What is said of the answer to a request, by its `x-request-id`."""

    request: str
    verdict: Verdict


_said = msgspec.json.Decoder(Said).decode


class Feedback(CachePage):
    """A key has a say in the answers to its own requests alone; of others' it is told as little as of none."""

    path = PATH

    def __init__(self, gateways: Gateways, read: Callable[[str], Record | None], verdicts: Verdicts) -> None:
        """`read` finds a request's record; it is called in a thread. Raises OSError."""
        super().__init__(gateways)
        self.read = read
        self.verdicts = verdicts
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def say(self, caller: Caller, body: bytes) -> Outcome:
        try:
            said = _said(body)
        except msgspec.DecodeError as error:
            raise InvalidRequest(f"say `request`, an `x-request-id`, and `verdict`, wrong or right: {error}") from None
        try:
            record = await self._found(said.request)
            if record is None or record.key != caller.key:
                raise UnknownRequest(f"no request of this key has the id {said.request[:100]!r}", param="request")
            return await self.verdicts.report(record, said.verdict, caller.key)
        except NotGiven:
            told = "this request was given no answer from the cache; `x-headgate-cache` of its answer says so"
            raise InvalidRequest(told, param="request") from None
        except OSError as error:
            raise Overloaded(f"not all of it could be done, say it again: {error}", retry_after=2) from error

    async def _found(self, id: str) -> Record | None:
        """One after the other: what is not there is looked for for long. Raises OSError, Overloaded."""
        if not ID.fullmatch(id):
            return None
        if self._waiting >= WAITING:
            raise Overloaded("too much is said of answers at once; say it again", retry_after=1)
        self._waiting += 1
        try:
            async with self._turn:
                return await asyncio.to_thread(self.read, id)
        finally:
            self._waiting -= 1
