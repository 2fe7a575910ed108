"""The probes and the metrics page."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from headgate.core.caller import ADMIN_OPERATION
from headgate.core.errors import GatewayError
from headgate.runtime.gateway import ADMIN

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


async def text(send: Send, status: int, body: bytes, kind: bytes = b"text/plain; charset=utf-8") -> None:
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body)), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Live:
    """200 as long as the process answers at all."""

    async def __call__(self, scope: MutableMapping[str, Any], send: Send) -> None:
        await text(send, 200, b"alive\n")


class Ready:
    """200 while new requests are welcome: 503 while starting, draining, or unable to keep records.

    `but` tells what is wrong, and does not keep requests from being served.
    """

    def __init__(self, why_not: Callable[[], str | None], but: Callable[[], str | None]) -> None:
        self.why_not = why_not
        self.but = but

    async def __call__(self, scope: MutableMapping[str, Any], send: Send) -> None:
        reason = self.why_not()
        but = self.but()
        ready = "ready" if but is None else f"ready, but {but}"
        await text(send, 503 if reason else 200, f"{reason or ready}\n".encode())


class Metrics:
    """Prometheus or OpenMetrics text, as the client accepts, rendered in a thread; `gateways` is given where the admin
    key is asked for."""

    def __init__(self, render: Callable[[str], tuple[bytes, str]], gateways: Any = None) -> None:
        self.render = render
        self.gateways = gateways

    async def __call__(self, scope: MutableMapping[str, Any], send: Send) -> None:
        if self.gateways is not None:
            try:
                caller = await self.gateways.gateway.admit(scope, ADMIN_OPERATION)
            except GatewayError as error:
                await text(send, error.status, f"{error.message}\n".encode())
                return
            if caller.key != ADMIN:
                await text(send, 403, b"metrics are for the admin key\n")
                return
        accept = b",".join(value for name, value in scope["headers"] if name == b"accept").decode("latin-1")
        body, kind = await asyncio.to_thread(self.render, accept)
        await text(send, 200, body, kind.encode())
