"""Raw bytes to the HTTP server over real sockets, and what comes back."""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from dataclasses import dataclass, field

from headgate.server.connections import Connections
from headgate.server.refusals import Limits


@dataclass
class Seen:
    """What an application was given and what became of it."""

    requests: list = field(default_factory=list)
    cancelled: list = field(default_factory=list)
    refusals: list = field(default_factory=list)
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    sent: int = 0
    error: BaseException | None = None


class Echo:
    """Answers with the request's body; some paths behave otherwise."""

    def __init__(self) -> None:
        self.seen = Seen()

    async def __call__(self, scope, receive, send) -> None:
        body = b""
        handler = getattr(self, scope["path"].strip("/").replace("/", "_") or "root", None)
        if handler is not None:
            self.seen.requests.append((scope["method"], scope["path"], None))
            try:
                await handler(scope, receive, send)
            except asyncio.CancelledError:
                self.seen.cancelled.append((scope["path"], time.monotonic(), scope["extensions"]["headgate"].gone))
                raise
            return
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        self.seen.requests.append((scope["method"], scope["path"], body))
        if scope["method"] == "OPTIONS":
            await send({"type": "http.response.start", "status": 204, "headers": [(b"allow", b"GET, POST")]})
            await send({"type": "http.response.body", "body": b""})
            return
        known = scope["method"] in ("GET", "HEAD", "POST")
        headers = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
        if not known:
            headers.append((b"allow", b"GET, HEAD, POST, OPTIONS"))
        await send({"type": "http.response.start", "status": 200 if known else 405, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def hold(self, scope, receive, send) -> None:
        await self.seen.hold.wait()
        await self.text(send, b"held")

    async def early(self, scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": 401, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"no"})

    async def stream(self, scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for number in range(5):
            await send({"type": "http.response.body", "body": b"frame %d\n" % number, "more_body": True})
            await asyncio.sleep(0.01)
        await send({"type": "http.response.body"})

    async def flood(self, scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": b"x" * 65536, "more_body": True})
            self.seen.sent += 65536
            await asyncio.sleep(0)

    async def open(self, scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        await self.seen.hold.wait()
        await send({"type": "http.response.body", "body": b"last"})

    async def fails(self, scope, receive, send) -> None:
        raise LookupError("the application's own fault")

    async def breaks(self, scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})

    async def splits(self, scope, receive, send) -> None:
        headers = [(b"x-model", b"a\r\nset-cookie: b"), (b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body"})

    async def whole(self, scope, receive, send) -> None:
        cycle = scope["extensions"]["headgate"]
        body = await cycle.read()
        self.seen.requests.append((scope["method"], scope["path"], body))
        cycle.start(200, [])
        for piece in (body[:3], b"", body[3:]):
            cycle.write(piece)
            await cycle.drain()
        cycle.end()

    async def text(self, send, body: bytes) -> None:
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class Box:
    """A server on a free port of loopback."""

    def __init__(self, app: Echo, connections: Connections, port: int) -> None:
        self.app = app
        self.seen = app.seen
        self.connections = connections
        self.port = port

    async def connect(self):
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def ask(self, data: bytes, *, patience: float = 5.0) -> bytes:
        """Everything that comes back until the server closes (or `patience` is over)."""
        reader, writer = await self.connect()
        writer.write(data)
        try:
            return await everything(reader, patience)
        finally:
            writer.transport.abort()


async def held_back(box: Box, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> bool:
    """Whether little is read of a large request that `Echo.hold` leaves unread; it is answered once that goes on."""
    writer.write(request)
    await asyncio.sleep(0.3)
    (cycle,) = box.connections.cycles
    little = cycle.received < 1_000_000
    box.seen.hold.set()
    return little and statuses(await everything(reader)) == [200]


async def everything(reader: asyncio.StreamReader, patience: float = 5.0) -> bytes:
    got = b""
    with contextlib.suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(patience):
            while data := await reader.read(65536):
                got += data
    return got


@contextlib.asynccontextmanager
async def serving(limits: Limits | None = None, **hooks):
    app = Echo()
    connections = Connections(app, limits, on_refused=lambda *told: app.seen.refusals.append(told), **hooks)
    server = await asyncio.get_running_loop().create_server(connections.protocol, "127.0.0.1", 0)
    try:
        yield Box(app, connections, server.sockets[0].getsockname()[1])
    finally:
        server.close()
        connections.stop()
        await asyncio.sleep(0.01)
        await server.wait_closed()


def statuses(answer: bytes) -> list[int]:
    """The status codes in a run of answers."""
    return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]
