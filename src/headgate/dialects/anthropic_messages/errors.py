"""Errors as the Messages API says them, read and written; a part of `anthropic_messages`.

Format: https://docs.claude.com/en/api/errors.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from headgate.core.errors import GatewayError, ProviderRefused
from headgate.dialects.anthropic_messages.words import ERRORS, STATUSES
from headgate.dialects.dialect import message_of

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_KEY = re.compile(rb"\b(?:sk|pk|rk)-[A-Za-z0-9_*.-]{5,}[A-Za-z0-9_*-]")
"""Without a full stop at its end, which is the sentence's."""
_TAGS = re.compile(r"<(?:script|style)\b.*?</(?:script|style)>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_PLACE = re.compile(r"([a-z_]+(?:\.[a-z0-9_]+)*): ")
_LONGEST = 500
"""Characters of a message made of a body in another form."""


def read_error(status: int, body: bytes) -> ProviderRefused:
    """A provider's error reply: this API's, another JSON, HTML, text or nothing. Never raises.

    The API begins the message with the field's place (`messages.0.content: ...`), which becomes `param`.
    """
    if b"k-" in body:
        body = _KEY.sub(b"[key]", body)
    try:
        return refused(_decode(body), body, status)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text = " ".join(_TAGS.sub(" ", body[: 8 * _LONGEST].decode("utf-8", "replace")).split())[:_LONGEST]
        message = f"the provider answered {status}" + (f": {text}" if text else " with an empty body")
        return ProviderRefused(message, status=status, body=body, content_type=_content_type(body))


def refused(value: Any, body: bytes, status: int | None = None) -> ProviderRefused:
    """The error of a decoded body or event; without `status`, the one its type stands for."""
    outer = value if isinstance(value, dict) else {}
    inner = outer.get("error")
    fields = inner if isinstance(inner, dict) else outer
    kind = fields.get("type")
    kind = kind if isinstance(kind, str) and kind != "error" else None
    if status is None:
        status = STATUSES.get(kind or "", 500)
    texts = (fields.get("message"), inner, outer.get("message"), outer.get("detail"), outer.get("error_description"))
    message = next((text for text in texts if isinstance(text, str) and text), None)
    place = _PLACE.match(message) if message and kind == "invalid_request_error" else None
    details = fields.get("details")
    code = details.get("error_code") if isinstance(details, dict) else fields.get("code")
    return ProviderRefused(
        message or f"the provider answered {status} without a message",
        status=status,
        body=body,
        kind=kind,
        param=place[1] if place else None,
        vendor_code=str(code) if isinstance(code, str | int) else None,
    )


def _content_type(body: bytes) -> bytes:
    return b"text/html" if body.lstrip()[:1] == b"<" else b"text/plain"


def write_error(error: GatewayError, request_id: str, *, streaming: bool) -> bytes:
    """`{"type": "error", "error": {"type", "message", ...}, "request_id"}`, or the `error` event of a stream.

    Beside the API's own two fields the error has the gateway's `code`, `origin` and, where known, `param`.
    """
    kind = error.kind if isinstance(error, ProviderRefused) else None
    # OpenAI says this of a wrong key and an unknown model too, where the status tells more
    if kind not in STATUSES or kind == "invalid_request_error":
        kind = ERRORS.get(error.status, "api_error" if error.status >= 500 else "invalid_request_error")
    inner = {"type": kind, "message": message_of(error), "code": error.code, "origin": error.origin}
    if error.param is not None:
        inner["param"] = error.param
    body = _encode({"type": "error", "error": inner, "request_id": request_id})
    return b"event: error\ndata: " + body + b"\n\n" if streaming else body
