"""Has the admin API made when it is first asked: it and what it imports cost a gateway that is never asked nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from importlib.util import find_spec
from typing import Any

from headgate.admin.control import Control, Running

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]
PACKAGES = ("starlette", "cryptography")


class Mount:
    """An ASGI application."""

    def __init__(self, running: Running) -> None:
        self.control = Control(running)
        self._app: Any = None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if self._app is None:
            missing = next((name for name in PACKAGES if find_spec(name) is None), None)
            if missing is not None:
                await _not_here(send, missing)
                return
            made = await asyncio.to_thread(_made, self.control)  # so that no request waits for what is imported
            self._app = self._app or made
        await self._app(scope, receive, send)

    async def close(self) -> None:
        await self.control.close()


def _made(control: Control) -> Any:
    from headgate.admin.app import App

    return App(control)


async def _not_here(send: Send, package: str) -> None:
    detail = f"the admin API needs the package {package}, which is not there: install headgate[admin]"
    problem = {"type": "about:blank", "title": "Not Implemented", "status": 501, "code": "not_here", "detail": detail}
    body = json.dumps(problem).encode()
    headers = [(b"content-type", b"application/problem+json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 501, "headers": headers})
    await send({"type": "http.response.body", "body": body})
