"""OpenAI's Responses API, which its newer clients and Codex speak: this is its surface, the parts stand beside it.

Requests are read in `requests`, written back in `own` and said for other dialects in `crossing`; replies are passed on
in `relaying`, read in `reading`, and written in `writing` from the items of `items`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from headgate.core.chat import ChatRequest, Loss, fold
from headgate.core.dialect import Reader, Relay, Writer
from headgate.core.request import Operation
from headgate.dialects.framing import EVENT_STREAM, JSON, SSE
from headgate.dialects.openai_errors import read_error
from headgate.dialects.openai_responses.crossing import Crossing
from headgate.dialects.openai_responses.errors import write_error
from headgate.dialects.openai_responses.own import write_own
from headgate.dialects.openai_responses.reading import StreamReader, WholeReader
from headgate.dialects.openai_responses.relaying import StreamRelay, WholeRelay
from headgate.dialects.openai_responses.requests import read_request
from headgate.dialects.openai_responses.words import NAME
from headgate.dialects.openai_responses.writing import StreamWriter, WholeWriter
from headgate.dialects.signatures import holds_foreign

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

name = NAME
operation: Operation = "chat"
paths = ["/v1/responses"]
upstream_path = "/responses"
in_url = False
takes: Literal["json"] = "json"
stream_types = (EVENT_STREAM,)
request_headers = frozenset({b"idempotency-key", b"openai-beta"})
reply_headers = frozenset({b"openai-model", b"openai-processing-ms", b"openai-version"})

_encode = msgspec.json.Encoder().encode


def content_type(stream: bool, fields: Mapping[str, Any]) -> bytes:
    return SSE if stream else JSON


def write_request(request: ChatRequest, lost: list[Loss]) -> bytes:
    """The request as a body of the Responses API; what it cannot say is appended to `lost`. Raises Unsupported."""
    said: list[Loss] = []
    body = _encode(write_own(request, said) if request.dialect == name else Crossing(request, said).fields())
    lost += fold(said)
    return body


def foreign(body: bytes) -> bool:
    """Whether there is reasoning in it that came from a model of another API: `items` gave it a mark for this."""
    return holds_foreign(body)


def wanted(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Nothing: every reply of this API reports its usage."""
    return {}


def reader(stream: bool) -> Reader:
    return StreamReader() if stream else WholeReader()


def writer(stream: bool, request: Mapping[str, Any], lost: list[Loss]) -> Writer:
    return StreamWriter(request, lost) if stream else WholeWriter(request, lost)


def relay(stream: bool, request: Mapping[str, Any]) -> Relay:
    return StreamRelay(request) if stream else WholeRelay(request)
