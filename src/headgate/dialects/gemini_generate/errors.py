"""Errors as Google's APIs say them, read and written; a part of `gemini_generate`.

Format: https://cloud.google.com/apis/design/errors. A wrong key is a 400 INVALID_ARGUMENT whose details name the reason
API_KEY_INVALID; a stream that is one JSON array, and some of Google's hosts, give the error as a list of one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from headgate.core.errors import GatewayError, ProviderRefused
from headgate.dialects.dialect import message_of
from headgate.dialects.gemini_generate.words import CODES, STATUSES

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_KEY = re.compile(rb"\bAIza[0-9A-Za-z_-]{20,}|\bya29\.[0-9A-Za-z_.-]{8,}[0-9A-Za-z_-]")
"""Keys and tokens of Google's."""
_TAGS = re.compile(r"<(?:script|style)\b.*?</(?:script|style)>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_DELAY = re.compile(r"([0-9]+(?:\.[0-9]+)?)s")
_TYPE = "type.googleapis.com/google.rpc."
_LONGEST = 500
"""Characters of a message made of a body in another form."""


def read_error(status: int, body: bytes) -> ProviderRefused:
    """A provider's error reply: Google's, another JSON, HTML, text or nothing. Never raises."""
    if b"AIza" in body or b"ya29" in body:
        body = _KEY.sub(b"[key]", body)
    try:
        return refused(_decode(body), body, status)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text = " ".join(_TAGS.sub(" ", body[: 8 * _LONGEST].decode("utf-8", "replace")).split())[:_LONGEST]
        message = f"the provider answered {status}" + (f": {text}" if text else " with an empty body")
        kind = b"text/html" if body.lstrip()[:1] == b"<" else b"text/plain"
        return ProviderRefused(message, status=status, body=body, content_type=kind)


def refused(value: Any, body: bytes, status: int | None = None) -> ProviderRefused:
    """The error of a decoded body or event; without `status`, the one it says itself."""
    if isinstance(value, list) and value:
        value = value[0]
    outer = value if isinstance(value, dict) else {}
    inner = outer.get("error")
    fields = inner if isinstance(inner, dict) else outer
    kind, code = fields.get("status"), fields.get("code")
    kind = kind if isinstance(kind, str) and kind in CODES else None
    if status is None:
        known = type(code) is int and 400 <= code <= 599
        status = code if known and isinstance(code, int) else CODES.get(kind or "", 502)
    texts = (fields.get("message"), inner, outer.get("message"), outer.get("detail"))
    message = next((text for text in texts if isinstance(text, str) and text), None)
    error = ProviderRefused(
        message or f"the provider answered {status} without a message", status=status, body=body, kind=kind
    )
    details = fields.get("details")
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict):
            _heed(error, detail)
    return error


def _heed(error: ProviderRefused, detail: dict[str, Any]) -> None:
    """What a detail tells: the field, the reason, when to try again."""
    kind = detail.get("@type")
    if kind == _TYPE + "RetryInfo":
        delay = detail.get("retryDelay")
        found = _DELAY.fullmatch(delay) if isinstance(delay, str) else None
        if found and float(found[1]) < 86_400:
            error.retry_after = float(found[1])
    elif kind == _TYPE + "ErrorInfo" and isinstance(detail.get("reason"), str):
        error.vendor_code = detail["reason"]
    elif kind == _TYPE + "BadRequest":
        fields = detail.get("fieldViolations")
        first = fields[0] if isinstance(fields, list) and fields else None
        if isinstance(first, dict) and isinstance(first.get("field"), str):
            error.param = first["field"] or None


def write_error(error: GatewayError, request_id: str, *, streaming: bool) -> bytes:
    """`{"error": {"code", "message", "status", "details"}}`, or the same as the event of a stream.

    The details tell the gateway's `code` and `origin` as a reason, the field, and when to try again.
    """
    kind = error.kind if isinstance(error, ProviderRefused) else None
    word = kind if kind in CODES else STATUSES.get(error.status)
    word = word or ("INTERNAL" if error.status >= 500 else "INVALID_ARGUMENT")
    reason = error.vendor_code if isinstance(error, ProviderRefused) and error.vendor_code else error.code
    about = {"code": error.code, "origin": error.origin, "requestId": request_id}
    details: list[dict[str, Any]] = [
        {"@type": _TYPE + "ErrorInfo", "reason": reason.upper(), "domain": "headgate", "metadata": about}
    ]
    if error.param is not None:
        violation = {"field": error.param, "description": error.message}
        details.append({"@type": _TYPE + "BadRequest", "fieldViolations": [violation]})
    if error.retry_after is not None:
        details.append({"@type": _TYPE + "RetryInfo", "retryDelay": f"{error.retry_after:g}s"})
    inner = {"code": error.status, "message": message_of(error), "status": word, "details": details}
    body = _encode({"error": inner})
    return b"data: " + body + b"\r\n\r\n" if streaming else body


def break_off(error: GatewayError, request_id: str, request: Mapping[str, Any], begun: bool) -> bytes:
    """The end of a stream that failed: an event, or the last element of the array that was asked for."""
    if request.get("alt") == "sse":
        return write_error(error, request_id, streaming=True)
    return (b",\n" if begun else b"[") + write_error(error, request_id, streaming=False) + b"\n]"
