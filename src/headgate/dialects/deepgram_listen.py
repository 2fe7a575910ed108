"""Deepgram's transcriptions of files: https://developers.deepgram.com/reference/speech-to-text/listen-pre-recorded.

The body is the audio, and all that is asked for stands in the query. Providers alone speak it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal
from urllib.parse import urlencode

import msgspec

from headgate.core.audio import Segment, Transcript, TranscriptionRequest, Word
from headgate.core.body import Body
from headgate.core.chat import Loss
from headgate.core.dialect import Reader
from headgate.core.errors import ProviderRefused
from headgate.core.request import Operation
from headgate.core.usage import Usage
from headgate.dialects import openai_errors, transcripts, whole
from headgate.dialects.openai_errors import write_error
from headgate.dialects.unreached import read_request, relay, writer
from headgate.dialects.whole import content_type, foreign, in_url, stream_types, wanted

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

name = "deepgram_listen"
operation: Operation = "transcription"
paths: tuple[str, ...] = ()
upstream_path = "/v1/listen"
takes: Literal["raw"] = "raw"
request_headers: frozenset[bytes] = frozenset()
reply_headers = frozenset({b"dg-request-id"})

API = "Deepgram's API"
_KEYTERMS = re.compile(r"nova-3|flux")
"""Models with key terms in place of keywords: https://developers.deepgram.com/docs/keyterm."""


def write_request(request: TranscriptionRequest, lost: list[Loss]) -> Body:
    """The file, at an address that says the rest."""
    transcripts.only_transcribed(request, API)
    transcripts.leave(request, ("prompt", "temperature"), API, lost)
    query: list[tuple[str, str]] = [("model", request.model), ("smart_format", "true")]
    # Without either it takes everything for English: https://developers.deepgram.com/docs/language-detection
    if request.language:
        query.append(("language", request.language))
        if request.languages:
            lost.append(Loss("languages", f"{API} takes the language of the audio, or those to choose from"))
    else:
        query += [("detect_language", language) for language in request.languages or ["true"]]
    term = "keyterm" if _KEYTERMS.match(request.model) else "keywords"
    query += [(term, word) for word in request.keywords]
    if request.timed:
        query.append(("utterances", "true"))
    if request.format == "diarized_json":
        query.append(("diarize", "true"))
    return request.file.at(f"{upstream_path}?{urlencode(query)}")


class _Word(msgspec.Struct, gc=False):
    word: str
    start: float
    end: float
    punctuated_word: str | None = None
    speaker: int | None = None


class _Alternative(msgspec.Struct, gc=False):
    transcript: str
    words: list[_Word] | None = None
    confidence: float | None = None


class _Channel(msgspec.Struct, gc=False):
    alternatives: list[_Alternative]
    detected_language: str | None = None


class _Utterance(msgspec.Struct, gc=False):
    transcript: str
    start: float
    end: float
    speaker: int | None = None


class _Results(msgspec.Struct, gc=False):
    channels: list[_Channel]
    utterances: list[_Utterance] | None = None


class _Metadata(msgspec.Struct, gc=False):
    request_id: str = ""
    created: Any = None
    duration: float | None = None


class _Reply(msgspec.Struct, gc=False):
    results: _Results
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)


_reply = msgspec.json.Decoder(_Reply)


def reader(stream: bool) -> Reader:
    return whole.Reader(name, read)


def read(body: bytes, deep: bool) -> whole.Said:
    reply = whole.decoded(_reply, body, transcripts.WHAT)
    channel = reply.results.channels[0] if reply.results.channels else None
    if channel is None or not channel.alternatives:
        raise whole.nonsense(body, transcripts.WHAT, "no alternative")
    best = channel.alternatives[0]
    seconds = reply.metadata.duration
    said = Transcript(
        text=best.transcript,
        language=channel.detected_language,
        duration=seconds,
        words=[
            Word(text=each.punctuated_word or each.word, start=each.start, end=each.end, speaker=_name(each.speaker))
            for each in best.words or ()
        ],
        segments=_segments(reply.results.utterances or ()),
    )
    return whole.Said(
        value=said,
        usage=Usage(units={"seconds": seconds}) if seconds else None,
        id=reply.metadata.request_id,
        native={"confidence": best.confidence} if best.confidence is not None else {},
    )


def _segments(utterances: Sequence[_Utterance]) -> list[Segment]:
    return [
        Segment(text=each.transcript, start=each.start, end=each.end, speaker=_name(each.speaker))
        for each in utterances
    ]


def _name(speaker: int | None) -> str | None:
    """Speakers are numbers there and letters elsewhere."""
    return None if speaker is None else transcripts.speaker(speaker)


def read_error(status: int, body: bytes) -> ProviderRefused:
    """`{"err_code", "err_msg", "request_id"}`, or `{"category", "message", "details", "request_id"}`.

    https://developers.deepgram.com/docs/errors
    """
    error = openai_errors.read_error(status, body)
    try:
        fields = openai_errors.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return error
    if not isinstance(fields, dict):
        return error
    message, details = fields.get("err_msg") or fields.get("message"), fields.get("details")
    if isinstance(message, str):
        error.message = f"{message} {details}" if isinstance(details, str) and details != message else message
    kind = fields.get("err_code") or fields.get("category")
    if isinstance(kind, str):
        error.kind = kind
    return error
