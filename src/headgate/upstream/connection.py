"""One connection to a provider: speaks HTTP/1.1, one request at a time."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httptools

from headgate.core.errors import GatewayError, InternalError, ProviderCut, ProviderNonsense, ProviderTimeout
from headgate.upstream.bodies import decoder_for
from headgate.upstream.response import Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from headgate.core.body import Body
    from headgate.core.target import Timeouts
    from headgate.upstream.deadlines import Deadlines

JOINED = 64 * 1024
"""Bodies up to this many bytes go out in one write with the head."""
WRITE = 256 * 1024
"""Larger ones go out in pieces of this size, each waiting until the provider has taken the one before."""
INTERIM = 16
"""Interim (1xx) replies that are skipped before the real one."""
STALE = 1.0
"""Seconds after the request was written within which a close counts as "was closed while idle"."""
AFTERWARDS = 64 * 1024
AFTERWARDS_SECONDS = 1.0
_FRAMING = frozenset({b"content-length", b"transfer-encoding", b"content-encoding"})


@dataclass(slots=True, frozen=True)
class Limits:
    """Of each connection; `keep_alive` in seconds."""

    keep_alive: float
    header_bytes: int
    headers: int
    buffer_bytes: int


class Connection(asyncio.Protocol):
    """A transport's protocol and the callbacks of its parser.

    `free` is called with the connection when it can take the next request, `gone` once when it is of no more use.
    Between two requests any byte from the other side ends the connection: it could only be taken for the next reply.
    """

    __slots__ = (
        "_bare",
        "_drained",
        "_draining",
        "_empty_bytes",
        "_fault",
        "_full",
        "_head_left",
        "_interim",
        "_keep",
        "_large",
        "_limits",
        "_loop",
        "_parser",
        "_room",
        "_sending",
        "_sent_at",
        "_transport",
        "_watch",
        "alive",
        "deadline",
        "free",
        "gone",
        "held",
        "response",
        "secure",
        "served",
        "where",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, watch: Deadlines, limits: Limits, where: str) -> None:
        self._loop = loop
        self._watch = watch
        self._limits = limits
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)
        self._fault: GatewayError | None = None
        self._head_left = 0
        self._interim = 0
        self._empty_bytes = 0
        self._drained = 0
        self._draining = False
        self._keep = False
        self._large = False
        self._sending = False
        self._sent_at = 0.0
        self._full = False
        self._bare = False
        self._room: asyncio.Future[None] | None = None
        self.where = where
        self.alive = True
        self.held = False
        self.served = 0
        self.deadline = float("inf")
        self.response: Response | None = None
        self.secure: ssl.SSLObject | None = None
        self.free: Callable[[Connection], None] | None = None
        self.gone: Callable[[Connection], None] | None = None

    # ---- asking

    def opened(self, transport: asyncio.Transport) -> None:
        """The transport stands (TLS and tunnel included)."""
        self._transport = transport
        self.secure = transport.get_extra_info("ssl_object")

    async def ask(
        self, head: bytes, body: bytes | Body | None, timeouts: Timeouts, now: float, until: float
    ) -> Response:
        """Write the request and wait for the reply's head.

        On failure `response.stale` says whether the connection had been closed while it was idle; see `_stale`.
        Raises what a `Body` raises.
        """
        transport = self._transport
        assert transport is not None
        response = self.response = Response(self, timeouts, until)
        self._head_left = self._limits.header_bytes
        self._interim = self._empty_bytes = 0
        self._bare = False
        if body is None or (isinstance(body, bytes) and len(body) <= JOINED):
            if body is None:
                self._bare = head.startswith(b"HEAD ")
                transport.write(head + b"\r\n")
            else:
                transport.write(b"%bcontent-length: %d\r\n\r\n%b" % (head, len(body), body))
            self._sent_at = now
            self._await_until(min(now + timeouts.first_byte, until))
        elif isinstance(body, bytes):
            await self._send(response, transport, b"%bcontent-length: %d\r\n\r\n" % (head, len(body)), body)
        else:
            await self._stream(response, transport, head, body)
        while not response.status and response.error is None:
            await response.wait()
        return response

    async def _send(self, response: Response, transport: asyncio.Transport, head: bytes, body: bytes) -> None:
        """A large body, no faster than it is taken. Stops when the reply is there before the request's end."""
        self._large = self._sending = True
        transport.write(head)
        view = memoryview(body)
        for start in range(0, len(view), WRITE):
            while self._full and not response.status and response.error is None:
                now = self._loop.time()
                self._await_until(min(now + response.timeouts.idle, response.until))
                await response.wait()
            if response.status or response.error is not None:
                return
            transport.write(view[start : start + WRITE])
        self._sent(response)

    def _sent(self, response: Response) -> None:
        self._sending = False
        self._sent_at = self._loop.time()
        self._await_until(min(self._sent_at + response.timeouts.first_byte, response.until))

    async def _stream(self, response: Response, transport: asyncio.Transport, head: bytes, body: Body) -> None:
        """A body that is read as it is sent. Stops when the reply is there before the request's end.

        Reading may take as long as the client does, so it is a task of its own: a reply ends it.
        """
        self._large = self._sending = True
        length = body.length
        framing = b"transfer-encoding: chunked" if length is None else b"content-length: %d" % length
        transport.write(b"%b%b\r\n\r\n" % (head, framing))
        self._await_until(response.until)
        pump = self._loop.create_task(self._pump(response, transport, body))
        pump.add_done_callback(response.wake_after)
        try:
            while not (response.status or response.error is not None or pump.done()):
                await response.wait()
        finally:
            pump.cancel()
            await asyncio.wait((pump,))
        failure = None if pump.cancelled() else pump.exception()
        if failure is not None and response.error is None:
            response.close()
            raise failure

    async def _pump(self, response: Response, transport: asyncio.Transport, body: Body) -> None:
        """Write the body as it comes, no faster than it is taken. Raises what the body raises."""
        left = body.length
        async with aclosing(body.pieces()) as pieces:
            async for piece in pieces:
                if left is not None:
                    left -= len(piece)
                    if left < 0:
                        break
                    transport.write(piece)
                elif piece:
                    transport.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                while self._full:
                    self._await_until(min(self._loop.time() + response.timeouts.idle, response.until))
                    self._room = self._loop.create_future()
                    await self._room
                self._await_until(response.until)
        if left:
            raise InternalError("a body for a provider is not as long as it was said to be")
        if left is None:
            transport.write(b"0\r\n\r\n")
        self._sent(response)

    async def more(self, response: Response) -> None:
        """Wait for more of the body, at most `timeouts.idle`."""
        self._await_until(min(self._loop.time() + response.timeouts.idle, response.until))
        await response.wait()

    def _await_until(self, deadline: float) -> None:
        self.deadline = deadline
        self._watch.expect(deadline)

    def let_go(self) -> None:
        """The reader has emptied the buffer: let the provider send again."""
        self.held = False
        if self.alive and self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    def read_away(self, response: Response) -> None:
        """Read to the reply's end for its own sake, within limits; nobody waits."""
        self._draining = True
        self._drained = 0
        response.waiting = 0
        self._await_until(min(self._loop.time() + AFTERWARDS_SECONDS, response.until))
        if self.held:
            self.let_go()

    # ---- the transport's side

    def data_received(self, data: bytes) -> None:
        response, parser = self.response, self._parser
        if response is None or parser is None:
            self.discard()
            return
        had, began = response.waiting, response.status
        try:
            if began:
                parser.feed_data(data)
            else:
                self._feed_head(response, parser, data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if not response.complete:
                self.fail(self._fault or self._malformed(error))
                return
            self._keep = False  # bytes after the reply's end: the reply is good, the connection is not
        if response.complete:
            self._completed(response)
        elif self._draining:
            self._drain(response)
        elif began and response.waiting == had:
            self._empty_bytes += len(data)
            if self._empty_bytes > self._limits.header_bytes:
                self.fail(ProviderNonsense(f"{self.where} sent chunk or trailer lines without end."))
                return
        else:
            self._empty_bytes = 0
            if response.waiting > self._limits.buffer_bytes and not self.held:
                self._hold()
        if response.waiter is not None and (response.waiting or response.status):
            response.wake()

    def _feed_head(self, response: Response, parser: httptools.HttpResponseParser, data: bytes) -> None:
        size = len(data)
        if size <= self._head_left:
            self._head_left -= size
            parser.feed_data(data)
            return
        parser.feed_data(data[: self._head_left])
        if not response.status:
            self._fault = ProviderNonsense(
                f"{self.where} sent more than {self._limits.header_bytes} bytes of headers; this is not taken."
            )
            raise httptools.HttpParserError("headers too large")
        parser.feed_data(data[self._head_left :])

    def eof_received(self) -> None:
        self._ended(None)

    def connection_lost(self, error: Exception | None) -> None:
        self._ended(error)

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        if self._room is not None and not self._room.done():
            self._room.set_result(None)
        elif self._sending and self.response is not None:
            self.response.wake()

    def _hold(self) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self.held = True
            self._transport.pause_reading()

    # ---- the parser's side

    def on_message_begin(self) -> None:
        if self.response is None or self.response.complete:
            raise ValueError("bytes after the reply")

    def on_header(self, name: bytes, value: bytes) -> None:
        response = self.response
        if response is not None and not response.status:  # else a trailer, which nobody asked for
            response.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        response, parser = self.response, self._parser
        assert response is not None
        assert parser is not None
        status = parser.get_status_code()
        headers = response.headers
        if len(headers) > self._limits.headers:
            raise self._refuse(f"sent {len(headers)} headers; more than {self._limits.headers} are not taken")
        if not 200 <= status <= 599:
            self._interim += 1
            if not 100 <= status < 200 or status == 101:
                raise self._refuse(f"answered with the status {status}, which is not one of HTTP's for this request")
            if self._interim > INTERIM:
                raise self._refuse(f"sent more than {INTERIM} interim replies (the last was {status})")
            response.headers = []
            return
        for name, value in headers:
            if name in _FRAMING:
                self._frame(response, name, value)
        if parser.get_http_version() not in ("1.1", "1.0"):
            raise self._refuse(f"answered in HTTP/{parser.get_http_version()}, though asked in HTTP/1.1")
        response.status = status
        if self._bare:  # a reply to HEAD says how long the body would be, and has none; the parser cannot be told
            response.complete = True

    def _frame(self, response: Response, name: bytes, value: bytes) -> None:
        if name == b"content-length":
            response.length = int(value)  # digits only and only once: the parser has seen to that
        elif name == b"transfer-encoding":
            if value.strip().lower() != b"chunked":
                raise self._refuse("answered with a transfer-encoding other than chunked")
        elif response.decoder is not None:
            raise self._refuse("encoded its reply more than once (content-encoding)")
        else:
            try:
                response.decoder = decoder_for(value)
            except ProviderNonsense as error:
                self._fault = error
                raise ValueError from None

    def on_body(self, data: bytes) -> None:
        response = self.response
        if response is not None:
            response.pieces.append(data)
            response.waiting += len(data)

    def on_message_complete(self) -> None:
        response, parser = self.response, self._parser
        if response is not None and parser is not None and response.status:
            response.complete = True
            self._keep = parser.should_keep_alive()

    def _refuse(self, what: str) -> ValueError:
        self._fault = ProviderNonsense(f"{self.where} {what}.")
        return ValueError(what)

    def _malformed(self, error: Exception) -> ProviderNonsense:
        response = self.response
        where = "the body of its reply" if response is not None and response.status else "its reply"
        return ProviderNonsense(
            f"{self.where} broke the rules of HTTP in {where}: {error}. Is this an HTTP/1.1 server?"
        )

    # ---- ends

    def _completed(self, response: Response) -> None:
        """The reply is all there: the connection is free, or done with."""
        self.response = response.connection = None
        if self._draining:
            self._draining = False
            response.pieces.clear()
        self._keep = self._keep and not self._bare
        transport = self._transport
        assert transport is not None
        if not self._keep or self._sending or (self._large and transport.get_write_buffer_size()):
            self.discard()
            return
        self._large = False
        if self.held:
            self.let_go()
        self.served += 1
        if self.free is not None:
            self.deadline = self._loop.time() + self._limits.keep_alive
            self._watch.expect(self.deadline)
            self.free(self)

    def _drain(self, response: Response) -> None:
        self._drained += response.waiting
        response.pieces.clear()
        response.waiting = 0
        if self._drained > AFTERWARDS:
            self.discard()

    def overdue(self, now: float) -> None:
        """Called when `deadline` has passed."""
        response = self.response
        if response is None or self._draining:
            self.discard()
            return
        timeouts = response.timeouts
        if now >= response.until:
            self.fail(self._late("did not finish its reply", timeouts.total, "total"))
        elif response.waiter is None:
            self.deadline = response.until  # nobody waits for the provider: the reader is busy with what has come
        elif response.status:
            self.fail(self._late("sent nothing more of its reply", timeouts.idle, "idle"))
        elif self._sending:
            self.fail(self._late("took nothing more of the request", timeouts.idle, "idle"))
        else:
            self.fail(self._late("did not begin its reply", timeouts.first_byte, "first_byte"))

    def _late(self, what: str, seconds: float, setting: str) -> ProviderTimeout:
        return ProviderTimeout(
            f"{self.where} {what} within {seconds:g} s; if it may take longer, raise the provider's timeouts.{setting}."
        )

    def _ended(self, error: Exception | None) -> None:
        """The other side has closed (no error), or the connection broke."""
        if not self.alive:
            self._parser = None  # its callbacks point back here
            return
        response = self.response
        if response is None or self._draining:
            self.discard()
        elif error is None and response.status and self._until_close(response):
            response.complete = True
            self._keep = False
            self._completed(response)
            response.wake()
        else:
            response.stale = self._stale()
            self.fail(self._cut(response, error))

    def _until_close(self, response: Response) -> bool:
        return response.length is None and response.header(b"transfer-encoding") is None

    def _stale(self) -> bool:
        """Whether the close met a request that the provider has most likely not read, so that it may be sent again.

        A provider closes connections that idle too long, and a request can cross that close on its way. Then the
        connection has served before, not one byte of a reply has come, and the close arrives while we write or within
        a round trip of it. Sending again is right even for a POST that costs money: a server that had begun to work on
        the request would have no reason to close at that moment. One that reads a request, works on it and then dies
        does so later than STALE seconds, or on a fresh connection: neither is repeated here, that is for the retry
        stage to weigh.
        """
        untouched = self.served > 0 and self._head_left == self._limits.header_bytes
        return untouched and (self._sending or self._loop.time() - self._sent_at < STALE)

    def _cut(self, response: Response, error: Exception | None) -> ProviderCut:
        how = "reset the connection" if error is not None else "closed the connection"
        if response.status:
            return ProviderCut(f"{self.where} {how} before the end of its reply.")
        if self._head_left == self._limits.header_bytes:
            return ProviderCut(f"{self.where} {how} before answering.")
        return ProviderCut(f"{self.where} {how} in the middle of its reply's head.")

    def fail(self, error: GatewayError) -> None:
        """End the exchange with an error, and the connection with it."""
        response = self.response
        self.response = None
        self.discard()
        if response is not None:
            response.connection = None
            response.error = error
            response.wake()

    def discard(self) -> None:
        """Close at once. No farewell: nothing that is still to be written or read is wanted."""
        if not self.alive:
            return
        self.alive = False
        response, self.response = self.response, None
        if response is not None:
            response.connection = None
        if self._transport is not None:
            self._transport.abort()
        else:
            self._parser = None  # its callbacks point back here, and nobody will tell of an end
        if self.gone is not None:
            self.gone(self)
