"""Cohere's rerank API, version 2: https://docs.cohere.com/reference/rerank.

What its version 1 had beside (`return_documents`, `rank_fields`) is understood by `jina_rerank`, at the same path.
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
from headgate.dialects.cohere_errors import read_error, write_error
from headgate.dialects.fields import optional, others, string
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

name = "cohere_rerank"
operation: Operation = "rerank"
paths = ["/v2/rerank"]
upstream_path = "/v2/rerank"
request_headers = frozenset({b"x-client-name"})
reply_headers = frozenset(
    {
        b"x-api-warning",
        b"x-endpoint-monthly-call-limit",
        b"x-trial-endpoint-call-limit",
        b"x-trial-endpoint-call-remaining",
    }
)

API = "Cohere's rerank API"
_FIELDS = frozenset({"model", "query", "documents", "top_n", "max_tokens_per_doc", "stream"})


def read_request(fields: Mapping[str, Any]) -> RerankRequest:
    return RerankRequest(
        dialect=name,
        model=fields["model"],
        query=string(fields.get("query"), "query"),
        documents=ranking.documents(fields.get("documents")),
        top=optional(fields, "top_n", int),
        longest=optional(fields, "max_tokens_per_doc", int),
        native=others(fields, _FIELDS),
        names={"top": "top_n", "longest": "max_tokens_per_doc"},
    )


def write_request(request: RerankRequest, lost: list[Loss]) -> bytes:
    """Without a word to the provider, the gateway itself gives the documents back where that is asked for."""
    own = request.dialect == name
    fields = set_fields(
        {
            "model": request.model,
            "query": request.query,
            "documents": [*map(ranking.own, request.documents)] if own else ranking.texts(request, API),
        },
        top_n=request.top,
        max_tokens_per_doc=request.longest,
    )
    if own:
        return whole.encode({**fields, **request.native})
    if request.truncate is False:
        lost.append(Loss(request.called("truncate"), f"{API} always cuts documents that are too long"))
    ranking.leave(request, (), API, lost)
    return whole.encode(fields)


def reader(stream: bool) -> Reader:
    return whole.Reader(name, ranking.read)


def writer(stream: bool, request: Mapping[str, Any], lost: list[Loss]) -> Writer:
    return whole.Writer(name, _write, request, lost)


def relay(stream: bool, request: Mapping[str, Any]) -> Relay:
    return whole.Relay(ranking.read)


def _write(said: whole.Said, request: Mapping[str, Any], lost: list[Loss]) -> dict[str, Any]:
    """The version 2 has no documents in its replies."""
    usage = said.usage or Usage()
    searches = usage.units.get("searches")
    billed = {"search_units": searches} if searches else {"input_tokens": usage.prompt} if usage.prompt else {}
    return {
        "id": said.id,
        "results": ranking.results(said, request, False, plain=False),
        "meta": {"api_version": {"version": "2"}, "billed_units": billed},
    }
