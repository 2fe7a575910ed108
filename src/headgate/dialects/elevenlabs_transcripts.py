"""ElevenLabs' transcriptions: https://elevenlabs.io/docs/api-reference/speech-to-text/convert.

A form with the file in it. Providers alone speak it.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from headgate.core.audio import Transcript, TranscriptionRequest, Word
from headgate.core.body import Body
from headgate.core.chat import Loss
from headgate.core.dialect import Reader
from headgate.core.form import Written
from headgate.core.request import Operation
from headgate.core.usage import Usage
from headgate.dialects import transcripts, whole
from headgate.dialects.openai_errors import read_error, write_error
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

name = "elevenlabs_transcripts"
operation: Operation = "transcription"
paths: tuple[str, ...] = ()
upstream_path = "/v1/speech-to-text"
takes: Literal["form"] = "form"
request_headers: frozenset[bytes] = frozenset()
reply_headers = frozenset({b"request-id"})

API = "ElevenLabs' API"
_SPEAKER = re.compile(r"speaker_(\d{1,3})")


def write_request(request: TranscriptionRequest, lost: list[Loss]) -> Body:
    transcripts.only_transcribed(request, API)
    transcripts.leave(request, ("prompt",), API, lost)
    language, others = request.language, request.languages
    if language is None and others:
        language, *others = others
    fields = whole.set_fields(
        {"model_id": request.model},
        language_code=language,
        temperature=request.temperature,
        timestamps_granularity="word",
        # "(laughter)" among the words is not what clients of other APIs look for
        tag_audio_events=False,
        diarize=True if request.format == "diarized_json" else None,
    )
    # A field that stands as often as it has values, unlike OpenAI's `name[]`
    many = [("secondary_language_codes", code) for code in others] + [("keyterms", word) for word in request.keywords]
    return Written([*fields.items(), *many, ("file", request.file)])


class _Word(msgspec.Struct, gc=False):
    text: str
    type: str = "word"
    start: float | None = None
    end: float | None = None
    speaker_id: str | None = None


class _Reply(msgspec.Struct, gc=False):
    text: str
    words: list[_Word] = []
    language_code: str | None = None
    language_probability: float | None = None
    transcription_id: str | None = None
    audio_duration_secs: float | None = None


_reply = msgspec.json.Decoder(_Reply)


def reader(stream: bool) -> Reader:
    return whole.Reader(name, read)


def read(body: bytes, deep: bool) -> whole.Said:
    reply = whole.decoded(_reply, body, transcripts.WHAT)
    words = [
        Word(text=each.text, start=each.start, end=each.end, speaker=_name(each.speaker_id))
        for each in reply.words
        if each.type != "spacing" and each.start is not None and each.end is not None
    ]
    seconds = reply.audio_duration_secs
    said = Transcript(text=reply.text, language=reply.language_code, duration=seconds, words=words)
    probability = reply.language_probability
    return whole.Said(
        value=said,
        usage=Usage(units={"seconds": seconds}) if seconds else None,
        id=reply.transcription_id or "",
        native={"language_probability": probability} if probability is not None else {},
    )


def _name(speaker: str | None) -> str | None:
    """`speaker_0` is the first."""
    found = _SPEAKER.fullmatch(speaker or "")
    return transcripts.speaker(int(found[1])) if found else speaker
