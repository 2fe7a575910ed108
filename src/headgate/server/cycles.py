"""One request and its answer on a connection: the ASGI side of the HTTP server."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from http import HTTPStatus
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from headgate.core.errors import GatewayError, InternalError
from headgate.server.writing import HIGH_WATER

if TYPE_CHECKING:
    from headgate.core.memo import Memo
    from headgate.server.protocol import Protocol

STATUS_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
HOP = frozenset({b"transfer-encoding", b"connection"})
"""Headers of an answer that are the server's own to say."""
LINE, NAME = b": ".join, itemgetter(0)
WASTE = 65_536
"""Bytes of an unread body that are read away so that a connection can be kept."""


class Cycle:
    """What `scope["extensions"]["headgate"]` is: the request's body to read, the answer to write.

    An application may use ASGI's `receive` and `send`, or, with less work for both, `read`, `start`, `write`,
    `drain` and `end`. Failures of the body on its way (too slow, too large, badly framed) are raised by `receive` and
    `read` as a GatewayError, so that the application answers them like any other; the connection is closed after.
    When the client is gone the application's task is cancelled at once, and `gone` says why.
    """

    __slots__ = (
        "buffered",
        "chunked",
        "chunks",
        "complete",
        "failure",
        "gone",
        "head",
        "interrupted",
        "keep_alive",
        "left",
        "length",
        "memo",
        "method",
        "more",
        "named",
        "protocol",
        "received",
        "scope",
        "started",
        "task",
        "waiter",
        "waiting",
        "whole",
    )

    def __init__(
        self,
        protocol: Protocol,
        scope: dict[str, Any],
        length: int | None,
        waiting: bool,
        named: dict[bytes, bytes],
        memo: Memo | None,
    ) -> None:
        self.protocol = protocol
        self.scope = scope
        self.named = named
        """The headers by their names, the last of each."""
        self.memo = memo
        """Of the head, where others on the connection may repeat it."""
        self.method: str = scope["method"]
        self.task: asyncio.Task[None] | None = None
        self.gone: str | None = None
        """Why the task was cancelled: "client" (disconnected), "stalled" (took nothing), "stopping" (drain is over)."""
        self.failure: GatewayError | None = None
        self.interrupted = False
        """The task was cancelled because the drain is over; the client is still there to be told."""
        self.length = length
        self.waiting = waiting
        self.chunks: list[bytes] = []
        self.received = 0
        self.buffered = 0
        self.more = length != 0
        self.whole = False
        """`read` wants all of the body at once; after the body's end has been given, only a disconnect can follow."""
        self.waiter: asyncio.Future[None] | None = None
        self.keep_alive = True
        self.started = False
        self.complete = False
        self.chunked = False
        self.left = 0
        self.head: bytes | None = None

    # The connection's side

    async def run(self) -> None:
        """The application's task. What it raises unforeseen is logged by the loop and answered with a 500."""
        connections = self.protocol.connections
        try:
            await connections.app(self.scope, self.receive, self.send)
        except GatewayError as error:
            if not self.started:
                self.protocol.answer_refusal(self, error.status, error.code, error.message)
        except asyncio.CancelledError as cancelled:
            # the task keeps it, and its traceback all frames with the request and the task in them: a ring
            cancelled.__traceback__ = None
            raise
        finally:
            connections.cycles.discard(self)
            self.task = None
            if not self.complete and self.gone is None:
                self.give_up()
            # the scope holds this cycle: apart, both are freed at once, without the garbage collector
            self.scope = {}

    def give_up(self) -> None:
        """The application ended without finishing its answer."""
        if self.started:
            self.protocol.abort()
        else:
            message = "The gateway failed on this request; its log says why."
            self.protocol.answer_refusal(self, InternalError.status, InternalError.code, message)

    def feed(self, data: bytes) -> None:
        """Bytes of the body have come."""
        self.received += len(data)
        if self.complete or self.failure is not None:
            return
        self.chunks.append(data)
        self.buffered += len(data)
        if not self.whole:
            if self.waiter is not None:
                self.wake()
            if self.buffered > HIGH_WATER:
                self.protocol.pause_reading()

    def finish_body(self) -> None:
        """The body has come to its end."""
        self.more = False
        if self.waiter is not None:
            self.wake()

    def fail(self, error: GatewayError) -> None:
        """The body will not come to its end."""
        self.failure = error
        self.keep_alive = False
        self.chunks.clear()
        self.wake()

    def cancel(self, why: str) -> None:
        """The answer is of no use any more."""
        if self.gone is None and not self.complete:
            self.gone = why
            if self.task is not None:
                self.task.cancel()

    def interrupt(self) -> None:
        """The application has no more time than it takes to say so."""
        if self.task is not None and self.gone is None:
            self.interrupted = True
            self.task.cancel()

    def wake(self) -> None:
        waiter = self.waiter
        if waiter is not None:
            self.waiter = None
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self) -> None:
        """Until something has happened to the body or the answer."""
        if self.waiting and not self.started:
            self.waiting = False
            self.protocol.put(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.waiter = self.protocol.loop.create_future()
        self.protocol.resume_reading()
        await self.waiter

    # The application's side

    async def read(self) -> bytes:
        """The whole body. Raises SlowRequest, TooLarge or InvalidRequest."""
        self.whole = True
        while self.more and self.failure is None:
            await self.wait()
        if self.failure is not None:
            raise self.failure
        return self.taken()

    def taken(self) -> bytes:
        """What has come of the body since the last time."""
        chunks, self.chunks = self.chunks, []
        self.buffered = 0
        if not self.protocol.queue:  # else those who wait have paused it
            self.protocol.resume_reading()  # only on a connection that is read is it seen that the client leaves
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def receive(self) -> dict[str, Any]:
        """ASGI's receive. Raises SlowRequest, TooLarge or InvalidRequest."""
        while True:
            if self.gone is not None or self.complete:
                return {"type": "http.disconnect"}
            if self.failure is not None:
                raise self.failure
            if self.chunks or not (self.more or self.whole):
                break
            await self.wait()
        body = self.taken()
        self.whole = not self.more
        return {"type": "http.request", "body": body, "more_body": self.more}

    async def send(self, message: dict[str, Any]) -> None:
        """ASGI's send. Waits while the client takes less than the application gives."""
        if message["type"] == "http.response.body":
            if message.get("more_body"):
                self.write(message.get("body", b""))
                await self.drain()
            else:
                self.end(message.get("body", b""))
        elif message["type"] == "http.response.start":
            self.start(message["status"], message.get("headers", ()))
        else:
            raise RuntimeError(f"an answer is not made of {message['type']!r}")

    async def drain(self) -> None:
        """Waits while more than 64 KiB of the answer are still waiting for the client."""
        if self.protocol.write_paused:
            await self.protocol.writable()

    def start(self, status: int, headers: Collection[tuple[bytes, bytes]], length: int | None = None) -> None:
        """The answer's head; it leaves together with the first bytes of the body. Names are lower case. `length`: what
        they say of the body's, where that is known.

        Raises ValueError when a header holds a line break.
        """
        if self.started:
            raise RuntimeError("the answer has been started before")
        close = False
        if not HOP.isdisjoint(map(NAME, headers)):
            close = any(name == b"connection" and value.lower() == b"close" for name, value in headers)
            headers = [header for header in headers if header[0] not in HOP]
        if length is None:
            length = next((int(value) for name, value in headers if name == b"content-length"), None)
        lines = [*map(LINE, headers), *self.frame(status, length, close), b"", b""]
        first = STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status
        head = first + self.protocol.connections.date + b"\r\n".join(lines)
        if not head.count(b"\r") == head.count(b"\n") == len(lines) + 1 or b"\0" in head:
            raise ValueError("a header of the answer holds a line break or a NUL")
        self.head = head
        self.started = True

    def frame(self, status: int, length: int | None, close: bool) -> list[bytes]:
        """Decides where the answer ends and whether the connection lives on; gives the headers that say so."""
        lines = []
        version = self.scope["http_version"]
        if status in (204, 304) or self.method == "HEAD":
            self.left = 0
        elif length is not None:
            self.left = length
        else:
            self.left = -1
            self.chunked = version == "1.1"
            close = close or not self.chunked
        if self.chunked:
            lines.append(b"transfer-encoding: chunked")
        if close or not self.may_keep_alive():
            self.keep_alive = False
            lines.append(b"connection: close")
        elif version == "1.0":
            lines.append(b"connection: keep-alive")
        return lines

    def may_keep_alive(self) -> bool:
        """Whether the connection can take another request after this answer."""
        if not self.keep_alive or self.protocol.connections.draining:
            return False
        if not self.more:
            return True
        return self.length is not None and not self.waiting and self.length - self.received <= WASTE

    def write(self, data: bytes) -> None:
        """Some of the body; more follows. Does not wait: see `drain`."""
        if self.gone is not None or not data:
            return
        if self.complete or not self.started:
            raise RuntimeError("the answer has not been started, or is over")
        if self.chunked:
            data = b"%x\r\n%b\r\n" % (len(data), data)
        elif self.left >= 0:
            data = self.counted(data)
        if self.head is not None:
            data = self.head + data
            self.head = None
        self.protocol.put_soon(data)

    def end(self, data: bytes = b"") -> None:
        """The rest of the body."""
        if self.gone is not None:
            return
        if self.complete or not self.started:
            raise RuntimeError("the answer has not been started, or is over")
        if self.chunked:
            data = b"%x\r\n%b\r\n0\r\n\r\n" % (len(data), data) if data else b"0\r\n\r\n"
        elif self.left >= 0:
            data = self.counted(data)
            if self.left:
                raise RuntimeError("the answer is shorter than its content-length")
        if self.head is not None:
            data = self.head + data
            self.head = None
        self.complete = True
        if data:
            self.protocol.put(data)
        self.wake()
        self.protocol.answered(self)

    def counted(self, data: bytes) -> bytes:
        """`data` as far as a body of known length goes: none for HEAD. Raises RuntimeError on too much."""
        if self.method == "HEAD":
            return b""
        self.left -= len(data)
        if self.left < 0:
            raise RuntimeError("the answer is longer than its content-length")
        return data
