"""GET /v1/models, /v1beta/models, /api/tags: what a caller may ask for and what it can, as vendors' SDKs read it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any
from urllib.parse import parse_qs, unquote

import msgspec

from headgate.core.caller import Caller
from headgate.core.errors import GatewayError, InvalidRequest, MethodNotAllowed, UnknownModel
from headgate.core.ids import Ids
from headgate.runtime.gateway import Gateway
from headgate.server import model_shapes
from headgate.server.respond import identity

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PATH = b"/v1/models"
GEMINI_PATH = b"/v1beta/models"
OLLAMA_PATH = b"/api/tags"
PATHS = (PATH, GEMINI_PATH, OLLAMA_PATH)
NEAR: dict[model_shapes.Shape, bytes] = {
    model_shapes.openai: b"/v1/chat/completions",
    model_shapes.anthropic: b"/v1/messages",
    model_shapes.gemini: GEMINI_PATH,
    model_shapes.cohere: b"/v2/chat",
    model_shapes.mistral: b"/v1/chat/completions",
    model_shapes.ollama: b"/api/chat",
}
"""The path whose dialect an error is told in: that of the shape, whatever else begins like the list's own path."""


class Models:
    """Both the list and one model (`/v1/models/NAME`); the key decides what is seen.

    Google's and Ollama's shapes are those of their paths, Google's also that of requests with its header (its SDK asks
    at /v1/models, too); Anthropic's that of requests with its header, Cohere's and Mistral's those of requests of their
    SDKs, which say so. All others get OpenAI's.
    """

    def __init__(self, gateways: Any, started: float) -> None:
        self.gateways = gateways
        self.started = int(started)
        self.next_id = Ids()

    async def __call__(self, scope: MutableMapping[str, Any], send: Send) -> None:
        gateway: Gateway = self.gateways.gateway
        id = self.next_id()
        headers = scope["headers"]
        shape = _shape(scope["raw_path"], dict(headers))
        face = gateway.face_like(NEAR[shape], headers)
        status = 200
        more: list[tuple[bytes, bytes]] = []
        try:
            if scope["method"] not in ("GET", "HEAD"):
                raise MethodNotAllowed(f"{scope['path']} takes GET, not {scope['method']}")
            caller = await gateway.admit(scope, None)
            body = msgspec.json.encode(self._answer(gateway, caller, scope, shape))
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

    def _answer(
        self, gateway: Gateway, caller: Caller, scope: MutableMapping[str, Any], shape: model_shapes.Shape
    ) -> dict[str, Any]:
        path: bytes = scope["raw_path"]
        start = next(known for known in PATHS if path.startswith(known))

        def show(name: str) -> dict[str, Any]:
            return shape(name, gateway.menu.known(name), self.started)

        if path.rstrip(b"/") != start:
            name = unquote(path[len(start) + 1 :].decode("latin-1"))
            if not gateway.route.offers(name, caller):
                raise UnknownModel(f"there is no model {name[:100]!r} that this key may use; GET /v1/models lists them")
            return show(name)
        names = gateway.menu.names(caller)
        asked = {key: values[0] for key, values in parse_qs(scope.get("query_string", b"").decode("latin-1")).items()}
        if shape is model_shapes.gemini:
            return self._gemini_page(names, asked, show)
        if shape is model_shapes.anthropic:
            return self._anthropic_page(names, asked, show)
        if shape is model_shapes.ollama:
            return {"models": [show(name) for name in names]}
        if shape is model_shapes.cohere:
            shown = [show(name) for name in names]
            wanted = asked.get("endpoint")
            return {"models": [one for one in shown if wanted is None or wanted in one["endpoints"]]}
        return {"object": "list", "data": [show(name) for name in names]}

    def _anthropic_page(
        self, names: Sequence[str], asked: dict[str, str], show: Callable[[str], dict[str, Any]]
    ) -> dict[str, Any]:
        """Anthropic's pages: `limit` (1 to 1000, 20 without it), `after_id`, `before_id`."""
        limit = _size(asked, "limit", 20)
        first, last = 0, len(names)
        if asked.get("after_id") in names:
            first = names.index(asked["after_id"]) + 1
        if asked.get("before_id") in names:
            last = names.index(asked["before_id"])
            first = max(first, last - limit)
        shown = names[first:last][:limit]
        return {
            "data": [show(name) for name in shown],
            "first_id": shown[0] if shown else None,
            "last_id": shown[-1] if shown else None,
            "has_more": first + len(shown) < last,
        }

    def _gemini_page(
        self, names: Sequence[str], asked: dict[str, str], show: Callable[[str], dict[str, Any]]
    ) -> dict[str, Any]:
        """Google's pages: `pageSize` (1 to 1000, 50 without it), `pageToken`, which is the last name shown."""
        size = _size(asked, "pageSize", 50)
        token = asked.get("pageToken", "")
        if token and token not in names:
            raise InvalidRequest("`pageToken` is not one of this list's", param="pageToken")
        first = names.index(token) + 1 if token else 0
        shown = names[first : first + size]
        page: dict[str, Any] = {"models": [show(name) for name in shown]}
        if first + len(shown) < len(names):
            page["nextPageToken"] = shown[-1]
        return page


def _shape(path: bytes, sent: Mapping[bytes, bytes]) -> model_shapes.Shape:
    if path.startswith(OLLAMA_PATH):
        return model_shapes.ollama
    if path.startswith(GEMINI_PATH) or b"x-goog-api-key" in sent:
        return model_shapes.gemini
    if b"anthropic-version" in sent:
        return model_shapes.anthropic
    if sent.get(b"x-fern-sdk-name", b"").startswith(b"cohere"):
        return model_shapes.cohere
    return model_shapes.mistral if b"mistral" in sent.get(b"user-agent", b"") else model_shapes.openai


def _size(asked: dict[str, str], name: str, usual: int) -> int:
    text = asked.get(name, str(usual))
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= 1000):
        raise InvalidRequest(f"`{name}` must be a whole number from 1 to 1000", param=name)
    return int(text)
