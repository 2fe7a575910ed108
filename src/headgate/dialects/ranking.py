"""Documents and their ranks, as the dialects of reranking share them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from headgate.core import chat
from headgate.core.chat import Loss
from headgate.core.errors import InvalidRequest, Unsupported
from headgate.core.rerank import Entry, Rank, Ranking, RerankRequest
from headgate.core.usage import Usage
from headgate.dialects import whole
from headgate.dialects.fields import array, string, wrong
from headgate.dialects.vectors import source

WHAT = "a ranking of documents"
_DOCUMENT = ("text", "document", "content")
"""Where a document's text stands in an object that has more fields."""


class _Result(msgspec.Struct, gc=False):
    index: int
    relevance_score: float | None = None
    score: float | None = None
    document: str | dict[str, Any] | None = None


class _Reply(msgspec.Struct, gc=False):
    results: list[_Result] | None = None
    data: list[_Result] | None = None
    id: Any = None
    model: Any = None
    usage: Any = None
    meta: Any = None


_reply = msgspec.json.Decoder(_Reply)
_members = msgspec.json.Decoder(dict[str, Any])
_OWN = frozenset({"index", "relevance_score", "score", "document"})


def documents(value: Any, ranked: Any = None) -> list[Entry]:
    """A request's documents. `ranked` are Cohere's `rank_fields`: what of an object is looked at."""
    listed = array(value, "documents")
    if not listed:
        raise InvalidRequest("`documents` is empty; send at least one", param="documents")
    chosen = [name for name in ranked if isinstance(name, str)] if isinstance(ranked, list) else []
    return [_entry(item, f"documents[{index}]", chosen) for index, item in enumerate(listed)]


def _entry(value: Any, path: str, chosen: list[str]) -> Entry:
    if isinstance(value, str):
        return Entry(text=value)
    if not isinstance(value, dict):
        raise wrong(path, "a string or an object", value)
    if isinstance(value.get("image"), str):
        return Entry(fields=value, parts=[chat.Image(source=source(value["image"]))])
    if chosen:  # https://docs.cohere.com/docs/reranking-best-practices: several fields are best said as YAML
        lines = [f"{name}: {value[name]}" for name in chosen if name in value]
        return Entry(text="\n".join(lines), fields=value)
    name = next((name for name in _DOCUMENT if isinstance(value.get(name), str)), "text")
    return Entry(text=string(value.get(name), f"{path}.{name}"), fields=value)


def own(entry: Entry) -> Any:
    """A document as it was said."""
    return entry.fields or entry.text


def texts(request: RerankRequest, api: str) -> list[str]:
    """The documents for an API that ranks only texts. Raises Unsupported."""
    for index, entry in enumerate(request.documents):
        if entry.text is None:
            raise Unsupported(
                f"{api} ranks only texts; ask for a model that takes pictures",
                param=f"{request.called('documents')}[{index}]",
            )
    return [entry.text or "" for entry in request.documents]


def leave(request: RerankRequest, fields: tuple[str, ...], api: str, lost: list[Loss]) -> None:
    """Name what the request has and the API has no word for: of these fields, and what only the client's own knows."""
    said = (field for field in fields if getattr(request, field) is not None)
    lost.extend(Loss(request.called(field), f"{api} has no such field") for field in said)
    lost.extend(Loss(key, "only the client's own API knows it") for key in request.native)


def read(body: bytes, deep: bool) -> whole.Said:
    """A reply of any of these APIs: the ranks stand in `results`, or (Voyage) in `data`. Raises ProviderNonsense."""
    reply = whole.decoded(_reply, body, WHAT)
    found = reply.results if reply.results is not None else reply.data
    if found is None:
        raise whole.nonsense(body, WHAT, "no `results`")
    said = whole.Said(usage=_usage(reply), id=whole.text(reply.id), model=whole.text(reply.model))
    if deep:
        fields = whole.decoded(_members, body, WHAT)
        listed = fields["results"] if reply.results is not None else fields["data"]
        pairs = zip(found, listed, strict=True)
        said.value = Ranking(ranks=[_rank(result, raw, body) for result, raw in pairs])
        known = ("results", "data", "id", "model", "usage", "meta", "object")
        said.native = {key: value for key, value in fields.items() if key not in known}
    return said


def _rank(result: _Result, raw: dict[str, Any], body: bytes) -> Rank:
    score = result.relevance_score if result.relevance_score is not None else result.score
    if score is None:
        raise whole.nonsense(body, WHAT, "no `relevance_score`")
    native = {key: value for key, value in raw.items() if key not in _OWN}
    return Rank(index=result.index, score=score, document=result.document, native=native)


def _usage(reply: _Reply) -> Usage | None:
    """Tokens in `usage`, searches in `meta.billed_units`: which of the two is the vendor's choice."""
    usage = reply.usage if isinstance(reply.usage, dict) else {}
    meta = reply.meta if isinstance(reply.meta, dict) else {}
    billed = meta.get("billed_units")
    billed = billed if isinstance(billed, dict) else {}
    if not usage and not billed:
        return None
    searches = whole.count(billed.get("search_units")) or whole.count(usage.get("search_units"))
    return Usage(
        input=whole.count(usage.get("total_tokens")) or whole.count(usage.get("prompt_tokens")),
        units={"searches": float(searches)} if searches else {},
        reported=usage or billed,
    )


def results(said: whole.Said, request: Mapping[str, Any], echo: bool, *, plain: bool) -> list[Any]:
    """The ranks as a client reads them. With `echo` each has its document, from the request where the provider gave
    none: `plain` as a string, else as an object."""
    asked = request.get("documents")
    listed = asked if isinstance(asked, list) else []
    found = []
    ranking: Ranking = said.value
    for rank in ranking.ranks:
        one: dict[str, Any] = {"index": rank.index, "relevance_score": rank.score}
        if echo:
            document = rank.document
            if document is None and 0 <= rank.index < len(listed):
                document = listed[rank.index]
            if document is not None:
                one["document"] = _shaped(document, plain)
        one.update(rank.native)
        found.append(one)
    return found


def _shaped(document: Any, plain: bool) -> Any:
    if plain and isinstance(document, dict):
        return next((document[name] for name in _DOCUMENT if isinstance(document.get(name), str)), document)
    return {"text": document} if isinstance(document, str) and not plain else document
