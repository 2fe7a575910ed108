"""Cohere's embed API, version 2: https://docs.cohere.com/reference/embed; version 1 stands beside it in `v1`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from headgate.core.chat import Loss
from headgate.core.dialect import Dialect, Reader, Relay, Writer
from headgate.core.embeddings import EmbeddingsRequest
from headgate.core.request import Operation
from headgate.dialects import cohere_bodies, whole
from headgate.dialects.cohere_embed import v1
from headgate.dialects.cohere_errors import read_error, write_error
from headgate.dialects.whole import content_type, foreign, in_url, stream_types, takes, wanted

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

name = "cohere_embed"
operation: Operation = "embeddings"
paths = ["/v2/embed"]
upstream_path = "/v2/embed"
request_headers = v1.request_headers
reply_headers = v1.reply_headers
more = (cast(Dialect, v1),)


def read_request(fields: Mapping[str, Any]) -> EmbeddingsRequest:
    return cohere_bodies.read_request(name, fields)


def write_request(request: EmbeddingsRequest, lost: list[Loss]) -> bytes:
    own = request.dialect in (name, v1.name)
    fields = cohere_bodies.own_body(request) if own else cohere_bodies.body(request, lost)
    return whole.encode({"model": request.model, **fields})


def reader(stream: bool) -> Reader:
    return whole.Reader(name, cohere_bodies.read)


def writer(stream: bool, request: Mapping[str, Any], lost: list[Loss]) -> Writer:
    return whole.Writer(name, _write, request, lost)


def relay(stream: bool, request: Mapping[str, Any]) -> Relay:
    return whole.Relay(cohere_bodies.read)


def _write(said: whole.Said, request: Mapping[str, Any], lost: list[Loss]) -> dict[str, Any]:
    return cohere_bodies.write(said, request, "2")
