"""A raw-socket provider that misbehaves by script, for tests of everything that talks to one.

    with ScriptedUpstream(json_reply(b'{"ok":true}')) as upstream:
        ...                                   # http://127.0.0.1:{upstream.port}
    upstream.requests[0].body, upstream.connections, upstream.closed_by_client

It runs in a thread with an event loop of its own, so synchronous SDK clients can be used against it. A *reply* is a
coroutine function taking an `Asked` (the request and the means to answer it), bytes to send, or a *tuple* of steps:
bytes, `Sleep`, `Drip`, `Reset`, `Close`, `Stall`. A *script* is one reply, used for every request, or a *list* of
replies, the last of which is used for all further requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import struct
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Sleep:
    """Wait."""

    seconds: float


@dataclass(frozen=True)
class Drip:
    """Send `data` in pieces of `size` bytes, `pause` seconds apart, each in a packet of its own."""

    data: bytes
    size: int = 1
    pause: float = 0.0


@dataclass(frozen=True)
class Reset:
    """Close with an RST."""


@dataclass(frozen=True)
class Close:
    """Close properly."""


@dataclass(frozen=True)
class Stall:
    """Do nothing any more until the client closes."""


Step = bytes | Sleep | Drip | Reset | Close | Stall


@dataclass
class Request:
    """What came. `connection` counts from 1, header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int
    raw_head: bytes


class _Over(Exception):
    """The connection has ended."""


@dataclass
class Asked:
    """A request, and the means to answer it."""

    request: Request
    upstream: ScriptedUpstream
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def drip(self, data: bytes, size: int = 1, pause: float = 0.0) -> None:
        for start in range(0, len(data), size):
            await self.send(data[start : start + size])
            await asyncio.sleep(pause)

    def reset(self) -> None:
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()
        raise _Over

    def close(self) -> None:
        self.writer.close()
        raise _Over

    async def stall(self) -> None:
        """Until the client closes."""
        while await self.reader.read(65536):
            pass
        raise _Over

    async def play(self, steps: Sequence[Step]) -> None:
        for step in steps:
            match step:
                case bytes():
                    await self.send(step)
                case Sleep(seconds):
                    await asyncio.sleep(seconds)
                case Drip(data, size, pause):
                    await self.drip(data, size, pause)
                case Reset():
                    self.reset()
                case Close():
                    self.close()
                case Stall():
                    await self.stall()


Reply = Callable[[Asked], Awaitable[None]] | tuple[Step, ...] | bytes
Script = Reply | list[Reply]


@dataclass
class ScriptedUpstream:
    """The server; use it with `with`. All its attributes may be read while it runs."""

    script: Any = b""  # a Script
    tls: ssl.SSLContext | None = None
    read_requests: bool = True
    """False: a connection gets no reader; the script's reply is played as soon as it stands."""
    receive_buffer: int | None = None
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    open: int = 0
    closed_by_client: list[float] = field(default_factory=list)
    """time.monotonic() of each close that the client began."""
    sessions_reused: list[bool] = field(default_factory=list)
    port: int = 0

    def __enter__(self) -> ScriptedUpstream:
        self._listener = socket.create_server(("127.0.0.1", 0))
        if self.receive_buffer:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_buffer)
        self.port = self._listener.getsockname()[1]
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        assert not self._thread.is_alive()

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def wait_for_close(self, number: int = 1, seconds: float = 20.0) -> float:
        """The moment at which the client closed its `number`th connection, counted from 1."""
        assert number >= 1
        end = time.monotonic() + seconds
        while len(self.closed_by_client) < number:
            assert time.monotonic() < end, "the client did not close"
            time.sleep(0.002)
        return self.closed_by_client[number - 1]

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(lambda loop, context: None)  # broken connections are the purpose
        self._stop = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._transports: set[asyncio.WriteTransport] = set()
        server = await asyncio.start_server(self._connected, sock=self._listener, ssl=self.tls, limit=1 << 20)
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for transport in self._transports:
            transport.abort()
        await asyncio.sleep(0.01)  # lets them close their sockets

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._transports.add(writer.transport)
        # asyncio does it only where the socket names its protocol; without it small writes wait for an acknowledgement
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connections += 1
        self.open += 1
        secure = writer.get_extra_info("ssl_object")
        if secure is not None:
            self.sessions_reused.append(secure.session_reused)
        try:
            await self._converse(reader, writer, self.connections)
        except (_Over, asyncio.CancelledError):
            pass
        except (OSError, asyncio.IncompleteReadError, ssl.SSLError):
            self.closed_by_client.append(time.monotonic())
        finally:
            if reader.at_eof() and not writer.is_closing():
                self.closed_by_client.append(time.monotonic())
            self.open -= 1
            self._tasks.discard(task)
            with contextlib.suppress(OSError, RuntimeError):
                writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        while True:
            if self.read_requests:
                request = await read_request(reader, number)
                if request is None:
                    return
            else:
                request = Request("", "", {}, b"", number, b"")
            self.requests.append(request)
            reply = self._reply(len(self.requests) - 1)
            asked = Asked(request, self, reader, writer)
            if callable(reply):
                await reply(asked)
            else:
                await asked.play([reply] if isinstance(reply, bytes) else reply)
            if not self.read_requests:
                await asked.stall()

    def _reply(self, number: int) -> Reply:
        script = self.script
        return script[min(number, len(script) - 1)] if isinstance(script, list) else script


async def read_request(reader: asyncio.StreamReader, number: int) -> Request | None:
    """One request; None when the client closed before it."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return None
    line, *lines = head[:-4].decode("latin-1").split("\r\n")
    method, path, _ = line.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in lines)}
    body = b""
    if headers.get("transfer-encoding", "").lower() == "chunked":
        while size := int((await reader.readline()).strip(), 16):
            body += await reader.readexactly(size)
            await reader.readexactly(2)
        await reader.readline()
    elif length := int(headers.get("content-length", 0)):
        body = await reader.readexactly(length)
    return Request(method, path, headers, body, number, head)


def reply(
    body: bytes = b"",
    *,
    status: int = 200,
    content_type: str = "application/json",
    headers: Sequence[tuple[str, str]] = (),
    length: int | None = None,
) -> bytes:
    """A whole reply with content-length (`length` claims another one than the body's)."""
    lines = [f"HTTP/1.1 {status} Status", f"Content-Type: {content_type}"]
    lines.append(f"Content-Length: {len(body) if length is None else length}")
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def json_reply(
    value: Any, *, status: int = 200, headers: Sequence[tuple[str, str]] = (), length: int | None = None
) -> bytes:
    """A whole JSON reply; bytes are taken as JSON already."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return reply(body, status=status, headers=headers, length=length)


def chunked_head(
    *, status: int = 200, content_type: str = "text/event-stream", headers: Sequence[tuple[str, str]] = ()
) -> bytes:
    lines = [f"HTTP/1.1 {status} Status", f"Content-Type: {content_type}", "Transfer-Encoding: chunked"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def as_chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


LAST_CHUNK = b"0\r\n\r\n"


def sse_event(data: Any, event: str | None = None) -> bytes:
    """One server-sent event; bytes and str are taken as they are, all else as JSON."""
    if isinstance(data, bytes):
        text = data
    else:
        text = (data if isinstance(data, str) else json.dumps(data, separators=(",", ":"))).encode()
    return (b"event: %b\n" % event.encode() if event else b"") + b"data: %b\n\n" % text


def sse_reply(events: Sequence[bytes], *, pause: float = 0.0, status: int = 200) -> tuple[Step, ...]:
    """A streamed reply: the head, then each event (see `sse_event`) as a chunk in a write of its own, `pause` seconds
    apart."""
    steps: list[Step] = [chunked_head(status=status)]
    for each in events:
        steps += [Sleep(pause), as_chunk(each)]
    return (*steps, LAST_CHUNK)


def cut(whole: bytes | Sequence[Step], after: int) -> tuple[Step, ...]:
    """The first `after` bytes of a reply, then a proper close."""
    return (_joined(whole)[:after], Close())


def broken(whole: bytes | Sequence[Step], after: int) -> tuple[Step, ...]:
    """The first `after` bytes of a reply, then an RST, which comes a little later so that it does not overtake them."""
    return (_joined(whole)[:after], Sleep(0.02), Reset())


def _joined(whole: bytes | Sequence[Step]) -> bytes:
    return whole if isinstance(whole, bytes) else b"".join(each for each in whole if isinstance(each, bytes))
