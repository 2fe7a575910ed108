"""Replies of OpenAI's embeddings API, read and written; a part of `openai_embeddings`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from headgate.core.chat import Loss
from headgate.core.embeddings import Embeddings, Vector
from headgate.core.usage import Usage
from headgate.dialects import vectors, whole
from headgate.dialects.openai_embeddings.requests import ALIASES
from headgate.dialects.openai_errors import inside


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


def read(body: bytes, deep: bool) -> whole.Said:
    """Raises ProviderNonsense, or ProviderRefused for an error with status 200."""
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


def write(said: whole.Said, request: Mapping[str, Any], lost: list[Loss]) -> dict[str, Any]:
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
    wanted = (request.get(key) for key in ("encoding_format", *ALIASES["encodings"]))
    encoding = next((one for one in wanted if isinstance(one, str) and one in value.vectors), None)
    if encoding is None:
        encoding = "base64" if request.get("encoding_format") == "base64" else "float"
        if vectors.PLAIN.isdisjoint(value.vectors) and value.vectors:
            return next(iter(value.vectors.values()))
    return vectors.vectors_in(value, encoding)
