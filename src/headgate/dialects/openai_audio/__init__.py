"""OpenAI's audio API: https://platform.openai.com/docs/api-reference/audio. This is its transcriptions.

A form with the file in it; the answer is JSON, plain text, subtitles or a stream of events, as `response_format` and
`stream` say. Its translations and its speech stand beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, cast

from headgate.core.audio import TranscriptionRequest
from headgate.core.body import Body
from headgate.core.chat import Loss
from headgate.core.dialect import Dialect, Reader, Relay, Writer
from headgate.core.request import Operation
from headgate.dialects.framing import EVENT_STREAM, JSON, SSE
from headgate.dialects.openai_audio import requests, speech, translations
from headgate.dialects.openai_audio.reading import StreamReader, StreamRelay, WholeReader, WholeRelay
from headgate.dialects.openai_audio.requests import NAME, TEXTS
from headgate.dialects.openai_audio.writing import StreamWriter, WholeWriter
from headgate.dialects.openai_errors import read_error, write_error
from headgate.dialects.whole import foreign, in_url, wanted

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

name = NAME
operation: Operation = "transcription"
paths = ["/v1/audio/transcriptions"]
upstream_path = "/audio/transcriptions"
takes: Literal["form"] = "form"
stream_types: tuple[bytes, ...] = (EVENT_STREAM,)
request_headers = frozenset({b"idempotency-key"})
reply_headers = frozenset({b"openai-model", b"openai-processing-ms", b"openai-version"})
more = cast("tuple[Dialect, ...]", (translations, speech))


def content_type(stream: bool, fields: Mapping[str, Any]) -> bytes:
    """https://platform.openai.com/docs/api-reference/audio/createTranscription: text and subtitles are plain text."""
    if stream:
        return SSE
    return b"text/plain; charset=utf-8" if fields.get("response_format") in TEXTS else JSON


def read_request(fields: Mapping[str, Any]) -> TranscriptionRequest:
    return requests.read(name, fields)


def write_request(request: TranscriptionRequest, lost: list[Loss]) -> Body:
    return requests.write(name, request, lost)


def reader(stream: bool) -> Reader:
    return StreamReader() if stream else WholeReader()


def writer(stream: bool, request: Mapping[str, Any], lost: list[Loss]) -> Writer:
    return StreamWriter(request, lost) if stream else WholeWriter(request, lost)


def relay(stream: bool, request: Mapping[str, Any]) -> Relay:
    return StreamRelay() if stream else WholeRelay(request)
