"""OpenAI's embeddings API, which most hosts speak: https://platform.openai.com/docs/api-reference/embeddings.

Hosts that speak it have fields of their own for what OpenAI has no word for (what the text is for, what becomes of
one that is too long). Their words are understood here, so that a client may use any of them in front of any provider:
`input_type` (Voyage, NVIDIA, Cohere), `task` (Jina), `task_type` (Google), `truncation`, `truncate`,
`output_dimension`, `output_dtype` (Voyage), `embedding_type` (Jina). These hosts are asked in dialects of their own,
which stand beside it: `jina`, `nvidia` and `voyage`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from headgate.core.chat import Loss
from headgate.core.dialect import Dialect, Reader, Relay, Writer
from headgate.core.embeddings import EmbeddingsRequest
from headgate.core.request import Operation
from headgate.dialects import whole
from headgate.dialects.openai_embeddings import jina, nvidia, replies, requests, voyage
from headgate.dialects.openai_errors import read_error, write_error
from headgate.dialects.whole import content_type, foreign, in_url, stream_types, takes, wanted

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

name = requests.NAME
operation: Operation = "embeddings"
paths = ["/v1/embeddings"]
upstream_path = "/embeddings"
request_headers = frozenset({b"idempotency-key"})
reply_headers = frozenset({b"openai-model", b"openai-processing-ms", b"openai-version"})
more: tuple[Dialect, ...] = (cast(Dialect, jina), cast(Dialect, nvidia), cast(Dialect, voyage))


def read_request(fields: Mapping[str, Any]) -> EmbeddingsRequest:
    return requests.read_request(name, fields)


def write_request(request: EmbeddingsRequest, lost: list[Loss]) -> bytes:
    return whole.encode(requests.own_body(request) if request.dialect == name else requests.body(request, lost))


def reader(stream: bool) -> Reader:
    return whole.Reader(name, replies.read)


def writer(stream: bool, request: Mapping[str, Any], lost: list[Loss]) -> Writer:
    return whole.Writer(name, replies.write, request, lost)


def relay(stream: bool, request: Mapping[str, Any]) -> Relay:
    return whole.Relay(replies.read)
