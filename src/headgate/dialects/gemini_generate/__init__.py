"""Google's Gemini API, as Google AI and Vertex AI have it: https://ai.google.dev/api/generate-content.

Requests are read and written in `requests`, those of other dialects in `crossing` (which says what becomes of what
they say otherwise), replies are passed on in `relaying`, read in `reading` and written in `writing`. The counting of
tokens is a dialect of its own in `count_tokens`, so are those of embeddings in `embed` and `predict`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from headgate.core.chat import ChatRequest, Loss, fold
from headgate.core.dialect import Reader, Relay, Writer
from headgate.core.request import Operation
from headgate.dialects.gemini_generate import count_tokens, embed, predict
from headgate.dialects.gemini_generate.crossing import Crossing
from headgate.dialects.gemini_generate.errors import break_off, read_error, write_error
from headgate.dialects.gemini_generate.reading import Reader as ReplyReader
from headgate.dialects.gemini_generate.relaying import StreamRelay, WholeRelay
from headgate.dialects.gemini_generate.requests import read_request, write_own
from headgate.dialects.gemini_generate.words import DIALECT, PLACES, REPLY_HEADERS, REQUEST_HEADERS, SEALED, model_path
from headgate.dialects.gemini_generate.writing import StreamWriter, WholeWriter

__all__ = [
    "break_off",
    "content_type",
    "foreign",
    "in_url",
    "more",
    "name",
    "operation",
    "paths",
    "read_error",
    "read_request",
    "read_url",
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
    "write_url",
    "writer",
]

name = DIALECT
operation: Operation = "chat"
paths = [f"{place}{{model}}:{verb}" for place in PLACES for verb in ("generateContent", "streamGenerateContent")]
upstream_path = "/v1beta/models/{model}:generateContent"
in_url = True
takes: Literal["json"] = "json"
stream_types = (b"text/event-stream", b"application/json")
request_headers = REQUEST_HEADERS
reply_headers = REPLY_HEADERS
more = (count_tokens, embed, predict)

_encode = msgspec.json.Encoder().encode
_SEALED = b'"%b' % SEALED.encode()


def read_url(template: str, model: str, query: Mapping[str, str]) -> dict[str, Any]:
    """`model`, `stream`, and, for a stream, `alt`: "sse" asks for events, else it is one JSON array."""
    found: dict[str, Any] = {"model": model, "stream": template.endswith(":streamGenerateContent")}
    if found["stream"] and query.get("alt") == "sse":
        found["alt"] = "sse"
    return found


def write_url(model: str, stream: bool, fields: Mapping[str, Any]) -> str:
    """A stream is asked for as events, except for a client of this dialect that wants the array."""
    path = model_path(model)
    if not stream:
        return f"{path}:generateContent"
    array = fields.get("stream") is True and fields.get("alt") != "sse"
    return f"{path}:streamGenerateContent" + ("" if array else "?alt=sse")


def content_type(stream: bool, fields: Mapping[str, Any]) -> bytes:
    return b"text/event-stream" if stream and fields.get("alt") == "sse" else b"application/json; charset=UTF-8"


def write_request(request: ChatRequest, lost: list[Loss]) -> bytes:
    """The request as the API takes it; what it cannot say is appended to `lost`. Raises Unsupported."""
    said: list[Loss] = []
    fields = write_own(request, said) if request.dialect == name else Crossing(request, said).fields()
    lost += fold(said)
    return _encode(fields)


def foreign(body: bytes) -> bool:
    """Whether it holds proofs of another vendor, or calls that no Gemini made: `writing` gave them a mark for this.

    Or a model of its own beside the one in the path, which Google refuses if they differ.
    """
    return body.find(_SEALED) >= 0 or body.find(b'"model":') >= 0  # `in` takes twice as long


def wanted(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Nothing: every reply of this API reports its usage."""
    return {}


def reader(stream: bool) -> Reader:
    return ReplyReader(stream)


def writer(stream: bool, request: Mapping[str, Any], lost: list[Loss]) -> Writer:
    """`request` tells how a stream is framed."""
    return StreamWriter(request, lost) if stream else WholeWriter(lost)


def relay(stream: bool, request: Mapping[str, Any]) -> Relay:
    return StreamRelay(request) if stream else WholeRelay()
