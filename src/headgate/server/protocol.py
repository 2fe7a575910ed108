"""HTTP/1.1 on a client's connection: parses with httptools, enforces the limits, runs the ASGI application.

A client that closes its connection, or only its sending side, is gone: its request is cancelled at once. (Telling a
half-closed client from a vanished one would cost every disconnect the time until the next byte of the answer.)
While a body is held back because the application does not read it, a client's leaving goes unnoticed: TCP delivers the
end only after the bytes before it. What ends the wait then is the provider's `timeouts.idle`.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any, cast

import httptools

from headgate.core.errors import InvalidRequest, SlowRequest, TooLarge
from headgate.server.cycles import WASTE, Cycle
from headgate.server.heads import Head, Headers, check_size, read_framing, read_start, too_large, unreadable
from headgate.server.refusals import Refusal, answer_headers, too_busy, too_slow
from headgate.server.writing import Writing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from headgate.core.memo import Memo
    from headgate.server.connections import Connections

IDLE, HEAD, BODY, LINGER = range(4)
"""What a connection is reading: nothing, a request's head, its body, or the remains before it is closed."""

LINGER_SECONDS = 1.0
MAX_LINGERING = 256
"""Connections above the limit that are told so politely; the ones above this are reset."""
MAX_PIPELINED = 32
ASGI = {"version": "3.0", "spec_version": "2.3"}


class Protocol(Writing):
    """One client's connection. Requests on it are answered one after another, in order."""

    # fmt: off
    __slots__ = (
        "base", "connections", "current", "deaf", "fed", "fresh", "head", "head_bytes", "headers", "last_words",
        "mark", "marked", "overflow", "owed", "parser", "phase", "queue", "read_paused", "reading", "replaying",
        "since", "taken", "taken_at", "url", "wire",
    )
    # fmt: on

    def __init__(self, connections: Connections) -> None:
        super().__init__(connections.loop)
        self.connections = connections
        self.parser = httptools.HttpRequestParser(self)
        self.phase = HEAD
        self.since = self.loop.time()
        self.deaf = False
        """What comes is dropped: the connection is to be closed."""
        self.overflow = False
        self.headers: list[tuple[bytes, bytes]] = []
        self.head: Head | None = None
        """The last one, where the next may be known by it."""
        self.fresh = b""
        """What came first of the request whose head is being read."""
        self.owed = 0
        """Bytes still to come of a body whose head was known: the parser sees neither."""
        self.url = b""
        self.head_bytes = self.fed = self.wire = 0
        self.replaying = False
        self.reading: Cycle | None = None
        self.current: Cycle | None = None
        self.queue: deque[Cycle] = deque()
        self.last_words: bytes | None = None
        self.read_paused = False
        self.taken = 0
        self.taken_at = self.marked = connections.now
        self.mark = 0

    # The transport's calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are Transports in all but their class
        self.transport = cast("asyncio.Transport", transport)
        connections = self.connections
        client, server = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        self.base: dict[str, Any] = {
            "type": "http",
            "asgi": ASGI,
            "http_version": "1.1",
            "server": server[:2] if isinstance(server, tuple) else (server, None),
            "client": client[:2] if isinstance(client, tuple) else None,
            "scheme": "https" if transport.get_extra_info("sslcontext") else "http",
            "root_path": "",
        }
        crowd = len(connections.open) - connections.lingering
        connections.open.add(self)
        if crowd >= connections.limits.max_connections:
            self.turn_away()

    def turn_away(self) -> None:
        """One connection too many."""
        connections = self.connections
        self.overflow = True
        connections.lingering += 1
        if connections.lingering > MAX_LINGERING:
            connections.reset(self)
        else:
            self.refuse(too_busy("The gateway has as many connections as it may; try again in a second."))

    def connection_lost(self, exc: Exception | None) -> None:
        self.connections.open.discard(self)
        if self.overflow:
            self.connections.lingering -= 1
        self.deaf = True
        self.drop("client")
        self.resume_writing()
        self.reading = None
        self.pending.clear()
        del self.parser

    def eof_received(self) -> None:
        """The client has closed its sending side, which is as good as gone; asyncio then closes the transport."""
        self.deaf = True
        self.drop("client")

    def drop(self, why: str) -> None:
        """Cancels what is running and forgets what is queued."""
        self.queue.clear()
        self.last_words = None
        if self.current is not None:
            self.current.cancel(why)
            self.current = None

    def data_received(self, data: bytes) -> None:
        if self.deaf:
            return
        if self.owed:
            data = self.take(data)
        elif self.phase == IDLE and self.head is not None and self.current is None:
            data = self.repeats(self.head, data)
        while data and not self.deaf:
            data = self.parse(data)

    def repeats(self, head: Head, data: bytes) -> bytes:
        """Begins a request, where it has the head that is known; gives what is left for the parser."""
        found = head.begins(data)
        if found is None:
            return data
        digits, start = found
        self.owed = int(digits)
        headers, named = head.again(digits)
        self.receive(head.scope, headers, named, self.owed, memo=head.memo)
        return self.take(data[start:])

    def take(self, data: bytes) -> bytes:
        """Of a body that the parser does not see; gives what comes behind its end. Empty lines there are nothing (RFC
        9112, 2.2)."""
        body = data[: self.owed]
        self.owed -= len(body)
        if body:
            self.on_body(body)
        if self.owed:
            return b""
        self.received()
        return data[len(body) :].lstrip(b"\r\n")

    def parse(self, data: bytes) -> bytes:
        """Gives what is behind a request that asks for an upgrade."""
        if self.phase == BODY:
            self.wire += len(data)
        elif self.phase == IDLE or not self.fed:
            self.phase = HEAD
            self.since = self.connections.now
            self.fresh = data
        self.fed = len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            return self.ignore_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError as error:
            self.parse_failed(data, error)
            return b""
        if self.phase == HEAD:
            self.head_bytes += len(data)
            if self.head_bytes > self.connections.limits.max_header_bytes:
                self.refuse(too_large(self.connections.limits, self.url, self.headers))
        elif self.phase == BODY and self.wire > WASTE:
            self.check_framing_cost()
        return b""

    def parse_failed(self, data: bytes, error: httptools.HttpParserError) -> None:
        if self.deaf:
            return
        cause = error.__context__
        if isinstance(cause, Refusal):
            self.refuse(cause)
        elif isinstance(error, httptools.HttpParserCallbackError):
            raise error
        elif self.phase == BODY:
            message = f"The request's body is badly framed: {error}."
            self.fail_body(InvalidRequest(message))
        else:
            self.refuse(unreadable(data, str(error)))

    def ignore_upgrade(self, rest: bytes) -> bytes:
        """Gives what to read on with, as if no upgrade had been asked for, which llhttp cannot be told to do.

        HTTP clients of the JDK ask for h2c with every first request, body and all. llhttp takes what follows such a
        head for another protocol, so a parser that has seen a plain head with the same framing takes over.
        """
        cycle = self.reading
        if cycle is None or self.deaf:
            return b""
        framing = b"transfer-encoding: chunked" if cycle.length is None else b"content-length: %d" % cycle.length
        self.parser = httptools.HttpRequestParser(self)
        self.replaying = True
        self.phase = BODY
        try:
            self.parser.feed_data(b"POST / HTTP/1.1\r\nhost: replayed\r\n" + framing + b"\r\n\r\n")
        finally:
            self.replaying = False
        return rest

    # The parser's calls

    def on_message_begin(self) -> None:
        if self.replaying:
            return
        if self.deaf or len(self.queue) >= MAX_PIPELINED:
            raise too_busy(f"More than {MAX_PIPELINED} requests were sent without waiting for an answer.")
        self.phase = HEAD
        self.headers = []
        self.url = b""

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        # after the head these are trailers, which nothing here has a use for
        if self.phase == HEAD:
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        if self.replaying:
            return
        parser, url, headers = self.parser, self.url, self.headers
        check_size(self.connections.limits, url, headers, self.head_bytes + self.fed)
        version, method, keep_alive = parser.get_http_version(), parser.get_method(), parser.should_keep_alive()
        scope = read_start(url, method, version)
        length, waiting = read_framing(headers, version, url)
        scope = {**self.base, **scope}
        plain = keep_alive and not waiting and length is not None
        self.head = head = Head.learned(self.fresh, url, scope, headers) if plain and self.fresh else None
        self.fresh = b""
        memo = head.memo if head is not None else None
        self.receive(scope, headers, dict(headers), length, waiting=waiting, keep_alive=keep_alive, memo=memo)

    def receive(
        self,
        scope: Mapping[str, Any],
        headers: Headers,
        named: dict[bytes, bytes],
        length: int | None,
        *,
        waiting: bool = False,
        keep_alive: bool = True,
        memo: Memo | None = None,
    ) -> None:
        """A request's head is whole. `length`: its body's, None where that comes in chunks."""
        scope = {**scope, "headers": headers}
        cycle = Cycle(self, scope, length, waiting, named, memo)
        scope["extensions"] = {"headgate": cycle}
        cycle.keep_alive = keep_alive
        if length is not None and length > self.connections.limits.max_body_bytes:
            cycle.fail(self.body_too_large())
        self.head_bytes = self.wire = self.mark = 0
        self.marked = self.connections.now
        self.reading = cycle
        self.phase = BODY
        if self.current is None:
            self.begin(cycle)
        else:
            self.queue.append(cycle)

    def on_body(self, body: bytes) -> None:
        cycle = self.reading
        if cycle is None or self.deaf:
            return
        cycle.feed(body)
        if cycle.received > self.connections.limits.max_body_bytes and cycle.failure is None:
            self.fail_body(self.body_too_large())

    def on_message_complete(self) -> None:
        if self.reading is not None and not self.parser.should_upgrade():
            self.received()

    def received(self) -> None:
        """The body has come to its end."""
        cycle, self.reading = self.reading, None
        assert cycle is not None
        if self.phase != LINGER:
            self.phase = IDLE
        self.since = self.connections.now
        self.deaf = self.deaf or not cycle.keep_alive
        if cycle.more:
            cycle.finish_body()
        # A paused connection cannot be seen to be closed, so this is for those who really overdo it
        if len(self.queue) >= MAX_PIPELINED // 2:
            self.pause_reading()

    # Limits

    def body_too_large(self) -> TooLarge:
        limit = self.connections.limits.max_body_bytes
        return TooLarge(f"The request's body is larger than {limit} bytes; send a smaller one.")

    def check_framing_cost(self) -> None:
        """Chunk extensions and trailers are dropped, but take time: no more than sixteen bytes for one of the body."""
        cycle = self.reading
        if cycle is not None and not cycle.complete and self.wire > WASTE + 16 * cycle.received:
            self.fail_body(InvalidRequest("The body's chunk extensions or trailers outweigh it; leave them out."))

    def check(self, now: float) -> None:
        """Called by the sweep: which clock has run out?"""
        waiting = self.transport.get_write_buffer_size()
        taken = self.written - waiting
        if not waiting or taken != self.taken:
            self.taken = taken
            self.taken_at = now
        elif now - self.taken_at > self.connections.limits.write_timeout:
            self.abandon("stalled")
            return
        limits = self.connections.limits
        if self.phase == BODY:
            self.check_body_rate(now)
        elif self.phase == HEAD:
            if now - self.since > limits.header_timeout and not self.deaf:
                self.refuse(too_slow(f"The request's head did not arrive within {limits.header_timeout:g} s."))
        elif self.phase == LINGER:
            if now - self.since > LINGER_SECONDS and not waiting:
                self.transport.abort()
        elif self.current is None and now - self.since > limits.keep_alive:
            self.transport.close()

    def check_body_rate(self, now: float) -> None:
        cycle, limits = self.reading, self.connections.limits
        span = now - self.marked
        if cycle is None or span < limits.body_idle_timeout:
            return
        slow = cycle.received - self.mark < limits.min_body_rate * span
        self.mark = cycle.received
        self.marked = now
        if not slow or self.read_paused or cycle.waiting or self.deaf or (cycle.started and not cycle.complete):
            return
        self.fail_body(SlowRequest(f"The request's body arrived with less than {limits.min_body_rate} bytes a second."))

    # Answers

    def begin(self, cycle: Cycle) -> None:
        """It is this request's turn."""
        self.current = cycle
        connections = self.connections
        if len(connections.cycles) >= connections.limits.max_requests:
            refusal = too_busy("The gateway is running as many requests as it may; try again in a second.")
            id = self.report(refusal, cycle.scope["path"])
            self.answer_refusal(cycle, refusal.status, refusal.code, refusal.message, id)
        elif cycle.scope["path"] == "*":
            cycle.start(204, [(b"allow", b"GET, HEAD, POST, OPTIONS")])
            cycle.end()
        else:
            connections.cycles.add(cycle)
            cycle.task = self.loop.create_task(cycle.run())

    def answer_refusal(self, cycle: Cycle, status: int, code: str, message: str, id: str | None = None) -> None:
        """A request that has begun is answered with an error of the server's own."""
        connections = self.connections
        named, body = connections.refuse(status, code, message, cycle.scope["path"], id or connections.next_id())
        cycle.start(status, answer_headers(status, code, named, body))
        cycle.end(b"" if cycle.method == "HEAD" else body)

    def answered(self, cycle: Cycle) -> None:
        """The answer is complete: the next request's turn, or the connection's end."""
        if cycle is not self.current:
            return
        self.current = None
        if not cycle.keep_alive:
            self.queue.clear()
            if cycle.more or self.phase == HEAD or self.read_paused:
                self.linger()
            else:
                self.deaf = True
                self.transport.close()
        elif self.queue:
            self.begin(self.queue.popleft())
        elif self.last_words is not None:
            self.put(self.last_words)
            self.linger()
        else:
            if self.phase == IDLE:
                self.since = self.loop.time()
            self.resume_reading()

    def refuse(self, refusal: Refusal) -> None:
        """Answers with an error when it is its turn, and closes the connection; nothing that comes is read again."""
        connections = self.connections
        self.deaf, self.fresh = True, b""
        path = None
        if self.url[:1] == b"/":
            path = self.url.partition(b"?")[0].decode("latin-1")
        id = self.report(refusal, path)
        named, body = connections.refuse(refusal.status, refusal.code, refusal.message, path, id)
        lines = [b"HTTP/1.1 %d Refused\r\n" % refusal.status, connections.date]
        lines += [b"%b: %b\r\n" % header for header in answer_headers(refusal.status, refusal.code, named, body)]
        answer = b"".join((*lines, b"connection: close\r\n\r\n", body))
        if self.current is not None:
            self.last_words = answer
        else:
            self.put(answer)
            self.linger()

    def report(self, refusal: Refusal, path: str | None) -> str:
        """The id by which the refusal goes from here on: in the record, and in the answer."""
        client, id = self.base["client"], self.connections.next_id()
        self.connections.on_refused(path, client[0] if client else None, refusal.status, refusal.code, id)
        return id

    def fail_body(self, error: InvalidRequest | SlowRequest | TooLarge) -> None:
        """The body being read will not arrive: the application is told, and the connection closed after its answer."""
        cycle = self.reading
        self.deaf = True
        if cycle is None or (cycle.complete and self.current is None):
            self.linger()
        else:
            cycle.fail(error)

    # The end, and what is held back

    def linger(self) -> None:
        """Closes the sending side and reads away for a second what still comes, so that the client gets its answer.

        Closing with unread bytes makes TCP send a reset, which can overtake the answer (RFC 9112 section 9.6).
        """
        self.deaf = True
        self.phase = LINGER
        self.since = self.connections.now
        if self.transport.is_closing():
            return
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self.resume_reading()
        else:
            self.transport.close()

    @property
    def idle(self) -> bool:
        """Waiting for a request of which nothing has come."""
        return self.current is None and (self.phase == IDLE or (self.phase == HEAD and not self.fed))

    def close_if_idle(self, seconds: float) -> None:
        if self.idle and self.loop.time() - self.since >= seconds:
            self.transport.close()

    def abandon(self, why: str) -> None:
        """Cancels the request and resets the connection; where all has been answered, closes it."""
        whole = self.current is None and not self.transport.get_write_buffer_size()
        self.drop(why)
        if whole:
            self.transport.abort()
        else:
            self.connections.reset(self)

    def abort(self) -> None:
        """The answer broke off: a reset tells the client that it is not whole."""
        self.flush()
        self.current = None
        self.deaf = True
        self.connections.reset(self)

    def pause_reading(self) -> None:
        if not self.read_paused and not self.transport.is_closing():
            self.read_paused = True
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        if self.read_paused and not self.transport.is_closing():
            self.read_paused = False
            self.marked = self.connections.now
            self.transport.resume_reading()
