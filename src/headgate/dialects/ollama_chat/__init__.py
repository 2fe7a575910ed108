"""Ollama's own chat: https://docs.ollama.com/api/chat.

Requests are read and written in `requests`, those of other dialects in `crossing` (which says what becomes of what
they say otherwise), replies are passed on in `relaying`, read in `reading` and written in `writing`. Its other way to
ask, with one prompt, is the dialect `generate`; those of embeddings are `embed` and `embeddings`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from headgate.core.chat import ChatRequest, Loss, fold
from headgate.core.dialect import Dialect, Reader, Relay, Writer
from headgate.core.request import Operation
from headgate.dialects.framing import JSON
from headgate.dialects.ollama_chat import embed, embeddings, generate
from headgate.dialects.ollama_chat.crossing import Crossing
from headgate.dialects.ollama_chat.errors import read_error, write_error
from headgate.dialects.ollama_chat.reading import Reader as ReplyReader
from headgate.dialects.ollama_chat.relaying import StreamRelay, WholeRelay
from headgate.dialects.ollama_chat.requests import read_request, write_own
from headgate.dialects.ollama_chat.words import CHAT, LINES
from headgate.dialects.ollama_chat.writing import StreamWriter, WholeWriter

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
    "stream_default",
    "stream_types",
    "takes",
    "upstream_path",
    "wanted",
    "write_error",
    "write_request",
    "writer",
]

name = CHAT
operation: Operation = "chat"
paths = ["/api/chat"]
upstream_path = "/api/chat"
in_url = False
takes: Literal["json"] = "json"
stream_default = True
stream_types = (LINES, JSON)
request_headers: frozenset[bytes] = frozenset()
reply_headers: frozenset[bytes] = frozenset()
more: tuple[Dialect, ...] = (generate, embed, embeddings)

_encode = msgspec.json.Encoder().encode


def write_request(request: ChatRequest, lost: list[Loss]) -> bytes:
    """The request as Ollama takes it; what it cannot say is appended to `lost`. Raises Unsupported."""
    said: list[Loss] = []
    body = _encode(write_own(request) if request.dialect == name else Crossing(request, said).fields())
    lost += fold(said)
    return body


def content_type(stream: bool, fields: Mapping[str, Any]) -> bytes:
    return LINES if stream else JSON


def foreign(body: bytes) -> bool:
    """Never: what a reply of another dialect is said as here can be sent back as it is."""
    return False


def wanted(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Nothing: every reply of this API reports its usage."""
    return {}


def reader(stream: bool) -> Reader:
    return ReplyReader(stream, name)


def writer(stream: bool, request: Mapping[str, Any], lost: list[Loss]) -> Writer:
    """`request` is not needed: nothing a client of this API can ask for changes the form of the reply."""
    return StreamWriter(name, lost) if stream else WholeWriter(name, lost)


def relay(stream: bool, request: Mapping[str, Any]) -> Relay:
    return StreamRelay() if stream else WholeRelay()
