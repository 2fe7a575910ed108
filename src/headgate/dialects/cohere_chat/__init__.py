"""Cohere's chat, version 2: https://docs.cohere.com/reference/chat.

Requests are read and written in `requests`, those of other dialects in `crossing` (which says what becomes of what
they say otherwise), replies are passed on in `relaying`, read in `reading` and written in `writing`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from headgate.core.chat import ChatRequest, Loss, fold
from headgate.core.dialect import Reader, Relay, Writer
from headgate.dialects.cohere_chat.crossing import Crossing
from headgate.dialects.cohere_chat.reading import StreamReader, WholeReader
from headgate.dialects.cohere_chat.relaying import StreamRelay, WholeRelay
from headgate.dialects.cohere_chat.requests import read_request, write_own
from headgate.dialects.cohere_chat.words import DIALECT
from headgate.dialects.cohere_chat.writing import StreamWriter, WholeWriter
from headgate.dialects.cohere_errors import read_error, write_error

__all__ = [
    "content_type",
    "foreign",
    "in_url",
    "name",
    "operation",
    "paths",
    "read_error",
    "read_request",
    "reader",
    "relay",
    "reply_headers",
    "request_headers",
    "stream_types",
    "takes",
    "upstream_path",
    "wanted",
    "write_error",
    "write_request",
    "writer",
]

name = DIALECT
operation: Literal["chat"] = "chat"
paths = ["/v2/chat"]
upstream_path = "/v2/chat"
in_url = False
takes: Literal["json"] = "json"
stream_types: tuple[bytes, ...] = (b"text/event-stream",)
request_headers = frozenset({b"x-client-name"})
reply_headers = frozenset(
    {
        b"num_chars",
        b"num_tokens",
        b"x-api-warning",
        b"x-endpoint-monthly-call-limit",
        b"x-trial-endpoint-call-limit",
        b"x-trial-endpoint-call-remaining",
    }
)

_encode = msgspec.json.Encoder().encode


def write_request(request: ChatRequest, lost: list[Loss]) -> bytes:
    """The request as Cohere takes it; what it cannot say is appended to `lost`. Raises Unsupported."""
    said: list[Loss] = []
    body = _encode(write_own(request) if request.dialect == name else Crossing(request, said).fields())
    lost += fold(said)
    return body


def foreign(body: bytes) -> bool:
    """Never: what a reply of another dialect is said as here can be sent back as it is."""
    return False


def wanted(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Nothing: every reply of this API reports its usage."""
    return {}


def content_type(stream: bool, fields: Mapping[str, Any]) -> bytes:
    return b"text/event-stream; charset=utf-8" if stream else b"application/json"


def reader(stream: bool) -> Reader:
    return StreamReader() if stream else WholeReader()


def writer(stream: bool, request: Mapping[str, Any], lost: list[Loss]) -> Writer:
    """`request` is not needed: nothing a client of this API can ask for changes the form of the reply."""
    return StreamWriter(lost) if stream else WholeWriter(lost)


def relay(stream: bool, request: Mapping[str, Any]) -> Relay:
    return StreamRelay() if stream else WholeRelay()
