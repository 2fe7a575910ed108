"""OpenAI's Chat Completions API, the dialect most hosts speak: this is its surface, the parts stand beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from headgate.core.chat import Loss
from headgate.core.dialect import Reader, Relay, Writer
from headgate.core.request import Operation
from headgate.dialects.framing import EVENT_STREAM, JSON, SSE
from headgate.dialects.openai_chat import tokenize
from headgate.dialects.openai_chat.crossing import write_request
from headgate.dialects.openai_chat.reading import Reader as ChatReader
from headgate.dialects.openai_chat.relaying import StreamRelay, WholeRelay
from headgate.dialects.openai_chat.requests import NAME, read_request
from headgate.dialects.openai_chat.writing import StreamWriter, WholeWriter
from headgate.dialects.openai_errors import read_error, write_error

__all__ = [
    "content_type",
    "foreign",
    "in_url",
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

name = NAME
operation: Operation = "chat"
paths = ["/v1/chat/completions"]
upstream_path = "/chat/completions"
in_url = False
takes: Literal["json"] = "json"
more = (tokenize,)
stream_types = (EVENT_STREAM,)
request_headers = frozenset({b"idempotency-key", b"openai-beta"})
reply_headers = frozenset({b"openai-model", b"openai-processing-ms", b"openai-version"})


def content_type(stream: bool, fields: Mapping[str, Any]) -> bytes:
    return SSE if stream else JSON


def foreign(body: bytes) -> bool:
    """Whether there is a proof of Google's in it, which hosts other than Google may refuse."""
    return body.find(b'"thought_signature"') >= 0  # `in` takes twice as long


def wanted(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """A stream's usage, which comes only when asked for; the relay takes it out again."""
    if fields.get("stream") is not True:
        return {}
    options = fields.get("stream_options")
    if not isinstance(options, Mapping):
        return {"stream_options": {"include_usage": True}}
    if options.get("include_usage") is True:
        return {}
    return {"stream_options": {**options, "include_usage": True}}


def reader(stream: bool) -> Reader:
    return ChatReader(stream)


def writer(stream: bool, request: Mapping[str, Any], lost: list[Loss]) -> Writer:
    return StreamWriter(request, lost) if stream else WholeWriter(request, lost)


def relay(stream: bool, request: Mapping[str, Any]) -> Relay:
    return StreamRelay(request) if stream else WholeRelay()
