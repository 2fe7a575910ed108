"""The OpenAPI description of the API most clients learn, OpenAI's, from the types of OpenAI's own SDK."""

from __future__ import annotations

import json
from typing import Any

from openai import types
from openai.types import audio, chat, responses
from pydantic import TypeAdapter

from headgate import __version__

JSON, STREAM, FORM = "application/json", "text/event-stream", "multipart/form-data"
REF = "#/components/schemas/{model}"
ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": ["string", "null"]},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "integer", "null"]},
            },
        }
    },
}
RANKING = {
    "type": "object",
    "required": ["results"],
    "properties": {
        "results": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["index", "relevance_score"],
                "properties": {"index": {"type": "integer"}, "relevance_score": {"type": "number"}},
            },
        }
    },
}
MODELS = {
    "type": "object",
    "required": ["object", "data"],
    "properties": {
        "object": {"const": "list"},
        "data": {"type": "array", "items": {"$ref": "#/components/schemas/Model"}},
    },
}
ANSWERS: dict[str, tuple[str, str | None, dict[str, Any]]] = {
    "/v1/chat/completions": ("A chat", JSON, {JSON: chat.ChatCompletion, STREAM: chat.ChatCompletionChunk}),
    "/v1/responses": ("A response", JSON, {JSON: responses.Response, STREAM: responses.ResponseStreamEvent}),
    "/v1/completions": ("A prompt of the legacy API", JSON, {JSON: types.Completion, STREAM: types.Completion}),
    "/v1/embeddings": ("Embeddings", JSON, {JSON: types.CreateEmbeddingResponse}),
    "/v1/moderations": ("A moderation", JSON, {JSON: types.ModerationCreateResponse}),
    "/v1/rerank": ("A ranking of documents", JSON, {JSON: "Ranking"}),
    "/v1/images/generations": (
        "Images of words",
        JSON,
        {JSON: types.ImagesResponse, STREAM: types.ImageGenStreamEvent},
    ),
    "/v1/images/edits": ("Images of images", FORM, {JSON: types.ImagesResponse, STREAM: types.ImageEditStreamEvent}),
    "/v1/images/variations": ("Variations of an image", FORM, {JSON: types.ImagesResponse}),
    "/v1/audio/speech": ("Speech", JSON, {"audio/*": None, STREAM: None}),
    "/v1/audio/transcriptions": (
        "A transcription",
        FORM,
        {
            JSON: audio.TranscriptionCreateResponse,
            STREAM: audio.TranscriptionStreamEvent,
            "text/plain": None,
        },
    ),
    "/v1/audio/translations": (
        "A translation",
        FORM,
        {JSON: audio.TranslationCreateResponse, "text/plain": None},
    ),
    "/v1/models": ("What the key may ask for", None, {JSON: "Models"}),
    "/v1/models/{name}": ("One of them", None, {JSON: types.Model}),
}
"""By path: what it is, the type of its request's body (None: it has none), and its replies by content type.

In a stream, the schema is that of each event's `data`."""

WIDER: tuple[tuple[str, str, dict[str, Any]], ...] = (
    # in a stream, until the last: https://platform.openai.com/docs/api-reference/completions/object
    ("CompletionChoice", "finish_reason", {"type": "null"}),
    # of hosts that count seconds, as OpenAI's own do in a transcript that is not streamed
    ("TranscriptionTextDoneEvent", "usage", {"$ref": REF.format(model="UsageDuration")}),
)
"""Fields that may hold more than the SDK's type says."""


def page() -> str:
    """OpenAPI 3.1, as JSON."""
    schemas: dict[str, Any] = {"Error": ERROR, "Ranking": RANKING, "Models": MODELS}
    paths = {path: _path(path, *answer, schemas) for path, answer in ANSWERS.items()}
    for name, field, wider in WIDER:
        there = next(part for key, part in schemas.items() if key.rpartition(".")[2] == name)["properties"]
        there[field] = {"anyOf": [*there[field].get("anyOf", [there[field]]), wider]}
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "Headgate",
            "version": __version__,
            "description": "The API that applications learn, whatever the provider. It is OpenAI's; requests are as "
            "its reference has them (https://platform.openai.com/docs/api-reference). Other vendors' APIs are served, "
            "too: docs/reference/api.md.",
        },
        "servers": [{"url": "http://127.0.0.1:4000"}],
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
            "schemas": dict(sorted(schemas.items())),
        },
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _path(path: str, what: str, kind: str | None, replies: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    name = path.removeprefix("/v1/").replace("/", "_")
    content = {
        reply: {"schema": _schema(answer, f"{name}_events" if reply == STREAM else name, schemas)}
        for reply, answer in replies.items()
    }
    said: dict[str, Any] = {
        "summary": what,
        "responses": {
            "200": {"description": what, "content": content},
            "default": {
                "description": "What is wrong, and how to mend it; `x-headgate-error-origin` says whose error it is.",
                "content": {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}},
            },
        },
    }
    if "{name}" in path:
        said["parameters"] = [{"name": "name", "in": "path", "required": True, "schema": {"type": "string"}}]
    if kind is None:
        return {"get": said}
    wanted: dict[str, Any] = {
        "type": "object",
        "required": ["model"],
        "properties": {"model": {"type": "string"}},
        "additionalProperties": True,
    }
    said["requestBody"] = {"required": True, "content": {kind: {"schema": wanted}}}
    return {"post": said}


def _schema(answer: Any, prefix: str, schemas: dict[str, Any]) -> dict[str, Any]:
    """That of a type of the SDK; what it needs is put among the others."""
    if answer is None:
        return {"type": "string", "format": "binary"}
    if isinstance(answer, str):
        return {"$ref": REF.format(model=answer)}
    name = answer.__name__ if isinstance(answer, type) else ""
    found = _untitled(TypeAdapter(answer).json_schema(ref_template=REF))
    found = _apart(found, prefix, schemas)
    schemas.update(found.pop("$defs", {}))
    if not name:
        return found
    schemas[name] = found
    return {"$ref": REF.format(model=name)}


def _apart(found: dict[str, Any], prefix: str, schemas: dict[str, Any]) -> dict[str, Any]:
    """With other names for the parts of which another type has some of the same name (`Choice`, `Usage`), and for those
    that hold them."""
    parts = found.get("$defs", {})
    taken = {name for name, part in parts.items() if schemas.get(name, part) != part}
    while more := {name for name, part in parts.items() if name not in taken and _refers(part, taken)}:
        taken |= more
    text = json.dumps({**found, "$defs": {f"{prefix}.{n}" if n in taken else n: part for n, part in parts.items()}})
    for name in taken:
        text = text.replace(_ref(name), _ref(f"{prefix}.{name}"))
    return dict(json.loads(text))


def _refers(part: Any, names: set[str]) -> bool:
    text = json.dumps(part)
    return any(_ref(name) in text for name in names)


def _ref(name: str) -> str:
    return json.dumps(REF.format(model=name))


def _untitled(schema: Any) -> Any:
    """Without the titles that only repeat a field's name."""
    if isinstance(schema, list):
        return [_untitled(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: {name: _untitled(inner) for name, inner in value.items()} if key == "properties" else _untitled(value)
        for key, value in schema.items()
        if key != "title"
    }
