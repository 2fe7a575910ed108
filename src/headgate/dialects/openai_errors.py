"""Errors as OpenAI's APIs and their many imitators say them, read and written.

Format: https://platform.openai.com/docs/guides/error-codes. A wrong key is `invalid_request_error` with the code
`invalid_api_key` there, a 403 is `invalid_request_error` too; compatible hosts have shapes of their own.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from headgate.core.errors import GatewayError, ProviderRefused
from headgate.dialects.dialect import message_of

_OWN_TYPES = frozenset({"invalid_request_error", "server_error", "insufficient_quota", "requests", "tokens"})
_TYPES = {429: "requests"}
_CODES = {401: "invalid_api_key", 429: "rate_limit_exceeded"}
_TITLE = re.compile(r"<title[^>]*>\s*(.*?)\s*</title>", re.IGNORECASE | re.DOTALL)
_KEY = re.compile(rb"\b(?:sk|gsk|xai|pplx|csk|nvapi|rk|pk)[-_][A-Za-z0-9_.*-]{5,}[A-Za-z0-9_*-]")
"""Without a full stop at its end, which is the sentence's."""
_LONGEST = 2000
"""Characters of a message that is not the provider's own field."""

encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder().decode


def read_error(status: int, body: bytes) -> ProviderRefused:
    """Any error body: OpenAI's, `{"detail": …}` (FastAPI), `{"message": …}`, `{"error": "…"}`, HTML, text, none."""
    if b"-" in body or b"_" in body:
        body = _KEY.sub(b"[key]", body)
    try:
        value = decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _unread(status, body)
    return refused(status, value, body)


def refused(status: int, value: Any, body: bytes) -> ProviderRefused:
    """The error of a decoded body."""
    listed = isinstance(value, list) and bool(value)  # Gemini's compatible endpoint: a list of one
    if listed:
        value = value[0]
    outer = value if isinstance(value, dict) else {}
    found = outer.get("error", outer.get("detail"))
    fields = found if isinstance(found, dict) else outer
    message = _message(found) or _message(outer) or (value if isinstance(value, str) else "")
    behind = _behind(found)
    if message and behind:
        message = f"{message}: {behind}"
    code = fields.get("code")
    kind, param = fields.get("type"), fields.get("param")
    if kind is None and not listed and "error" in outer and isinstance(fields.get("message"), str) and fields is found:
        # in OpenAI's form but for its type: OpenRouter's, whose `metadata` its clients read, Azure's
        kind = str(code) if isinstance(code, str | int) else "error"
    return ProviderRefused(
        message or f"The provider answered with status {status} and no message.",
        status=status,
        body=body,
        kind=kind if isinstance(kind, str) else None,
        param=param if isinstance(param, str) else None,
        vendor_code=str(code) if isinstance(code, str | int) else None,
    )


def _message(found: Any) -> str:
    if isinstance(found, str):
        return found
    if isinstance(found, dict):
        for key in ("message", "msg", "error_message", "error", "detail"):
            text = found.get(key)
            if isinstance(text, str) and text:
                return text
            if isinstance(text, dict | list) and text:
                return _message(text) or encode(text).decode()[:_LONGEST]
    if isinstance(found, list):  # FastAPI's list of {"loc", "msg"}
        return "; ".join(filter(None, map(_placed, found)))
    return ""


def _placed(found: Any) -> str:
    """A message with its place, as FastAPI tells it: `["body", "seed"]`."""
    place = found.get("loc") if isinstance(found, dict) else None
    text = _message(found)
    return f"{'.'.join(map(str, place))}: {text}" if text and isinstance(place, list) else text


def _behind(found: Any) -> str:
    """What the host behind OpenRouter said: https://openrouter.ai/docs/api-reference/errors."""
    metadata = found.get("metadata") if isinstance(found, dict) else None
    raw = metadata.get("raw") if isinstance(metadata, dict) else None
    if not isinstance(raw, str):
        return _message(raw)
    try:
        value = decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return raw.strip()[:_LONGEST]
    return _message(value)


def _unread(status: int, body: bytes) -> ProviderRefused:
    text = body.decode("utf-8", "replace").strip()
    if not text:
        return ProviderRefused(
            f"The provider answered with status {status} and an empty body.", status=status, body=body
        )
    if text[:1] == "<":
        title = _TITLE.search(text[:20_000])
        said = f": {title[1][:_LONGEST]}" if title else ""
        message = f"The provider answered with status {status} and an HTML page{said}."
        return ProviderRefused(message, status=status, body=body, content_type=b"text/html")
    return ProviderRefused(text[:_LONGEST], status=status, body=body, content_type=b"text/plain")


def inside(value: Any, body: bytes) -> ProviderRefused:
    """The error in a reply of status 200: its code is the status where it is one, else 502."""
    found = value.get("error", value) if isinstance(value, dict) else None
    status = 502
    if isinstance(found, dict):
        for key in ("code", "status_code", "status", "raw_status_code"):
            code = found.get(key)
            if isinstance(code, int) and 400 <= code <= 599:
                status = code
                break
    return refused(status, value, _KEY.sub(b"[key]", body))


def write_error(error: GatewayError, request_id: str, *, streaming: bool) -> bytes:
    """`{"error": {"message", "type", "param", "code"}}`; `streaming`: the same as an event. The id goes in a header."""
    status = error.status
    kind = _TYPES.get(status) or ("server_error" if status >= 500 else "invalid_request_error")
    code: str | None = error.code
    if isinstance(error, ProviderRefused):
        if error.kind in _OWN_TYPES:
            kind = error.kind
            code = error.vendor_code
        else:
            code = error.vendor_code or _CODES.get(status) or error.kind or error.code
    fields = {"message": message_of(error), "type": kind, "param": error.param, "code": code}
    body = encode({"error": fields})
    return b"data: " + body + b"\n\n" if streaming else body
