"""Ollama's older embeddings, of one text: https://github.com/ollama/ollama/blob/main/docs/api.md#generate-embedding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from headgate.core.chat import Loss
from headgate.core.dialect import Reader, Relay, Writer
from headgate.core.embeddings import Embeddings, EmbeddingsRequest
from headgate.core.request import Operation
from headgate.dialects import vectors, whole
from headgate.dialects.fields import others, string
from headgate.dialects.ollama_chat.errors import inside, read_error, write_error
from headgate.dialects.ollama_chat.words import EMBEDDINGS
from headgate.dialects.whole import content_type, foreign, in_url, stream_types, takes, wanted

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
name = EMBEDDINGS
operation: Operation = "embeddings"
paths = ["/api/embeddings"]
upstream_path = "/api/embeddings"
request_headers: frozenset[bytes] = frozenset()
reply_headers: frozenset[bytes] = frozenset()

API = "Ollama's older embeddings API"
_FIELDS = frozenset({"model", "prompt", "stream"})
_WHAT = "an embedding"


class _Reply(msgspec.Struct, gc=False):
    embedding: list[float] | None = None
    error: Any = None


_reply = msgspec.json.Decoder(_Reply)
_members = msgspec.json.Decoder(dict[str, Any])
_decode = msgspec.json.Decoder().decode


def read_request(fields: Mapping[str, Any]) -> EmbeddingsRequest:
    """Raises InvalidRequest."""
    return EmbeddingsRequest(
        dialect=name,
        model=fields["model"],
        inputs=[string(fields.get("prompt"), "prompt")],
        single=True,
        native=others(fields, _FIELDS),
        names={"inputs": "prompt"},
    )


def write_request(request: EmbeddingsRequest, lost: list[Loss]) -> bytes:
    """Raises Unsupported."""
    fields = {"model": request.model, "prompt": vectors.text_of(request, vectors.alone(request, API), API)}
    if request.dialect == name:
        return whole.encode({**fields, **request.native})
    vectors.only(request, ("float",), API)
    vectors.leave(request, ("dimensions", "purpose", "title", "truncate", "user"), API, lost)
    vectors.leave_native(request, lost)
    return whole.encode(fields)


def reader(stream: bool) -> Reader:
    return whole.Reader(name, _read)


def writer(stream: bool, request: Mapping[str, Any], lost: list[Loss]) -> Writer:
    return whole.Writer(name, _write, request, lost)


def relay(stream: bool, request: Mapping[str, Any]) -> Relay:
    return whole.Relay(_read)


def _read(body: bytes, deep: bool) -> whole.Said:
    """It tells no usage."""
    reply = whole.decoded(_reply, body, _WHAT)
    if reply.error:
        raise inside(_decode(body), body)
    if reply.embedding is None:
        raise whole.nonsense(body, _WHAT, "no `embedding`")
    said = whole.Said()
    if deep:
        said.value = Embeddings(vectors={"float": [reply.embedding]})
        members = whole.decoded(_members, body, _WHAT)
        said.native = {key: value for key, value in members.items() if key != "embedding"}
    return said


def _write(said: whole.Said, request: Mapping[str, Any], lost: list[Loss]) -> dict[str, Any]:
    return {"embedding": vectors.one(said.value)}
