"""A reply, or an error, becomes an HTTP response; the record is on disk before its last byte leaves."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from headgate.catalog.cost import bill
from headgate.config.schema import Compression
from headgate.core.dialect import Dialect
from headgate.core.errors import (
    GatewayError,
    LimitExceeded,
    Overloaded,
    ProviderNonsense,
    ProviderRefused,
    RequestError,
)
from headgate.core.exchange import Exchange
from headgate.core.money import dollars
from headgate.core.reply import Reply, Unread
from headgate.server import compress
from headgate.server.cycles import Cycle

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

Header = tuple[bytes, bytes]

REQUEST_ID = b"request-id"
TRACE = b"x-headgate-trace"
JSON = b"application/json"
ANY_METHOD = b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
COMPRESSIBLE = (JSON, b"text/", b"application/x-ndjson")


class Answer:
    """What the client of one exchange is given: a reply, or an error in its place or in its middle."""

    __slots__ = ("begun", "cycle", "exchange", "send", "squeeze")

    def __init__(self, exchange: Exchange, send: Send, cycle: Cycle | None = None) -> None:
        """`cycle`: the same as `send` with less work, where our own server serves."""
        self.exchange = exchange
        self.send = send
        self.cycle = cycle
        self.begun = False
        """The head is on its way: what fails from now on can only be told inside the stream."""
        self.squeeze: compress.Squeeze | None = None

    async def give(self, reply: Reply, compression: Compression) -> None:
        """Raises GatewayError, and then `fail` is still possible."""
        exchange = self.exchange
        if isinstance(reply, Unread):
            await self._pass(reply)
            return
        if exchange.stream:
            await self._stream(reply, compression)
            return
        body = await reply.whole(exchange.dialect, exchange.fields)
        if exchange.gatekeeper is not None:
            body = await exchange.gatekeeper.whole(body, reply)
        if exchange.heard is not None:
            exchange.heard.given(body)
        if exchange.restorer is not None:
            body = await exchange.restorer.whole(body, reply)
        headers = _headers(exchange, reply)
        kind = reply.content_type or exchange.dialect.content_type(False, exchange.fields)
        headers.append((b"content-type", kind))
        if kind.startswith(COMPRESSIBLE):
            body = compress.whole(compression, body, exchange.headers, headers)
        headers.append((b"content-length", b"%d" % len(body)))
        record = exchange.record
        record.status, record.bytes_out = reply.status, len(body)
        record.first_token = round(time.perf_counter() - exchange.clock, 6)
        bill(exchange)
        cost = record.cost
        if cost is not None:
            if len(exchange.attempts) > 1:  # with the answers that were paid for and not given
                cost = dollars(exchange.charged or None) or cost
            headers.append((b"x-headgate-cost", cost.encode()))
        await exchange.ending.aclose()
        cycle = self.cycle
        if cycle is None:
            await self._head(reply.status, headers)
            await self.send({"type": "http.response.body", "body": body})
        else:
            cycle.start(reply.status, headers, len(body))
            self.begun = True
            cycle.end(body)

    async def _pass(self, reply: Unread) -> None:
        """What is not read: as it comes, in its own framing, with the provider's own status."""
        exchange, record = self.exchange, self.exchange.record
        record.status = reply.status
        if reply.status >= 400:
            record.ending, record.error, record.origin = "failed", ProviderRefused.code, "provider"
        headers = _headers(exchange, reply)
        if reply.content_type:
            headers.append((b"content-type", reply.content_type))
        if reply.length is not None and reply.status != 204 and exchange.gatekeeper is exchange.restorer is None:
            headers.append((b"content-length", b"%d" % reply.length))
        if reply.status >= 400:
            headers += (
                (b"x-headgate-error-code", ProviderRefused.code.encode()),
                (b"x-headgate-error-origin", b"provider"),
            )
        await self._head(reply.status, headers)
        last = b""
        async for data in self._frames(reply):
            record.bytes_out += len(data)
            record.first_token = record.first_token or round(time.perf_counter() - exchange.clock, 6)
            if reply.account.complete:
                last = data
            elif data:
                await self.send({"type": "http.response.body", "body": data, "more_body": True})
        await exchange.ending.aclose()
        await self.send({"type": "http.response.body", "body": last})

    def _frames(self, reply: Reply) -> AsyncIterator[bytes]:
        exchange = self.exchange
        frames = reply.frames(exchange.dialect, exchange.fields)
        if exchange.gatekeeper is not None:
            frames = exchange.gatekeeper.through(frames, reply)
        if exchange.heard is not None:
            frames = exchange.heard.through(frames)
        return frames if exchange.restorer is None else exchange.restorer.through(frames, reply)

    async def _head(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        self.begun = True

    async def _stream(self, reply: Reply, compression: Compression) -> None:
        exchange, send, cycle = self.exchange, self.send, self.cycle
        record = exchange.record
        record.status = reply.status
        headers = _headers(exchange, reply)
        kind = reply.content_type or exchange.dialect.content_type(True, exchange.fields)
        headers += ((b"content-type", kind), (b"cache-control", b"no-cache"))
        if kind.startswith(COMPRESSIBLE):
            self.squeeze = compress.stream(compression, exchange.headers, headers)
        squeeze = self.squeeze
        await self._head(reply.status, headers)
        last = b""
        async for data in self._frames(reply):
            record.bytes_out += len(data)
            account = reply.account
            if record.first_token is None and account.started:
                record.first_token = round(time.perf_counter() - exchange.clock, 6)
            if account.complete:
                last = data
            else:
                body = squeeze(data) if squeeze else data
                if cycle is None:
                    await send({"type": "http.response.body", "body": body, "more_body": True})
                    continue
                cycle.write(body)
                if cycle.protocol.write_paused:
                    await cycle.drain()
        if reply.account.failed:
            _note(exchange, await self._guarded(reply.account.failed), "cut")
        await exchange.ending.aclose()
        await send({"type": "http.response.body", "body": squeeze(last, True) if squeeze else last})

    async def fail(self, error: GatewayError) -> None:
        """The error instead of a reply, or as the last frame of the stream that has begun."""
        error = await self._guarded(error)
        if not self.begun:
            await refuse(self.exchange, error, self.send)
            return
        exchange = self.exchange
        _note(exchange, error, "cut")
        last = _last_words(exchange, error)
        exchange.record.bytes_out += len(last)
        if exchange.heard is not None:
            exchange.heard.given(last)
        try:
            await exchange.ending.aclose()
        finally:
            if last:  # else no error can be said in these bytes: that they break off is what tells
                body = self.squeeze(last, True) if self.squeeze else last
                await self.send({"type": "http.response.body", "body": body})

    async def _guarded(self, error: GatewayError) -> GatewayError:
        """As guards leave it, where it has words of the provider's."""
        if self.exchange.gatekeeper is not None and isinstance(error, ProviderRefused | ProviderNonsense):
            try:
                await self.exchange.gatekeeper.error(error)
            except GatewayError as other:
                return other
        return error


async def refuse(exchange: Exchange, error: GatewayError, send: Send) -> None:
    """An error instead of a reply, in the client's dialect: a provider's own body where both speak alike."""
    record = exchange.record
    _note(exchange, error, "refused" if isinstance(error, RequestError | Overloaded) else "failed")
    record.status = error.status
    body, kind = _error_body(exchange, error)
    headers = [
        *identity(exchange.dialect, exchange.id, error.headers if isinstance(error, ProviderRefused) else ()),
        *exchange.announced,
        (b"content-type", kind),
        (b"content-length", b"%d" % len(body)),
        (b"x-headgate-error-code", error.code.encode()),
        (b"x-headgate-error-origin", error.origin.encode()),
    ]
    if exchange.target is not None:
        headers.append((b"x-headgate-model", _value(exchange.target.name)))
        headers.append((b"x-headgate-attempts", b"%d" % len(exchange.attempts)))
    if exchange.trace is not None and exchange.trace.kept(exchange):
        headers.append((TRACE, exchange.trace.id.encode()))
    if error.retry_after is not None:
        headers.append((b"retry-after", b"%d" % -(-error.retry_after // 1)))
    if isinstance(error, LimitExceeded):
        headers.append((b"x-headgate-limit", _value(error.limit)))
    if error.status == 405:
        headers.append((b"allow", ANY_METHOD if exchange.dialect.takes == "raw" else b"POST"))
    record.bytes_out = len(body)
    if exchange.heard is not None:
        exchange.heard.given(body)
    await exchange.ending.aclose()
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _error_body(exchange: Exchange, error: GatewayError) -> tuple[bytes, bytes]:
    if isinstance(error, ProviderRefused) and error.kind is not None and error.dialect is exchange.dialect:
        return error.body, error.content_type
    return exchange.dialect.write_error(error, exchange.id, streaming=False), JSON


def _last_words(exchange: Exchange, error: GatewayError) -> bytes:
    """What a stream ends with that has begun."""
    dialect = exchange.dialect
    break_off = getattr(dialect, "break_off", None)
    if break_off is None:
        return dialect.write_error(error, exchange.id, streaming=True)
    said: bytes = break_off(error, exchange.id, exchange.fields, exchange.record.bytes_out > 0)
    return said


def _note(exchange: Exchange, error: GatewayError, ending: Any) -> None:
    record = exchange.record
    record.ending = ending
    record.error = error.code
    record.message = error.message[:1000]
    record.origin = error.origin


def _headers(exchange: Exchange, reply: Reply) -> list[tuple[bytes, bytes]]:
    target = exchange.target
    passed: Sequence[Header] = reply.headers
    if exchange.announced:  # what is left of the gateway's own limits counts, not what is left of a provider's
        passed = [header for header in passed if not header[0].startswith(b"x-ratelimit-")]
    headers = [*identity(exchange.dialect, exchange.id, passed), *exchange.announced]
    if target is not None:
        headers.append((b"x-headgate-model", _value(target.name)))
    headers.append((b"x-headgate-attempts", b"%d" % len(exchange.attempts)))
    if exchange.trace is not None and exchange.trace.kept(exchange):
        headers.append((TRACE, exchange.trace.id.encode()))
    lost = [*exchange.lost, *reply.lost]
    if lost:
        named = ", ".join(loss.path for loss in lost)
        headers.append((b"x-headgate-lost", _value(named)))
    return headers


def identity(dialect: Dialect, id: str, passed: Sequence[Header] = ()) -> list[Header]:
    """The provider's headers and the request's id, also where Anthropic's clients look for it if none stands there.

    https://docs.claude.com/en/api/errors#request-id
    """
    own = id.encode()
    headers = [(b"x-request-id", own), *passed]
    if REQUEST_ID in dialect.reply_headers and not any(name == REQUEST_ID for name, _ in passed):
        headers.append((REQUEST_ID, own))
    return headers


def _value(text: str) -> bytes:
    """A header's value of any text: ASCII without control characters, at most 1,000 bytes."""
    value = text[:1000].encode("ascii", "backslashreplace")[:1000]
    return value if text.isprintable() else bytes(byte for byte in value if 32 <= byte < 127)
