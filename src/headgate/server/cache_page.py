"""What applications say of the cache of answers, each by a POST of its own: what is the same of all of that."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

import msgspec

from headgate.core.caller import Caller
from headgate.core.errors import GatewayError, MethodNotAllowed
from headgate.core.ids import Ids
from headgate.runtime.gateway import Gateway
from headgate.server.body import Incoming
from headgate.server.respond import identity

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

LARGEST = 4096
"""Bytes of what is said."""


class Gateways(Protocol):
    @property
    def gateway(self) -> Gateway: ...


class CachePage(ABC):
    """One path."""

    path = b""

    def __init__(self, gateways: Gateways) -> None:
        self.gateways = gateways
        self.next_id = Ids()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        gateway, id = self.gateways.gateway, self.next_id()
        face = gateway.face_like(b"/v1/chat/completions", scope["headers"])
        headers = [(b"content-type", b"application/json"), *identity(face, id)]
        try:
            body, status = msgspec.json.encode(await self._asked(gateway, scope, receive)), 200
        except GatewayError as error:
            status, body = error.status, face.write_error(error, id, streaming=False)
            headers += [
                (b"x-headgate-error-code", error.code.encode()),
                (b"x-headgate-error-origin", error.origin.encode()),
            ]
        headers.append((b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _asked(self, gateway: Gateway, scope: Scope, receive: Receive) -> Any:
        caller = await gateway.admit(scope, "chat")
        if scope["raw_path"] != self.path:
            raise MethodNotAllowed(f"of the cache there is {self.path.decode()} alone")
        if scope["method"] != "POST":
            raise MethodNotAllowed(f"{scope['path']} takes POST, not {scope['method']}")
        return await self.say(caller, await Incoming(receive, scope["headers"], LARGEST).read())

    @abstractmethod
    async def say(self, caller: Caller, body: bytes) -> Any:
        """What is to be said, as JSON. Raises GatewayError."""
