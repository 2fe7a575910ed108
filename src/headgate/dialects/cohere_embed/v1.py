"""Cohere's embed API, version 1, which its older SDKs speak: https://docs.cohere.com/v1/reference/embed.

Without `embedding_types` its reply is a bare list of vectors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headgate.core.chat import Loss
from headgate.core.dialect import Reader, Relay, Writer
from headgate.core.embeddings import EmbeddingsRequest
from headgate.core.request import Operation
from headgate.dialects import cohere_bodies, whole
from headgate.dialects.cohere_errors import read_error, write_error
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

name = "cohere_embed_v1"
operation: Operation = "embeddings"
paths = ["/v1/embed"]
upstream_path = "/v1/embed"
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


def read_request(fields: Mapping[str, Any]) -> EmbeddingsRequest:
    return cohere_bodies.read_request(name, fields)


def write_request(request: EmbeddingsRequest, lost: list[Loss]) -> bytes:
    own = request.dialect in (name, "cohere_embed")
    fields = cohere_bodies.own_body(request) if own else cohere_bodies.body(request, lost)
    return whole.encode({"model": request.model, **fields})


def reader(stream: bool) -> Reader:
    return whole.Reader(name, cohere_bodies.read)


def writer(stream: bool, request: Mapping[str, Any], lost: list[Loss]) -> Writer:
    return whole.Writer(name, _write, request, lost)


def relay(stream: bool, request: Mapping[str, Any]) -> Relay:
    return whole.Relay(cohere_bodies.read)


def _write(said: whole.Said, request: Mapping[str, Any], lost: list[Loss]) -> dict[str, Any]:
    return cohere_bodies.write(said, request, "1")
