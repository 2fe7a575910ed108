"""OpenAI's image generations: https://platform.openai.com/docs/api-reference/images/create; whole and streamed.

Its edits and variations, which begin with pictures, stand beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from headgate.core.chat import Loss
from headgate.core.dialect import Dialect, Reader, Relay, Writer
from headgate.core.errors import Unsupported
from headgate.core.images import ImagesRequest
from headgate.core.request import Operation
from headgate.dialects import whole
from headgate.dialects.fields import optional, others, string
from headgate.dialects.framing import EVENT_STREAM, JSON, SSE
from headgate.dialects.openai_errors import read_error, write_error
from headgate.dialects.openai_images import edits, variations
from headgate.dialects.openai_images.forms import LINK, WORDS
from headgate.dialects.openai_images.replies import read, write
from headgate.dialects.openai_images.streams import StreamReader, StreamRelay, StreamWriter
from headgate.dialects.whole import foreign, in_url, set_fields, takes, wanted

__all__ = [
    "content_type",
    "foreign",
    "in_url",
    "more",
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

name = "openai_images"
operation: Operation = "images"
paths = ["/v1/images/generations"]
upstream_path = "/images/generations"
stream_types: tuple[bytes, ...] = (EVENT_STREAM,)
request_headers = frozenset({b"idempotency-key"})
reply_headers = frozenset({b"openai-model", b"openai-processing-ms", b"openai-version"})

_PREFIX = "image_generation"
more = cast("tuple[Dialect, ...]", (edits, variations))
_FIELDS = frozenset(
    {"model", "prompt", "n", "size", "quality", "background", "output_format", "response_format", "user", "stream"}
)


def content_type(stream: bool, fields: Mapping[str, Any]) -> bytes:
    return SSE if stream else JSON


def read_request(fields: Mapping[str, Any]) -> ImagesRequest:
    form = optional(fields, "response_format", str)
    request = ImagesRequest(
        dialect=name,
        model=fields["model"],
        stream=fields.get("stream") is True,
        prompt=string(fields.get("prompt"), "prompt"),
        n=optional(fields, "n", int),
        size=optional(fields, "size", str),
        quality=optional(fields, "quality", str),
        background=optional(fields, "background", str),
        format=optional(fields, "output_format", str),
        as_link=LINK.get(form or ""),
        user=optional(fields, "user", str),
        native=others(fields, _FIELDS),
    )
    if form is not None and request.as_link is None:
        request.native["response_format"] = form
    return request


def write_request(request: ImagesRequest, lost: list[Loss]) -> bytes:
    """Raises Unsupported for a request that begins with pictures."""
    if request.kind != "generation":
        raise Unsupported("this provider makes pictures of words alone, not of other pictures", param="image")
    fields = set_fields(
        {"model": request.model, "prompt": request.prompt},
        n=request.n,
        size=request.size,
        quality=request.quality,
        background=request.background,
        output_format=request.format,
        response_format=None if request.as_link is None else WORDS[request.as_link],
        user=request.user,
        stream=request.stream or None,
    )
    if request.dialect == name:
        return whole.encode({**fields, **request.native})
    lost += (Loss(key, "only the client's own API knows it") for key in request.native)
    return whole.encode(fields)


def reader(stream: bool) -> Reader:
    return StreamReader(name) if stream else whole.Reader(name, read)


def writer(stream: bool, request: Mapping[str, Any], lost: list[Loss]) -> Writer:
    return StreamWriter(name, _PREFIX, request, lost) if stream else whole.Writer(name, write, request, lost)


def relay(stream: bool, request: Mapping[str, Any]) -> Relay:
    return StreamRelay(request) if stream else whole.Relay(read)
