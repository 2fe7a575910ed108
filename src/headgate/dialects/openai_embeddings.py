"""OpenAI's embeddings API, which most hosts speak: https://platform.openai.com/docs/api-reference/embeddings.

Hosts that speak it have fields of their own for what OpenAI has no word for (what the text is for, what becomes of
one that is too long). Their words are understood here, so that a client may use any of them in front of any provider:
`input_type` (Voyage, NVIDIA, Cohere), `task` (Jina), `task_type` (Google), `truncation`, `truncate`,
`output_dimension`, `output_dtype` (Voyage), `embedding_type` (Jina).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from headgate.core import chat
from headgate.core.chat import Loss
from headgate.core.dialect import Reader, Relay, Writer
from headgate.core.embeddings import Embeddings, EmbeddingsRequest, Input, Mixed, Purpose, Tokens, Truncation, Vector
from headgate.core.request import Operation
from headgate.core.usage import Usage
from headgate.dialects import vectors, whole
from headgate.dialects.fields import optional, others, wrong
from headgate.dialects.openai_errors import inside, read_error, write_error
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

name = "openai_embeddings"
operation: Operation = "embeddings"
paths = ["/v1/embeddings"]
upstream_path = "/embeddings"
request_headers = frozenset({b"idempotency-key"})
reply_headers = frozenset({b"openai-model", b"openai-processing-ms", b"openai-version"})

API = "OpenAI's embeddings API"
PURPOSES: dict[str, Purpose] = {
    "query": "query",
    "search_query": "query",
    "retrieval.query": "query",
    "retrieval_query": "query",
    "document": "document",
    "passage": "document",
    "search_document": "document",
    "retrieval.passage": "document",
    "retrieval_document": "document",
    "similarity": "similarity",
    "text-matching": "similarity",
    "semantic_similarity": "similarity",
    "classification": "classification",
    "clustering": "clustering",
    "separation": "clustering",
    "question_answering": "question",
    "fact_verification": "fact",
    "code.query": "code",
    "code_retrieval_query": "code",
}
"""Every vendor's word for what a text is for, in lower case."""
_TRUNCATE: dict[Any, Truncation] = {True: "end", False: "none", "none": "none", "start": "start", "end": "end"}
_FIELDS = frozenset({"model", "input", "dimensions", "encoding_format", "user", "stream"})
_ALIASES = {
    "dimensions": ("output_dimension",),
    "encodings": ("embedding_type", "output_dtype"),
    "purpose": ("input_type", "task", "task_type"),
    "truncate": ("truncation", "truncate"),
}
"""What other vendors call a field."""


class _Reply(msgspec.Struct, gc=False):
    data: msgspec.Raw = msgspec.Raw()
    model: Any = None
    usage: Any = None
    id: Any = None
    error: Any = None


class _Item(msgspec.Struct, gc=False):
    embedding: Vector
    index: int | None = None


_WHAT = "a list of embeddings"
_reply = msgspec.json.Decoder(_Reply)
_items = msgspec.json.Decoder(list[_Item])
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])
_decode = msgspec.json.Decoder().decode


def read_request(fields: Mapping[str, Any]) -> EmbeddingsRequest:
    inputs, single = _inputs(fields.get("input"))
    request = EmbeddingsRequest(
        dialect=name,
        model=fields["model"],
        inputs=inputs,
        single=single,
        dimensions=optional(fields, "dimensions", int),
        encodings=_listed(optional(fields, "encoding_format", str)),
        user=optional(fields, "user", str),
        native=others(fields, _FIELDS),
        names={"inputs": "input", "encodings": "encoding_format"},
    )
    for field, aliases in _ALIASES.items():
        for alias in aliases:
            value = _understood(field, request.native.get(alias))
            if value is not None and getattr(request, field) in (None, []):
                setattr(request, field, value)
                request.names[field] = alias
                request.aliased[alias] = request.native.pop(alias)
                break
    return request


def _listed(value: str | None) -> list[str]:
    return [value] if value is not None else []


def _understood(field: str, value: Any) -> Any:
    """The value of an alias in the core's own terms; None where it makes no sense of it, and it stays native."""
    match field:
        case "dimensions":
            return value if type(value) is int else None
        case "encodings":
            return [value] if isinstance(value, str) else None
        case "purpose":
            return PURPOSES.get(value.lower()) if isinstance(value, str) else None
    return _TRUNCATE.get(value.lower() if isinstance(value, str) else value) if isinstance(value, str | bool) else None


def _inputs(value: Any) -> tuple[list[Input], bool]:
    if isinstance(value, str):
        return [value], True
    if not isinstance(value, list) or not value:
        raise wrong("input", "a string, or a list of strings or of tokens that is not empty", value)
    if all(type(item) is int for item in value):
        return [Tokens(value)], True
    return [_input(item, f"input[{index}]") for index, item in enumerate(value)], False


def _input(value: Any, path: str) -> Input:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(type(item) is int for item in value):
        return Tokens(value)
    if isinstance(value, dict):
        return Mixed(parts=_parts(value, path), native=value)
    raise wrong(path, "a string or a list of tokens", value)


def _parts(value: dict[str, Any], path: str) -> list[chat.Part]:
    """Jina's `{"text"}` and `{"image"}`, and OpenRouter's `{"content": [...]}`."""
    content = value.get("content")
    if isinstance(content, list):
        return [part for piece in content if isinstance(piece, dict) for part in _parts(piece, path)]
    if isinstance(value.get("text"), str):
        return [chat.Text(text=value["text"])]
    image = value.get("image", value.get("image_url"))
    url = image.get("url") if isinstance(image, dict) else image
    if isinstance(url, str):
        return [chat.Image(source=vectors.source(url))]
    raise wrong(path, "a text or an image", value)


def write_request(request: EmbeddingsRequest, lost: list[Loss]) -> bytes:
    own = request.dialect == name
    encodings = request.encodings if own else vectors.only(request, ("float", "base64"), API)
    inputs = [_said(request, index, own) for index in range(len(request.inputs))]
    fields = whole.set_fields(
        {"model": request.model, "input": inputs[0] if request.single else inputs},
        dimensions=request.dimensions,
        encoding_format=encodings[0] if encodings else None,
        user=request.user,
    )
    if own:
        for field in request.names.keys() & _ALIASES.keys():
            if request.names[field] in request.aliased:
                fields.pop("encoding_format" if field == "encodings" else field, None)
        return whole.encode({**fields, **request.aliased, **request.native})
    if len(request.encodings) > 1:
        lost.append(
            Loss(request.called("encodings"), f"{API} gives one form: {encodings[0] if encodings else 'float'}")
        )
    vectors.leave(request, ("purpose", "title"), API, lost)
    if request.truncate not in (None, "none"):
        lost.append(Loss(request.called("truncate"), f"{API} never cuts an input: one that is too long is an error"))
    vectors.leave_native(request, lost)
    return whole.encode(fields)


def _said(request: EmbeddingsRequest, index: int, own: bool) -> Any:
    match request.inputs[index]:
        case Tokens(ids=ids):
            return ids
        case Mixed(native=native) if own:
            return native
    return vectors.text_of(request, index, API)


def reader(stream: bool) -> Reader:
    return whole.Reader(name, _read)


def writer(stream: bool, request: Mapping[str, Any], lost: list[Loss]) -> Writer:
    return whole.Writer(name, _write, request, lost)


def relay(stream: bool, request: Mapping[str, Any]) -> Relay:
    return whole.Relay(_read)


def _read(body: bytes, deep: bool) -> whole.Said:
    reply = whole.decoded(_reply, body, _WHAT)
    if reply.error:
        raise inside(_decode(body), body)
    if whole.first_byte(reply.data) != b"[":
        raise whole.nonsense(body, _WHAT, "no list in `data`")
    usage = _usage(reply.usage) if isinstance(reply.usage, dict) else None
    said = whole.Said(usage=usage, id=whole.text(reply.id), model=whole.text(reply.model))
    if deep:
        items = _ordered(whole.decoded(_items, reply.data, _WHAT))
        encoding = "base64" if items and isinstance(items[0].embedding, str) else "float"
        if any(isinstance(item.embedding, str) is not (encoding == "base64") for item in items):
            raise whole.nonsense(body, _WHAT, "some are numbers, others base64")
        said.value = Embeddings(vectors={encoding: [item.embedding for item in items]})
        known = ("data", "model", "usage", "id", "object")
        members = whole.decoded(_members, body, _WHAT)
        said.native = {key: _decode(raw) for key, raw in members.items() if key not in known}
    return said


def _ordered(items: list[_Item]) -> list[_Item]:
    """By their index, which is the order they nearly always come in."""
    if all(item.index is not None for item in items):
        items.sort(key=lambda item: item.index or 0)
    return items


def _usage(raw: dict[str, Any]) -> Usage:
    """Voyage counts only `total_tokens`."""
    total = whole.count(raw.get("prompt_tokens")) or whole.count(raw.get("total_tokens"))
    details = raw.get("prompt_tokens_details")
    images = min(whole.count(details.get("image_tokens")), total) if isinstance(details, dict) else 0
    return Usage(input=total - images, input_image=images, reported=raw)


def _write(said: whole.Said, request: Mapping[str, Any], lost: list[Loss]) -> dict[str, Any]:
    total = said.usage.prompt if said.usage else 0
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": vector}
            for index, vector in enumerate(_wanted_vectors(said.value, request))
        ],
        "model": said.model or whole.text(request.get("model")),
        "usage": {"prompt_tokens": total, "total_tokens": total},
    }


def _wanted_vectors(value: Embeddings, request: Mapping[str, Any]) -> list[Vector]:
    """In the form the client asked for; small numbers as they are where nothing else came."""
    wanted = (request.get(key) for key in ("encoding_format", *_ALIASES["encodings"]))
    encoding = next((one for one in wanted if isinstance(one, str) and one in value.vectors), None)
    if encoding is None:
        encoding = "base64" if request.get("encoding_format") == "base64" else "float"
        if vectors.PLAIN.isdisjoint(value.vectors) and value.vectors:
            return next(iter(value.vectors.values()))
    return vectors.vectors_in(value, encoding)
