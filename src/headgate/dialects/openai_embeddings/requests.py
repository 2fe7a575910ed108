"""Requests of OpenAI's embeddings API, read and written; a part of `openai_embeddings`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headgate.core import chat
from headgate.core.chat import Loss
from headgate.core.embeddings import EmbeddingsRequest, Input, Mixed, Purpose, Tokens, Truncation
from headgate.dialects import vectors, whole
from headgate.dialects.fields import optional, others, wrong

NAME = "openai_embeddings"
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
ALIASES = {
    "dimensions": ("output_dimension",),
    "encodings": ("embedding_type", "output_dtype"),
    "purpose": ("input_type", "task", "task_type"),
    "truncate": ("truncation", "truncate"),
}
"""What other vendors call a field."""


def read_request(name: str, fields: Mapping[str, Any]) -> EmbeddingsRequest:
    """A request to the dialect of this name. Raises InvalidRequest."""
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
    for field, aliases in ALIASES.items():
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


def own_body(request: EmbeddingsRequest) -> dict[str, Any]:
    """The request as it was said."""
    fields = whole.set_fields(
        {"model": request.model, "input": inputs_of(request, True, API)},
        dimensions=request.dimensions,
        encoding_format=request.encodings[0] if request.encodings else None,
        user=request.user,
    )
    for field in request.names.keys() & ALIASES.keys():
        if request.names[field] in request.aliased:
            fields.pop("encoding_format" if field == "encodings" else field, None)
    return {**fields, **request.aliased, **request.native}


def body(request: EmbeddingsRequest, lost: list[Loss]) -> dict[str, Any]:
    """A request of another dialect as OpenAI takes it. Raises Unsupported."""
    encodings = vectors.only(request, ("float", "base64"), API)
    fields = whole.set_fields(
        {"model": request.model, "input": inputs_of(request, False, API)},
        dimensions=request.dimensions,
        encoding_format=encodings[0] if encodings else None,
        user=request.user,
    )
    if len(request.encodings) > 1:
        lost.append(
            Loss(request.called("encodings"), f"{API} gives one form: {encodings[0] if encodings else 'float'}")
        )
    vectors.leave(request, ("purpose", "title"), API, lost)
    if request.truncate not in (None, "none"):
        lost.append(Loss(request.called("truncate"), f"{API} never cuts an input: one that is too long is an error"))
    vectors.leave_native(request, lost)
    return fields


def inputs_of(request: EmbeddingsRequest, own: bool, api: str) -> Any:
    """The inputs, or the one that stood by itself. `own` ones go back as they came. Raises Unsupported."""
    inputs = [_said(request, index, own, api) for index in range(len(request.inputs))]
    return inputs[0] if request.single else inputs


def _said(request: EmbeddingsRequest, index: int, own: bool, api: str) -> Any:
    match request.inputs[index]:
        case Tokens(ids=ids):
            return ids
        case Mixed(native=native) if own:
            return native
    return vectors.text_of(request, index, api)
