"""Anthropic's Messages API: https://docs.claude.com/en/api/messages.

Requests are read and written in `requests`, those of other dialects in `crossing`
(which says what becomes of what they say otherwise), replies are passed on in `relaying`, read in
`reading` and written in `writing`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from headgate.core.chat import ChatRequest, Loss, fold
from headgate.core.dialect import Reader, Relay, Writer
from headgate.core.marking import EVERYWHERE, Markable
from headgate.core.request import Operation
from headgate.dialects.anthropic_messages import count_tokens, invoke
from headgate.dialects.anthropic_messages.crossing import Crossing
from headgate.dialects.anthropic_messages.errors import read_error, write_error
from headgate.dialects.anthropic_messages.reading import StreamReader, WholeReader
from headgate.dialects.anthropic_messages.relaying import StreamRelay, WholeRelay
from headgate.dialects.anthropic_messages.requests import read_request, write_own
from headgate.dialects.anthropic_messages.words import DIALECT, REPLY_HEADERS, REQUEST_HEADERS
from headgate.dialects.anthropic_messages.writing import StreamWriter, WholeWriter
from headgate.dialects.framing import EVENT_STREAM, JSON, SSE
from headgate.dialects.signatures import holds_foreign

__all__ = [
    "content_type",
    "foreign",
    "in_url",
    "markable",
    "more",
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
operation: Operation = "chat"
paths = ["/v1/messages"]
upstream_path = "/v1/messages"
in_url = False
takes: Literal["json"] = "json"
stream_types = (EVENT_STREAM,)
request_headers = REQUEST_HEADERS
reply_headers = REPLY_HEADERS
more = (count_tokens, invoke)

_encode = msgspec.json.Encoder().encode


def write_request(request: ChatRequest, lost: list[Loss]) -> bytes:
    """The request as the Messages API takes it; what it cannot say is appended to `lost`. Raises Unsupported."""
    said: list[Loss] = []
    body = _encode(write_own(request, said) if request.dialect == name else Crossing(request, said).fields())
    lost += fold(said)
    return body


def content_type(stream: bool, fields: Mapping[str, Any]) -> bytes:
    return SSE if stream else JSON


def foreign(body: bytes) -> bool:
    """Whether there is thinking in it that came from a model of another API: `writing` gave it a mark for this."""
    return holds_foreign(body)


def wanted(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Nothing: every reply of this API reports its usage."""
    return {}


def reader(stream: bool) -> Reader:
    return StreamReader() if stream else WholeReader()


def writer(stream: bool, request: Mapping[str, Any], lost: list[Loss]) -> Writer:
    """`request` is not needed: nothing a client of this API can ask for changes the form of the reply."""
    return StreamWriter(lost) if stream else WholeWriter(lost)


def relay(stream: bool, request: Mapping[str, Any]) -> Relay:
    return StreamRelay() if stream else WholeRelay()


def markable(model: str) -> Markable:
    """https://platform.claude.com/docs/en/build-with-claude/prompt-caching"""
    return EVERYWHERE
