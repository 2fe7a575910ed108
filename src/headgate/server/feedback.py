"""POST /v1/cache/feedback: an application says that an answer from the cache was wrong, or right."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

import msgspec

from headgate.core.cached import NotGiven, Outcome, Verdict
from headgate.core.errors import GatewayError, InvalidRequest, MethodNotAllowed, Overloaded, UnknownRequest
from headgate.core.ids import ALPHABET, REQUEST, Ids
from headgate.core.record import Record
from headgate.runtime.gateway import Gateway
from headgate.server.body import Incoming
from headgate.server.respond import identity
from headgate.server.verdicts import Verdicts

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PATH = b"/v1/cache/feedback"
LARGEST = 4096
"""Bytes of what is said."""
WAITING = 32
"""Requests that are looked for, or wait for that."""
ID = re.compile(f"{REQUEST}[{ALPHABET}]{{26}}")


class Said(msgspec.Struct, forbid_unknown_fields=True):
    """What is said of the answer to a request, by its `x-request-id`."""

    request: str
    verdict: Verdict


_said = msgspec.json.Decoder(Said).decode


class Gateways(Protocol):
    @property
    def gateway(self) -> Gateway: ...


class Feedback:
    """A key has a say in the answers to its own requests alone; of others' it is told as little as of none."""

    def __init__(self, gateways: Gateways, read: Callable[[str], Record | None], verdicts: Verdicts) -> None:
        """`read` finds a request's record; it is called in a thread. Raises OSError."""
        self.gateways = gateways
        self.read = read
        self.verdicts = verdicts
        self.next_id = Ids()
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gateway, id = self.gateways.gateway, self.next_id()
        face = gateway.face_like(b"/v1/chat/completions", scope["headers"])
        headers = [(b"content-type", b"application/json"), *identity(face, id)]
        try:
            body, status = msgspec.json.encode(await self._answer(gateway, scope, receive)), 200
        except GatewayError as error:
            status, body = error.status, face.write_error(error, id, streaming=False)
            headers += [
                (b"x-headgate-error-code", error.code.encode()),
                (b"x-headgate-error-origin", error.origin.encode()),
            ]
        headers.append((b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, gateway: Gateway, scope: Scope, receive: Receive) -> Outcome:
        caller = await gateway.admit(scope, "chat")
        if scope["raw_path"] != PATH:
            raise MethodNotAllowed(f"of the cache there is {PATH.decode()} alone")
        if scope["method"] != "POST":
            raise MethodNotAllowed(f"{scope['path']} takes POST, not {scope['method']}")
        try:
            said = _said(await Incoming(receive, scope["headers"], LARGEST).read())
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
