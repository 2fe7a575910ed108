"""ElevenLabs' speech: https://elevenlabs.io/docs/api-reference/text-to-speech/stream.

The voice and the format stand in the URL; audio comes as it is made. Providers alone speak it.
"""

from __future__ import annotations

from typing import Literal
from urllib.parse import quote

from headgate.core.audio import SpeechRequest
from headgate.core.body import Body, Said
from headgate.core.chat import Loss
from headgate.core.dialect import Reader
from headgate.core.errors import InvalidRequest, Unsupported
from headgate.core.events import Audio, Event, Start, Stop
from headgate.core.request import Operation
from headgate.dialects import whole
from headgate.dialects.openai_errors import read_error, write_error
from headgate.dialects.unreached import read_request, relay, writer
from headgate.dialects.whole import content_type, foreign, in_url, wanted

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

name = "elevenlabs_speech"
operation: Operation = "speech"
paths: tuple[str, ...] = ()
upstream_path = "/v1/text-to-speech"
takes: Literal["json"] = "json"
stream_types: tuple[bytes, ...] = (b"audio/", b"application/octet-stream")
request_headers: frozenset[bytes] = frozenset()
reply_headers = frozenset({b"request-id", b"character-cost"})

API = "ElevenLabs' API"
FORMATS = {
    None: "mp3_44100_128",
    "mp3": "mp3_44100_128",
    "opus": "opus_48000_64",
    "wav": "wav_24000",
    "pcm": "pcm_24000",  # OpenAI's rate
}


class Spoken(Said):
    """Words to be spoken by a `voice`."""

    __slots__ = ("shape", "voice")

    def __init__(self, data: bytes, voice: str, shape: str) -> None:
        super().__init__(data, b"application/json", address(voice, shape))
        self.voice = voice
        self.shape = shape

    def by(self, voice: str) -> Spoken:
        return Spoken(self.data, voice, self.shape)


def address(voice: str, shape: str) -> str:
    return f"{upstream_path}/{quote(voice, safe='')}/stream?output_format={shape}"


def write_request(request: SpeechRequest, lost: list[Loss]) -> Body:
    shape = FORMATS.get(request.format)
    if shape is None:
        there = ", ".join(key for key in FORMATS if key)
        raise Unsupported(f"{API} does not speak {request.format}; it speaks {there}", param="response_format")
    if not request.voice.strip("."):  # in a path these would be another place
        raise InvalidRequest("`voice` must be a voice's id", param="voice")
    if request.instructions:
        lost.append(Loss("instructions", f"{API} has no such parameter"))
    lost += (Loss(key, f"a field of {request.dialect} alone") for key in request.native)
    fields = whole.set_fields(
        {"text": request.input, "model_id": request.model},
        voice_settings={"speed": request.speed} if request.speed is not None else None,
    )
    return Spoken(whole.encode(fields), request.voice, shape)


def reader(stream: bool) -> Reader:
    return Listener()


class Listener:
    """Audio as it comes. HTTP's framing tells whether all of it is there."""

    def __init__(self) -> None:
        self._begun = False

    def feed(self, data: bytes) -> list[Event]:
        if not data:
            return []
        begun, self._begun = self._begun, True
        return [Audio(data=data)] if begun else [Start(), Audio(data=data)]

    def end(self) -> list[Event]:
        return [Stop(reason="stop" if self._begun else "cut")]
