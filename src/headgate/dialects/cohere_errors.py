"""Errors as Cohere's APIs say them, read and written.

Format: https://docs.cohere.com/reference/errors. An error is `{"id", "message"}`; in a stream it is the last event,
`message-end` with the finish reason ERROR, an `error` and an `error_type`.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from headgate.core.errors import GatewayError, ProviderRefused
from headgate.dialects.dialect import message_of

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder().decode

KINDS = {
    400: "bad_request",
    401: "unauthorized",
    402: "payment_required",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "request_too_large",
    422: "unprocessable_entity",
    429: "too_many_requests",
    498: "invalid_token",
    499: "client_closed_request",
    500: "internal_server_error",
    501: "not_implemented",
    503: "service_unavailable",
    504: "gateway_timeout",
}
"""What the vendor's page and SDKs call an error of each status: its body has no word for it."""
STATUSES = {"INVALID_TOOL_GENERATION": 400}
"""Statuses of the errors at a stream's end that more than the provider is to blame for; 502 otherwise."""
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
    inner = outer.get("error", outer.get("detail"))
    own = isinstance(outer.get("message"), str) and not isinstance(inner, dict)
    fields = inner if isinstance(inner, dict) else {}
    texts = (outer.get("message"), fields.get("message"), inner, outer.get("data"))
    message = next((text for text in texts if isinstance(text, str) and text), None)
    kind = outer.get("error_type")
    code = fields.get("code")
    return ProviderRefused(
        message or f"the provider answered {status} without a message",
        status=status,
        body=body,
        kind=kind if isinstance(kind, str) else KINDS.get(status, "error") if own else None,
        vendor_code=code if isinstance(code, str) else None,
    )


def inside(delta: Any, body: bytes) -> ProviderRefused:
    """The error of a reply that ended in ERROR: `delta` is that of its `message-end`, or a whole reply."""
    fields = delta if isinstance(delta, dict) else {}
    message, kind = fields.get("error"), fields.get("error_type")
    kind = kind if isinstance(kind, str) else "ERROR"
    return ProviderRefused(
        message if isinstance(message, str) and message else "the provider's model failed and did not say why",
        status=STATUSES.get(kind, 502),
        body=body,
        kind=kind,
    )


def write_error(error: GatewayError, request_id: str, *, streaming: bool) -> bytes:
    """`{"id", "message", "code"}`, the code being the gateway's own, or the event that ends a stream."""
    if not streaming:
        return encode({"id": request_id, "message": message_of(error), "code": error.code})
    kind = error.kind if isinstance(error, ProviderRefused) and error.kind else error.code
    delta = {"finish_reason": "ERROR", "usage": {}, "error": message_of(error), "error_type": kind}
    return b"event: message-end\ndata: " + encode({"type": "message-end", "delta": delta}) + b"\n\n"
