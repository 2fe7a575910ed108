"""AssemblyAI's transcriptions of files: https://www.assemblyai.com/docs/api-reference/transcripts/submit.

A file is uploaded first, then its transcript ordered, and asked after until it is there: that is for the provider to
do, here are the words. Providers alone speak it. Times are in milliseconds there.
"""

from __future__ import annotations

import re
from typing import Any, Literal

import msgspec

from headgate.core.audio import Segment, Transcript, TranscriptionRequest, Word
from headgate.core.body import Said
from headgate.core.chat import Loss
from headgate.core.dialect import Reader
from headgate.core.errors import ProviderRefused
from headgate.core.form import File
from headgate.core.request import Operation
from headgate.core.usage import Usage
from headgate.dialects import transcripts, whole
from headgate.dialects.dialect import decode
from headgate.dialects.framing import JSON
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

name = "assemblyai"
operation: Operation = "transcription"
paths: tuple[str, ...] = ()
upstream_path = "/v2/transcript"
takes: Literal["json"] = "json"
request_headers: frozenset[bytes] = frozenset()
reply_headers: frozenset[bytes] = frozenset()

API = "AssemblyAI's API"
_PROMPTED = re.compile(r"universal-3")
"""Models that take a prompt and a temperature: https://www.assemblyai.com/docs/keyterms-prompting."""
_THEIR_FAULT = re.compile(r"server error", re.IGNORECASE)
"""In what a transcript says of its failure: worth another try, as the vendor's page on its status says."""


class Order(Said):
    """A transcript that is ordered, once its `file` is at the vendor's."""

    __slots__ = ("file",)

    def __init__(self, file: File, fields: dict[str, Any]) -> None:
        super().__init__(whole.encode(fields), JSON)
        self.file = file

    def of(self, url: str) -> Said:
        """The order's words, of a file at this address."""
        return Said(whole.encode({"audio_url": url, **decode(self.data)}), JSON)


def write_request(request: TranscriptionRequest, lost: list[Loss]) -> Order:
    transcripts.only_transcribed(request, API)
    prompted = _PROMPTED.match(request.model) is not None
    transcripts.leave(request, () if prompted else ("prompt", "temperature"), API, lost)
    if prompted and request.prompt and request.keywords:
        lost.append(Loss("prompt", f"{API} takes a prompt or key terms, not both"))
    fields = whole.set_fields(
        {"speech_models": [request.model]},
        prompt=request.prompt if prompted and not request.keywords else None,
        temperature=request.temperature if prompted else None,
        keyterms_prompt=request.keywords or None,
        speaker_labels=True if request.format == "diarized_json" else None,
        language_code=request.language,
    )
    if request.language and request.languages:
        lost.append(Loss("languages", f"{API} takes the language of the audio, or those to choose from"))
    if not request.language:
        fields["language_detection"] = True
        if request.languages:
            fields["language_detection_options"] = {"expected_languages": request.languages}
    return Order(request.file, fields)


class _Word(msgspec.Struct, gc=False):
    text: str
    start: float
    end: float
    speaker: str | None = None


class _Reply(msgspec.Struct, gc=False):
    status: str
    id: str = ""
    text: str | None = None
    error: str | None = None
    words: list[_Word] | None = None
    utterances: list[_Word] | None = None
    language_code: str | None = None
    audio_duration: float | None = None
    confidence: float | None = None


_reply = msgspec.json.Decoder(_Reply)


def reader(stream: bool) -> Reader:
    return whole.Reader(name, read)


def read(body: bytes, deep: bool) -> whole.Said:
    """Of a transcript that is done; raises ProviderRefused for one that failed."""
    reply = whole.decoded(_reply, body, transcripts.WHAT)
    if reply.status == "error":
        why = reply.error or "the transcription failed"
        raise ProviderRefused(why, status=502 if _THEIR_FAULT.search(why) else 400, body=body, kind="error")
    if reply.status != "completed" or reply.text is None:
        raise whole.nonsense(body, transcripts.WHAT, f"its status is {reply.status[:40]!a}")
    seconds = reply.audio_duration
    said = Transcript(
        text=reply.text,
        language=reply.language_code,
        duration=seconds,
        words=[
            Word(text=each.text, start=each.start / 1000, end=each.end / 1000, speaker=each.speaker)
            for each in reply.words or ()
        ],
        segments=[
            Segment(text=each.text, start=each.start / 1000, end=each.end / 1000, speaker=each.speaker)
            for each in reply.utterances or ()
        ],
    )
    return whole.Said(
        value=said,
        usage=Usage(units={"seconds": seconds}) if seconds else None,
        id=reply.id,
        native={"confidence": reply.confidence} if reply.confidence is not None else {},
    )
