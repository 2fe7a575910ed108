"""The data plane as an ASGI application: a path picks a dialect, an exchange goes through the chain."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Protocol

from headgate.core.dialect import Dialect
from headgate.core.errors import GatewayError, InternalError, MethodNotAllowed, Overloaded, UnknownPath
from headgate.core.exchange import Exchange, Place
from headgate.core.ids import Ids
from headgate.core.record import Record
from headgate.runtime.gateway import Gateway
from headgate.server import finished
from headgate.server.body import Incoming
from headgate.server.cycles import Cycle
from headgate.server.health import text
from headgate.server.respond import Answer

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

log = logging.getLogger("headgate.server")


Mounted = Callable[[Scope, Receive, Send], Awaitable[None]]


class Page(Protocol):
    """Something served beside the dialects: the list of models, a probe, metrics."""

    async def __call__(self, scope: Scope, send: Send) -> None: ...


class Gateways(Protocol):
    """Where the snapshot in force is; it may be another one for the next request."""

    @property
    def gateway(self) -> Gateway: ...


class App:
    """Requests to a dialect's paths become exchanges; everything else is a page or an error in the caller's dialect."""

    def __init__(
        self,
        gateways: Gateways,
        pages: dict[bytes, Page],
        *,
        mounts: Mapping[bytes, Mounted] | None = None,
        worker: int = 0,
        only_pages: bool = False,
    ) -> None:
        """`only_pages`: no dialect is served here, so that a listener for operators is no second way in."""
        self.gateways = gateways
        self.pages = pages
        self.folders = [(path, page) for path, page in pages.items() if path.endswith(b"/")]
        """Pages for everything below a path."""
        self.mounts = mounts or {}
        """Applications for everything below a path that is no page."""
        self.worker = worker
        self.only_pages = only_pages
        self.next_id = Ids()
        self.running = 0

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "http" and not self.only_pages:
            gateway = self.gateways.gateway
            # as it came: an encoded slash or a dot segment is another path, not another way to write this one
            face = gateway.faces.get(scope["raw_path"])
            if face is not None:
                return self._serve(gateway, face, None, scope, receive, send)
        return self._find(scope, receive, send)

    async def _find(self, scope: Scope, receive: Receive, send: Send) -> None:
        """What is at no path that stands fast."""
        if scope["type"] != "http":
            return
        gateway, path = self.gateways.gateway, scope["raw_path"]
        if not self.only_pages:
            located = gateway.locate(path, scope["query_string"])
            if located is None and path.count(b"/") > 1:
                located = gateway.forwards(path, scope["query_string"], gateway.address_of(scope))
            if located is not None:
                await self._serve(gateway, *located, scope, receive, send)
                return
        page = self.pages.get(path) or next((page for start, page in self.folders if path.startswith(start)), None)
        if page is not None:
            await page(scope, send)
            return
        mounted = next((app for start, app in self.mounts.items() if path.startswith(start)), None)
        if mounted is not None:
            await mounted(scope, receive, send)
            return
        if self.only_pages:
            known = b", ".join(sorted(self.pages))
            await text(send, 404, b"nothing is served at this path; there are " + known + b"\n")
            return
        await self._serve(gateway, gateway.face_like(path, scope["headers"]), None, scope, receive, send)

    async def _serve(
        self, gateway: Gateway, face: Dialect, place: Place | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        headers = scope["headers"]
        id = self.next_id()
        cycle: Cycle | None = scope.get("extensions", {}).get("headgate")
        task = cycle.task if cycle is not None else None
        if task is not None:
            task.set_name(id)
        path = scope["path"]
        client = gateway.client_of(scope["client"], headers)
        record = Record(id=id, time=time.time(), client=client, dialect=face.name, path=path[:200], worker=self.worker)
        named, whole = (cycle.named, cycle.read) if cycle is not None else (dict(headers), None)
        body = Incoming(receive, headers, gateway.config.server.max_body_bytes, named, whole)
        exchange = Exchange(
            id, face, path, headers, body.read, time.perf_counter(), record, place, body, scope["method"], named=named
        )
        if cycle is not None:
            exchange.memo = cycle.memo
        exchange.proxied = bool(gateway.trusted) and gateway.proxied(scope["client"])
        answer = Answer(exchange, send, cycle)
        self.running += 1
        try:
            try:
                proceed = gateway.chain
                served = place is not None or scope["raw_path"] in gateway.faces
                if not served or not _takes(face, scope["method"]):
                    proceed = gateway.turn_away(_astray(scope, gateway, face, served))
                reply = await proceed(exchange)
                await answer.give(reply, gateway.config.server.compression)
            except GatewayError as error:
                # Who raised it may still hold it: its traceback would keep this exchange until the collector comes
                error.__traceback__ = None
                await answer.fail(error)
            except asyncio.CancelledError:
                if not _interrupted(scope):
                    record.ending, record.status = "cancelled", record.status or 499
                    raise
                await answer.fail(Overloaded("the gateway is shutting down; send the request again", retry_after=1))
            except Exception:  # the one place where what nobody foresaw becomes an answer
                log.exception("request %s failed inside the gateway", id)
                unforeseen = InternalError(f"the gateway failed; its log says why under {id}")
                await answer.fail(unforeseen)
        finally:
            try:
                await exchange.ending.aclose()
            finally:
                # Both know this exchange: it would be kept, with all that was said, until the collector comes
                exchange.gatekeeper = exchange.restorer = None
                self.running -= 1  # only now: the record may have had to wait for a count
            if log.isEnabledFor(logging.DEBUG):
                finished.tell(record)


def _takes(face: Dialect, method: str) -> bool:
    # TRACE answers with what was sent (RFC 9110, 9.3.8), the provider's key with it
    return method == "POST" or (face.takes == "raw" and method != "TRACE")


def _interrupted(scope: Scope) -> bool:
    """Whether the task was cancelled because the server stops, while the client is still there."""
    cycle = scope.get("extensions", {}).get("headgate")
    return cycle is not None and cycle.interrupted and cycle.gone is None


def _astray(scope: Scope, gateway: Gateway, face: Dialect, served: bool) -> GatewayError:
    path = scope["path"][:200]
    if served:
        takes = "every method but TRACE" if face.takes == "raw" else "POST"
        return MethodNotAllowed(f"{path} takes {takes}, not {scope['method']}")
    faces = sorted([*(face.decode() for face in gateway.faces), *gateway.templates])
    near = next((face for face in faces if path.endswith(face.rpartition("/")[2])), None)
    if near:
        hint = f"did you mean {near}? the base URL of OpenAI's SDKs ends in /v1 here, that of Anthropic's does not"
    else:
        hint = f"{_elsewhere(path, faces)}there are {', '.join(faces)}, /v1/models, /livez and /readyz"
    return UnknownPath(f"nothing is served at {path!r}; {hint}")


def _elsewhere(path: str, faces: list[str]) -> str:
    """Where it may be instead: of a path like a vendor's (`/v1/files`), or below a name (`/acme/v1/files`)."""
    first, slash, _ = path[1:].partition("/")
    if not slash:
        return ""
    if any(face.startswith(f"/{first}/") for face in faces):
        return f"what only a provider has is at /PROVIDER{path}, by the provider's name in the configuration; "
    return f"no provider is named {first!r} in the configuration; "
