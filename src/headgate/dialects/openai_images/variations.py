"""OpenAI's image variations: a form with one picture, of which others are made; not streamed.

https://platform.openai.com/docs/api-reference/images/createVariation
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
from headgate.dialects.openai_errors import read_error, write_error
from headgate.dialects.openai_images import forms
from headgate.dialects.openai_images.replies import read, write
from headgate.dialects.whole import content_type, foreign, in_url, stream_types, wanted

__all__ = [
    "content_type",
    "foreign",
    "in_url",
    "model_default",
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

name = "openai_image_variations"
operation: Operation = "images"
paths = ["/v1/images/variations"]
upstream_path = "/images/variations"
takes: Literal["form"] = "form"
request_headers = frozenset({b"idempotency-key"})
reply_headers = frozenset({b"openai-model", b"openai-processing-ms", b"openai-version"})
model_default = "dall-e-2"


def read_request(fields: Mapping[str, Any]) -> ImagesRequest:
    return forms.read(name, "variation", fields, model_default)


def write_request(request: ImagesRequest, lost: list[Loss]) -> Body:
    return forms.write(name, "variation", request, lost)


def reader(stream: bool) -> Reader:
    return whole.Reader(name, read)


def writer(stream: bool, request: Mapping[str, Any], lost: list[Loss]) -> Writer:
    return whole.Writer(name, write, request, lost)


def relay(stream: bool, request: Mapping[str, Any]) -> Relay:
    return whole.Relay(read)
