"""OpenAI's audio translations, which write speech down in English: a form like that of transcriptions, not streamed.

https://platform.openai.com/docs/api-reference/audio/createTranslation
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from headgate.core.audio import TranscriptionRequest
from headgate.core.body import Body
from headgate.core.chat import Loss
from headgate.core.dialect import Reader, Relay, Writer
from headgate.core.request import Operation
from headgate.dialects.framing import JSON
from headgate.dialects.openai_audio import requests
from headgate.dialects.openai_audio.reading import WholeReader, WholeRelay
from headgate.dialects.openai_audio.requests import TEXTS, TRANSLATIONS
from headgate.dialects.openai_audio.writing import WholeWriter
from headgate.dialects.openai_errors import read_error, write_error
from headgate.dialects.whole import foreign, in_url, stream_types, wanted

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

name = TRANSLATIONS
operation: Operation = "transcription"
paths = ["/v1/audio/translations"]
upstream_path = "/audio/translations"
takes: Literal["form"] = "form"
request_headers = frozenset({b"idempotency-key"})
reply_headers = frozenset({b"openai-model", b"openai-processing-ms", b"openai-version"})


def content_type(stream: bool, fields: Mapping[str, Any]) -> bytes:
    return b"text/plain; charset=utf-8" if fields.get("response_format") in TEXTS else JSON


def read_request(fields: Mapping[str, Any]) -> TranscriptionRequest:
    return requests.read(name, fields)


def write_request(request: TranscriptionRequest, lost: list[Loss]) -> Body:
    return requests.write(name, request, lost)


def reader(stream: bool) -> Reader:
    return WholeReader()


def writer(stream: bool, request: Mapping[str, Any], lost: list[Loss]) -> Writer:
    return WholeWriter(request, lost)


def relay(stream: bool, request: Mapping[str, Any]) -> Relay:
    return WholeRelay(request)
