"""GET /v1/models: what the caller may ask for, in OpenAI's shape or, for Anthropic's SDK, in Anthropic's.

https://platform.openai.com/docs/api-reference/models, https://docs.claude.com/en/api/models-list
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, unquote

import msgspec

from headgate.core.errors import GatewayError, InvalidRequest, MethodNotAllowed, UnknownModel
from headgate.core.exchange import Caller
from headgate.core.ids import Ids
from headgate.runtime import Gateway
from headgate.server.respond import identity

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PATH = b"/v1/models"


class Models:
    """Both the list and one model (`/v1/models/NAME`); the key decides what is seen."""

    def __init__(self, gateways: Any, started: float) -> None:
        self.gateways = gateways
        self.started = int(started)
        self.next_id = Ids()

    async def __call__(self, scope: MutableMapping[str, Any], send: Send) -> None:
        gateway: Gateway = self.gateways.gateway
        id = self.next_id()
        headers = scope["headers"]
        face = gateway.face_like(scope["raw_path"], headers)
        status = 200
        more: list[tuple[bytes, bytes]] = []
        try:
            if scope["method"] not in ("GET", "HEAD"):
                raise MethodNotAllowed(f"{scope['path']} takes GET, not {scope['method']}")
            caller = gateway.authenticate.find(headers)
            body = msgspec.json.encode(self._answer(gateway, caller, scope))
        except GatewayError as error:
            status = error.status
            body = face.write_error(error, id, streaming=False)
            more += [
                (b"x-headgate-error-code", error.code.encode()),
                (b"x-headgate-error-origin", error.origin.encode()),
            ]
            if status == 405:
                more.append((b"allow", b"GET, HEAD"))
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [
                    (b"content-type", b"application/json"),
                    (b"content-length", b"%d" % len(body)),
                    *identity(face, id),
                    *more,
                ],
            }
        )
        await send({"type": "http.response.body", "body": body})

    def _answer(self, gateway: Gateway, caller: Caller, scope: MutableMapping[str, Any]) -> dict[str, Any]:
        names = gateway.route.names(caller)
        anthropic = any(name == b"anthropic-version" for name, _ in scope["headers"])
        show = self._anthropic if anthropic else self._openai
        path: bytes = scope["raw_path"]
        if path != PATH:
            name = unquote(path[len(PATH) + 1 :].decode("latin-1"))
            if not gateway.route.offers(name, caller):
                raise UnknownModel(f"there is no model {name[:100]!r} that this key may use; GET /v1/models lists them")
            return show(name)
        if not anthropic:
            return {"object": "list", "data": [show(name) for name in names]}
        return self._page(names, scope.get("query_string", b""))

    def _openai(self, name: str) -> dict[str, Any]:
        return {"id": name, "object": "model", "created": self.started, "owned_by": "headgate"}

    def _anthropic(self, name: str) -> dict[str, Any]:
        created = datetime.fromtimestamp(self.started, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {"type": "model", "id": name, "display_name": name, "created_at": created}

    def _page(self, names: Sequence[str], query: bytes) -> dict[str, Any]:
        """Anthropic's pages: `limit` (1 to 1000, 20 without it), `after_id`, `before_id`."""
        asked = {key: values[0] for key, values in parse_qs(query.decode("latin-1")).items()}
        limit = asked.get("limit", "20")
        if not (limit.isascii() and limit.isdigit() and 1 <= int(limit) <= 1000):
            raise InvalidRequest("`limit` must be a whole number from 1 to 1000", param="limit")
        first, last = 0, len(names)
        if asked.get("after_id") in names:
            first = names.index(asked["after_id"]) + 1
        if asked.get("before_id") in names:
            last = names.index(asked["before_id"])
            first = max(first, last - int(limit))
        shown = names[first:last][: int(limit)]
        return {
            "data": [self._anthropic(name) for name in shown],
            "first_id": shown[0] if shown else None,
            "last_id": shown[-1] if shown else None,
            "has_more": first + len(shown) < last,
        }
