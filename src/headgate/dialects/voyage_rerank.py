"""Voyage's rerank API, as its provider is asked: https://docs.voyageai.com/reference/reranker-api.

Its own clients come to the path it has in common with `jina_rerank`, which understands its words.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headgate.core.chat import Loss
from headgate.core.dialect import Reader, Relay, Writer
from headgate.core.request import Operation
from headgate.core.rerank import RerankRequest
from headgate.core.usage import Usage
from headgate.dialects import ranking, whole
from headgate.dialects.fields import optional, others, string
from headgate.dialects.openai_errors import read_error, write_error
from headgate.dialects.whole import content_type, foreign, in_url, set_fields, stream_types, takes, wanted

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

name = "voyage_rerank"
operation: Operation = "rerank"
paths: list[str] = []
upstream_path = "/rerank"
request_headers: frozenset[bytes] = frozenset()
reply_headers: frozenset[bytes] = frozenset()

API = "Voyage's rerank API"
_FIELDS = frozenset({"model", "query", "documents", "top_k", "return_documents", "truncation", "stream"})


def read_request(fields: Mapping[str, Any]) -> RerankRequest:
    return RerankRequest(
        dialect=name,
        model=fields["model"],
        query=string(fields.get("query"), "query"),
        documents=ranking.documents(fields.get("documents")),
        top=optional(fields, "top_k", int),
        echo=optional(fields, "return_documents", bool),
        truncate=optional(fields, "truncation", bool),
        native=others(fields, _FIELDS),
        names={"top": "top_k", "echo": "return_documents", "truncate": "truncation"},
    )


def write_request(request: RerankRequest, lost: list[Loss]) -> bytes:
    own = request.dialect == name
    fields = set_fields(
        {
            "model": request.model,
            "query": request.query,
            "documents": [*map(ranking.own, request.documents)] if own else ranking.texts(request, API),
        },
        top_k=request.top,
        return_documents=request.echo if own else None,  # the gateway gives them back itself
        truncation=request.truncate,
    )
    if own:
        return whole.encode({**fields, **request.native})
    ranking.leave(request, ("longest",), API, lost)
    return whole.encode(fields)


def reader(stream: bool) -> Reader:
    return whole.Reader(name, ranking.read)


def writer(stream: bool, request: Mapping[str, Any], lost: list[Loss]) -> Writer:
    return whole.Writer(name, _write, request, lost)


def relay(stream: bool, request: Mapping[str, Any]) -> Relay:
    return whole.Relay(ranking.read)


def _write(said: whole.Said, request: Mapping[str, Any], lost: list[Loss]) -> dict[str, Any]:
    usage = said.usage or Usage()
    return {
        "object": "list",
        "data": ranking.results(said, request, request.get("return_documents") is True, plain=True),
        "model": said.model or whole.text(request.get("model")),
        "usage": {"total_tokens": usage.prompt},
    }
