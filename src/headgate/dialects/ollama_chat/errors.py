"""Reads and writes errors as Ollama says them; a part of `ollama_chat`.

Format: https://docs.ollama.com/api/errors. An error is `{"error": "…"}`, in a stream as its last line.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from headgate.core.errors import GatewayError, ProviderRefused
from headgate.dialects.dialect import message_of

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder().decode

KINDS = {400: "bad_request", 401: "unauthorized", 403: "forbidden", 404: "not_found", 429: "too_many_requests"}
"""What the vendor's page calls an error of each status: its body has no word for it."""
_TAGS = re.compile(r"<(?:script|style)\b.*?</(?:script|style)>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_LONGEST = 2000
"""Characters of a message that is not the provider's own field."""


def read_error(status: int, body: bytes) -> ProviderRefused:
    """A provider's error reply: this API's, another JSON, HTML, text or nothing. Never raises."""
    try:
        return refused(status, decode(body), body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text = " ".join(_TAGS.sub(" ", body[: 8 * _LONGEST].decode("utf-8", "replace")).split())[:_LONGEST]
        message = f"the provider answered {status}" + (f": {text}" if text else " with an empty body")
        kind = b"text/html" if body.lstrip()[:1] == b"<" else b"text/plain"
        return ProviderRefused(message, status=status, body=body, content_type=kind)


def refused(status: int, value: Any, body: bytes) -> ProviderRefused:
    """The error of a decoded body."""
    outer = value if isinstance(value, dict) else {}
    found = outer.get("error")
    inner = found if isinstance(found, dict) else {}
    texts = (found, inner.get("message"), outer.get("message"), outer.get("detail"))
    message = next((text for text in texts if isinstance(text, str) and text), None)
    code = inner.get("code")
    kind = KINDS.get(status, "internal_server_error" if status >= 500 else "error")
    return ProviderRefused(
        message or f"the provider answered {status} without a message",
        status=status,
        body=body,
        kind=kind if isinstance(found, str) else None,
        vendor_code=code if isinstance(code, str) else None,
    )


def inside(value: Any, body: bytes) -> ProviderRefused:
    """The error in a reply of status 200: the line says its status where it comes from Ollama's cloud, else 502."""
    status = value.get("status_code", value.get("status")) if isinstance(value, dict) else None
    return refused(status if isinstance(status, int) and 400 <= status <= 599 else 502, value, body)


def write_error(error: GatewayError, request_id: str, *, streaming: bool) -> bytes:
    """`{"error", "code"}`, the code being the gateway's own; `streaming`: as a line. The id goes in a header."""
    body = encode({"error": message_of(error), "code": error.code})
    return body + b"\n" if streaming else body
