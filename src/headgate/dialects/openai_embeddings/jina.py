"""Jina's embeddings, as its provider is asked: https://jina.ai/embeddings and https://api.jina.ai/redoc.

Its own clients come to the path it has in common with `openai_embeddings`, which understands its words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headgate.core.chat import Loss
from headgate.core.dialect import Reader, Relay, Writer
from headgate.core.embeddings import EmbeddingsRequest
from headgate.core.request import Operation
from headgate.dialects import whole
from headgate.dialects.openai_embeddings import hosts, replies, requests
from headgate.dialects.openai_errors import read_error, write_error
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

name = "jina_embeddings"
operation: Operation = "embeddings"
paths: list[str] = []
upstream_path = "/embeddings"
request_headers: frozenset[bytes] = frozenset()
reply_headers: frozenset[bytes] = frozenset()

HOST = hosts.Host(
    name=name,
    api="Jina's embeddings API",
    purpose="task",
    purposes={
        "query": "retrieval.query",
        "document": "retrieval.passage",
        "similarity": "text-matching",
        "classification": "classification",
        "clustering": "separation",
        "code": "code.query",
    },
    nearest={"question": "retrieval.query", "fact": "retrieval.query"},
    truncate="truncate",
    truncations={"none": False, "end": True},
    form="embedding_type",
    encodings=("float", "base64", "binary", "ubinary"),
    pictures=True,
)


def read_request(fields: Mapping[str, Any]) -> EmbeddingsRequest:
    return requests.read_request(name, fields)


def write_request(request: EmbeddingsRequest, lost: list[Loss]) -> bytes:
    return hosts.plain(HOST, request, lost)


def reader(stream: bool) -> Reader:
    return whole.Reader(name, replies.read)


def writer(stream: bool, request: Mapping[str, Any], lost: list[Loss]) -> Writer:
    return whole.Writer(name, replies.write, request, lost)


def relay(stream: bool, request: Mapping[str, Any]) -> Relay:
    return whole.Relay(replies.read)
