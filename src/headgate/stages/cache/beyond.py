"""What is the same, and what may be kept, of requests that are no chats: vectors, ranks, verdicts, pictures, sound.

Their key is made of the client's own fields, a file's being its bytes, in the client's dialect.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from headgate.core.audio import TranscriptionRequest
from headgate.core.chat import Link, Stored
from headgate.core.embeddings import EmbeddingsRequest, Mixed
from headgate.core.exchange import Exchange
from headgate.core.form import File
from headgate.core.images import Images, ImagesRequest
from headgate.core.moderation import ModerationRequest
from headgate.core.request import Operation, Request
from headgate.core.rerank import RerankRequest

OPERATIONS: frozenset[Operation] = frozenset(
    {"embeddings", "images", "speech", "transcription", "moderation", "rerank"}
)
SURE: frozenset[Operation] = frozenset({"embeddings", "moderation", "rerank"})
"""Of which the same answer is wanted each time."""
LARGE = 1 << 20
"""Bytes of files that are read in a thread."""


def keepable(exchange: Exchange, request: Request, *, deterministic_only: bool) -> bool:
    """Whether all that it is about stands in it, and it wants the same answer each time where that is asked for."""
    if getattr(request, "bound", None) or _linked(request.native):
        return False
    if any(isinstance(getattr(part, "source", part), Link | Stored) for part in _parts(request)):
        return False
    if not deterministic_only or exchange.dialect.operation in SURE:
        return True
    fields = exchange.fields
    warm = request.temperature if isinstance(request, TranscriptionRequest) else fields.get("temperature")
    return warm == 0 or fields.get("seed") is not None


def _parts(request: Request) -> Iterable[Any]:
    """What may stand elsewhere: parts, and sources of pictures."""
    match request:
        case EmbeddingsRequest():
            yield from (part for one in request.inputs if isinstance(one, Mixed) for part in one.parts)
        case RerankRequest():
            yield from (part for document in request.documents for part in document.parts)
        case ModerationRequest():
            yield from (part for one in request.inputs for part in one)
        case ImagesRequest():
            yield from (*request.images, request.mask)


def _linked(value: Any) -> bool:
    """Whether a field of the vendor's own names what stands elsewhere."""
    if isinstance(value, str):
        return "://" in value[:16] and not value.startswith("data:")
    if isinstance(value, Mapping):
        return any(map(_linked, value.values()))
    return isinstance(value, list) and any(map(_linked, value))


def said(exchange: Exchange, neutral: frozenset[str]) -> list[tuple[str, Any]]:
    """The client's fields less those that no answer depends on."""
    fields = exchange.fields
    found = [(name, _plain(fields[name])) for name in sorted(fields.keys() - neutral)]
    if fields.get("partial_images"):  # unfinished pictures are in a stream alone
        found.append(("stream", exchange.stream))
    return found


def _plain(value: Any) -> Any:
    """A file's name tells hosts its format."""
    if isinstance(value, File):
        return "file", value.name, value.media_type, value.digest()
    return [_plain(each) for each in value] if isinstance(value, list) and _has_files(value) else value


def _has_files(value: list[Any]) -> bool:
    return any(isinstance(each, File) for each in value)


def read_files(fields: Mapping[str, Any]) -> None:
    """Have their hashes made, which takes a while where they are large."""
    for value in fields.values():
        _plain(value)


def lasting(value: Any) -> bool:
    """Whether an answer is good for as long as it is kept: an address of a picture is not."""
    return not isinstance(value, Images) or all(
        picture.url is None or picture.url.startswith("data:") for picture in value.pictures
    )
