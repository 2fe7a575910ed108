"""OpenAI's image edits: a form with pictures, and perhaps a mask, and words for what to make of them; also streamed.

https://platform.openai.com/docs/api-reference/images/createEdit
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from headgate.core.body import Body
from headgate.core.chat import Loss
from headgate.core.dialect import Reader, Relay, Writer
from headgate.core.images import ImagesRequest
from headgate.core.request import Operation
from headgate.dialects import whole
from headgate.dialects.framing import EVENT_STREAM, JSON, SSE
from headgate.dialects.openai_errors import read_error, write_error
from headgate.dialects.openai_images import forms
from headgate.dialects.openai_images.replies import read, write
from headgate.dialects.openai_images.streams import StreamReader, StreamRelay, StreamWriter
from headgate.dialects.whole import foreign, in_url, wanted

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

name = "openai_image_edits"
operation: Operation = "images"
paths = ["/v1/images/edits"]
upstream_path = "/images/edits"
takes: Literal["form"] = "form"
stream_types: tuple[bytes, ...] = (EVENT_STREAM,)
request_headers = frozenset({b"idempotency-key"})
reply_headers = frozenset({b"openai-model", b"openai-processing-ms", b"openai-version"})

_PREFIX = "image_edit"


def content_type(stream: bool, fields: Mapping[str, Any]) -> bytes:
    return SSE if stream else JSON


def read_request(fields: Mapping[str, Any]) -> ImagesRequest:
    return forms.read(name, "edit", fields, fields["model"])


def write_request(request: ImagesRequest, lost: list[Loss]) -> Body:
    return forms.write(name, "edit", request, lost)


def reader(stream: bool) -> Reader:
    return StreamReader(name) if stream else whole.Reader(name, read)


def writer(stream: bool, request: Mapping[str, Any], lost: list[Loss]) -> Writer:
    return StreamWriter(name, _PREFIX, request, lost) if stream else whole.Writer(name, write, request, lost)


def relay(stream: bool, request: Mapping[str, Any]) -> Relay:
    return StreamRelay({"n": forms.number(request)}) if stream else whole.Relay(read)
