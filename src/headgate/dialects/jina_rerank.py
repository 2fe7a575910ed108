"""Jina's rerank API, which most hosts that rerank speak: https://jina.ai/reranker, vLLM, llama.cpp, OpenRouter.

Version 1 of Cohere's API has the same path and shape, and Voyage's the same path: their fields are understood
(`rank_fields`, `max_tokens_per_doc`; `top_k`, `truncation`), and a request in Voyage's words is answered in Voyage's
shape. Replies tell `usage` as Jina's do and, where a provider counts searches, `meta` as Cohere's do.
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

name = "jina_rerank"
operation: Operation = "rerank"
paths = ["/v1/rerank", "/rerank"]
upstream_path = "/rerank"
request_headers: frozenset[bytes] = frozenset()
reply_headers: frozenset[bytes] = frozenset()

API = "Jina's rerank API"
_FIELDS = frozenset({"model", "query", "documents", "top_n", "return_documents", "stream"})
_ALIASES = {
    "top": ("top_k",),
    "truncate": ("truncation",),
    "longest": ("max_tokens_per_doc", "max_doc_length"),
}
"""What Voyage, Cohere and Jina's newer models call a field."""
_KINDS = {"top": int, "truncate": bool, "longest": int}
_RANKED = "rank_fields"
"""Cohere's; its meaning is in the documents' texts."""


def read_request(fields: Mapping[str, Any]) -> RerankRequest:
    request = RerankRequest(
        dialect=name,
        model=fields["model"],
        query=string(fields.get("query"), "query"),
        documents=ranking.documents(fields.get("documents"), fields.get(_RANKED)),
        top=optional(fields, "top_n", int),
        echo=optional(fields, "return_documents", bool),
        native=others(fields, _FIELDS),
        names={"top": "top_n", "echo": "return_documents"},
    )
    for field, aliases in _ALIASES.items():
        for alias in aliases:
            if alias in request.native and getattr(request, field) is None:
                setattr(request, field, optional(fields, alias, _KINDS[field]))
                request.names[field] = alias
                request.aliased[alias] = request.native.pop(alias)
    if isinstance(request.native.get(_RANKED), list):
        request.aliased[_RANKED] = request.native.pop(_RANKED)
    return request


def write_request(request: RerankRequest, lost: list[Loss]) -> bytes:
    if request.dialect == name:
        return whole.encode(_own(request))
    fields = set_fields(
        {"model": request.model, "query": request.query, "documents": ranking.texts(request, API)},
        top_n=request.top,
        return_documents=request.echo or False,  # without it all of them come back
    )
    if request.truncate is False:
        lost.append(Loss(request.called("truncate"), f"{API} always cuts documents that are too long"))
    ranking.leave(request, ("longest",), API, lost)
    return whole.encode(fields)


def _own(request: RerankRequest) -> dict[str, Any]:
    fields = set_fields(
        {"model": request.model, "query": request.query, "documents": [*map(ranking.own, request.documents)]},
        top_n=request.top if request.called("top") == "top_n" else None,
        return_documents=request.echo,
    )
    return {**fields, **request.aliased, **request.native}


def reader(stream: bool) -> Reader:
    return whole.Reader(name, ranking.read)


def writer(stream: bool, request: Mapping[str, Any], lost: list[Loss]) -> Writer:
    return whole.Writer(name, _write, request, lost)


def relay(stream: bool, request: Mapping[str, Any]) -> Relay:
    return whole.Relay(ranking.read)


def _write(said: whole.Said, request: Mapping[str, Any], lost: list[Loss]) -> dict[str, Any]:
    """Jina's models give the documents back where nothing is said, Voyage's do not."""
    voyage = "top_k" in request or "truncation" in request
    echo = request.get("return_documents")
    echo = echo if isinstance(echo, bool) else not voyage
    usage = said.usage or Usage()
    fields: dict[str, Any] = {
        "object": "list",
        "model": said.model or whole.text(request.get("model")),
        "data" if voyage else "results": ranking.results(said, request, echo, plain=voyage),
        "usage": {"total_tokens": usage.prompt} if voyage else _tokens(usage.prompt),
    }
    if said.id and not voyage:
        fields["id"] = said.id
    searches = usage.units.get("searches")
    if searches and not voyage:
        fields["meta"] = {"api_version": {"version": "1"}, "billed_units": {"search_units": searches}}
    return fields


def _tokens(total: int) -> dict[str, int]:
    return {"total_tokens": total, "prompt_tokens": total}
