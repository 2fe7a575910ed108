"""A server process with a small application, for tests to start, signal and kill: `served.py {json settings}`."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import ssl
import sys
from pathlib import Path

from headgate.server.lifecycle import Lifecycle, Listener, Service, Stopping
from headgate.server.listen import bind, inherited
from headgate.server.supervise import run


class App:
    def __init__(self, lifecycle: Lifecycle) -> None:
        self.lifecycle = lifecycle

    async def __call__(self, scope, receive, send) -> None:
        path = scope["path"]
        if path == "/die":
            os._exit(9)
        if path in ("/stream", "/endless"):
            await send({"type": "http.response.start", "status": 200, "headers": []})
            for _ in range(10 if path == "/stream" else 1_000_000):
                await send({"type": "http.response.body", "body": b"data: x\n\n", "more_body": True})
                await asyncio.sleep(0.02)
            await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})
            return
        body = {"/ready": self.lifecycle.state, "/worker": str(self.lifecycle.worker)}.get(
            path, str(os.getpid())
        ).encode()
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def other(scope, receive, send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"12")]})
    await send({"type": "http.response.body", "body": b"another face"})


def main(settings: dict) -> int:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    watched = [Path(name) for name in settings.get("watch", ())]

    async def reload() -> list[Path]:
        for path in watched:
            if b"bad" in path.read_bytes():
                raise ValueError(f"{path.name} is bad")
        logging.info("reloaded in %d", os.getpid())
        return watched

    async def close() -> None:
        logging.info("closed in %d", os.getpid())

    async def factory(lifecycle: Lifecycle) -> Service:
        if settings.get("fail"):
            raise SystemExit(3)
        return Service(App(lifecycle), faces={"other": other}, reload=reload, watch=watched, close=close)

    reuse_port = settings.get("reuse_port", False)
    sockets = inherited(os.environ) or bind("127.0.0.1", 0, reuse_port=reuse_port)
    listeners = [Listener(sock) for sock in sockets]
    if settings.get("tls"):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(settings["tls"])
        listeners += [Listener(sock, tls=context) for sock in bind("127.0.0.1", 0)]
        listeners += [Listener(sock, face="other") for sock in bind("127.0.0.1", 0)]
    print(*(listener.sock.getsockname()[1] for listener in listeners), flush=True)
    stopping = Stopping(settings.get("delay", 0.0), settings.get("timeout", 10.0))
    return run(factory, listeners, workers=settings.get("workers", 1), stopping=stopping, reuse_port=reuse_port)


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))
