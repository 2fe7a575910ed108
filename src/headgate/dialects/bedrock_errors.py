"""Errors as Amazon Bedrock says them in all its APIs, read and written.

https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html and the errors of `Converse`. A body is
`{"message": ...}`; the error's name stands in the header `x-amzn-errortype` or, as here, in the body as `__type`:
Amazon's SDKs look for it in both.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from headgate.core.errors import GatewayError, ProviderRefused
from headgate.dialects.dialect import message_of
from headgate.dialects.event_stream import Message, write_exception

NAMES = {
    400: "ValidationException",
    401: "UnrecognizedClientException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    413: "ValidationException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
    504: "ModelTimeoutException",
}
"""Other 4xx are ValidationException, other 5xx ServiceUnavailableException."""
STATUSES = {
    "validationexception": 400,
    "accessdeniedexception": 403,
    "unrecognizedclientexception": 403,
    "resourcenotfoundexception": 404,
    "modeltimeoutexception": 408,
    "modelerrorexception": 424,
    "modelstreamerrorexception": 424,
    "throttlingexception": 429,
    "modelnotreadyexception": 429,
    "servicequotaexceededexception": 400,
    "internalserverexception": 500,
    "serviceunavailableexception": 503,
}
"""Of names in lower case: a stream begins them so (`throttlingException`)."""
IN_STREAM = {
    400: "validationException",
    424: "modelStreamErrorException",
    429: "throttlingException",
    500: "internalServerException",
    503: "serviceUnavailableException",
}
"""The exceptions that a stream can end in."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_TAGS = re.compile(r"<(?:script|style)\b.*?</(?:script|style)>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_LONGEST = 500
"""Characters of a message made of a body in another form."""


def read_error(status: int, body: bytes) -> ProviderRefused:
    """A provider's error reply: this API's, another JSON, HTML, text or nothing. Never raises."""
    try:
        value = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        value = None
    if isinstance(value, dict):
        return refused(value, body, status)
    text = " ".join(_TAGS.sub(" ", body[: 8 * _LONGEST].decode("utf-8", "replace")).split())[:_LONGEST]
    message = f"the provider answered {status}" + (f": {text}" if text else " with an empty body")
    kind = b"text/html" if body.lstrip()[:1] == b"<" else b"text/plain"
    return ProviderRefused(message, status=status, body=body, content_type=kind)


def refused(value: dict[str, Any], body: bytes, status: int | None = None, name: str | None = None) -> ProviderRefused:
    """The error of a decoded body or exception; without `status`, the one its name stands for."""
    inner = value.get("error")
    fields = inner if isinstance(inner, dict) else value
    kind = name or _name(fields.get("__type")) or _name(fields.get("code"))
    if status is None:
        own = fields.get("originalStatusCode")
        status = STATUSES.get((kind or "").lower(), 500)
        if status == 424 and type(own) is int and 400 <= own < 600:
            status = own  # what the model's own server said: 529 is worth another try, 400 is not
    texts = (fields.get("message"), fields.get("Message"), fields.get("originalMessage"), inner)
    message = next((text for text in texts if isinstance(text, str) and text), None)
    if kind is None and message is not None and fields is value:
        kind = name_of(status)
    return ProviderRefused(
        message or f"the provider answered {status} without a message", status=status, body=body, kind=kind
    )


def failed(message: Message) -> ProviderRefused:
    """The error of an exception (or error) message inside a stream."""
    try:
        value = _decode(message.payload) if message.payload else {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        value = {}
    fields = value if isinstance(value, dict) else {}
    told = message.headers.get(":error-message")
    if isinstance(told, str):
        fields = {"message": told, **fields}
    return refused(fields, message.payload, None, message.event or None)


def _name(value: Any) -> str | None:
    """`com.amazon.coral.service#ThrottlingException`, `ThrottlingException:http://…` → the name alone."""
    if not isinstance(value, str) or not value:
        return None
    return value.partition(":")[0].rpartition("#")[2]


def name_of(status: int) -> str:
    return NAMES.get(status, "ServiceUnavailableException" if status >= 500 else "ValidationException")


def write_error(error: GatewayError, request_id: str, *, streaming: bool) -> bytes:
    """`{"__type", "message", ...}`, or the exception that ends a stream.

    Beside the API's own two fields there is `gateway` with its `code`, `origin`, `request_id` and, where known, `param`
    (a `code` beside the message would be taken for the error's name).
    """
    kind = error.kind if isinstance(error, ProviderRefused) else None
    if kind is None or kind.lower() not in STATUSES:
        kind = name_of(error.status)
    ours = {"code": error.code, "origin": error.origin, "request_id": request_id}
    if error.param is not None:
        ours["param"] = error.param
    fields: dict[str, Any] = {"message": message_of(error), "gateway": ours}
    if not streaming:
        return _encode({"__type": kind[:1].upper() + kind[1:], **fields})  # a stream began it small
    status = STATUSES.get(kind.lower(), error.status)
    name = IN_STREAM.get(status, "serviceUnavailableException" if status >= 500 else "modelStreamErrorException")
    return write_exception(name, _encode(fields))
