"""OpenAI's speech: JSON in, audio out, as bytes or (`stream_format: sse`) in events.

https://platform.openai.com/docs/api-reference/audio/createSpeech
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any, get_args

import msgspec

from headgate.core.audio import SpeechFormat, SpeechRequest
from headgate.core.chat import Loss
from headgate.core.dialect import Account, Reader, Relay, Writer
from headgate.core.errors import GatewayError, InvalidRequest
from headgate.core.events import Audio, Event, Failed, Native, Start, Stop, Used
from headgate.core.request import Operation
from headgate.core.usage import Usage
from headgate.dialects.fields import optional, others, string, wrong
from headgate.dialects.framing import EVENT_STREAM, SSE, EventStream
from headgate.dialects.openai_audio.reading import StreamRelay, read_event
from headgate.dialects.openai_errors import inside, read_error
from headgate.dialects.openai_errors import write_error as _write_error
from headgate.dialects.whole import ANOTHER, count, foreign, in_url, takes, text, wanted

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

name = "openai_speech"
operation: Operation = "speech"
paths = ["/v1/audio/speech"]
upstream_path = "/audio/speech"
stream_types: tuple[bytes, ...] = (b"audio/", EVENT_STREAM, b"application/octet-stream", b"binary/octet-stream")
request_headers = frozenset({b"idempotency-key"})
reply_headers = frozenset({b"openai-model", b"openai-processing-ms", b"openai-version"})

TYPES = {
    "mp3": b"audio/mpeg",
    "opus": b"audio/opus",
    "aac": b"audio/aac",
    "flac": b"audio/flac",
    "wav": b"audio/wav",
    "pcm": b"audio/pcm",
}
_FIELDS = frozenset({"model", "input", "voice", "instructions", "response_format", "speed", "stream_format", "stream"})
_encode = msgspec.json.Encoder().encode


def content_type(stream: bool, fields: Mapping[str, Any]) -> bytes:
    return SSE if _in_events(fields) else TYPES.get(fields.get("response_format") or "mp3", b"application/octet-stream")


def _in_events(fields: Mapping[str, Any]) -> bool:
    return fields.get("stream_format") == "sse"


def read_request(fields: Mapping[str, Any]) -> SpeechRequest:
    shape = optional(fields, "response_format", str)
    if shape is not None and shape not in get_args(SpeechFormat):
        raise InvalidRequest(
            f"`response_format` must be one of {', '.join(get_args(SpeechFormat))}", param="response_format"
        )
    return SpeechRequest(
        dialect=name,
        model=fields["model"],
        stream=True,
        input=string(fields.get("input"), "input"),
        voice=_voice(fields.get("voice")),
        instructions=optional(fields, "instructions", str),
        format=shape,
        speed=optional(fields, "speed", float),
        events=_in_events(fields),
        native=others(fields, _FIELDS),
    )


def _voice(value: Any) -> str:
    """A name, or a custom voice as `{"id"}`."""
    if isinstance(value, dict):
        return string(value.get("id"), "voice.id")
    if isinstance(value, str):
        return value
    raise wrong("voice", "a string", value)


def write_request(request: SpeechRequest, lost: list[Loss]) -> bytes:
    fields = {
        "model": request.model,
        "input": request.input,
        "voice": request.voice,
        "instructions": request.instructions,
        "response_format": request.format,
        "speed": request.speed,
        "stream_format": "sse" if request.events and request.dialect == name else None,
    }
    if request.dialect == name:
        fields |= request.native
    else:
        lost += (Loss(key, f"a field of {request.dialect} alone") for key in request.native)
    return _encode({key: value for key, value in fields.items() if value is not None})


def reader(stream: bool) -> Reader:
    return SpeechReader()


def writer(stream: bool, request: Mapping[str, Any], lost: list[Loss]) -> Writer:
    return SpeechWriter(request, lost)


def relay(stream: bool, request: Mapping[str, Any]) -> Relay:
    return EventsRelay(request) if _in_events(request) else BytesRelay(request)


def write_error(error: GatewayError, request_id: str, *, streaming: bool) -> bytes:
    """Nothing can be said in the middle of audio: it breaks off."""
    return b"" if streaming else _write_error(error, request_id, streaming=False)


class SpeechReader:
    """Audio as it comes, or in events: the first bytes tell which."""

    def __init__(self) -> None:
        self._held = b""
        self._stream: EventStream | None = None
        self._begun = False
        self._over = False

    def feed(self, data: bytes) -> list[Event]:
        if not self._begun:
            self._held += data
            if len(self._held) < 6:
                return []
            return self._begin()
        return self._read(data)

    def _begin(self) -> list[Event]:
        data, self._held = self._held, b""
        if data.startswith((b"data:", b"event:", b"\xef\xbb\xbfdata:")):
            self._stream = EventStream()
        self._begun = True
        return [Start(), *self._read(data)]

    def _read(self, data: bytes) -> list[Event]:
        if self._over:
            return []
        if self._stream is None:
            return [Audio(data=data)] if data else []
        return [event for _, payload in self._stream.feed(data) for event in self._event(payload)]

    def _event(self, payload: bytes) -> list[Event]:
        event = read_event(payload)
        if event is None or self._over:
            return []
        if event.get("error"):
            self._over = True
            return [Failed(error=inside(event, payload))]
        if event.get("type") == "speech.audio.delta":
            try:
                return [Audio(data=base64.b64decode(text(event.get("audio")), validate=True))]
            except binascii.Error:
                return []
        if event.get("type") == "speech.audio.done":
            self._over = True
            return [Used(usage=read_usage(event)), Stop(reason="stop")]
        return [Native(dialect=name, name=text(event.get("type")), value=event)]

    def end(self) -> list[Event]:
        found = [] if self._begun or not self._held else self._begin()
        if self._over:
            return found
        # Of audio, the end of the body is the end: HTTP's framing has seen to it that it is all there
        return [*found, Stop(reason="stop" if self._begun and self._stream is None else "cut")]


def read_usage(event: Mapping[str, Any]) -> Usage:
    raw = event.get("usage")
    usage = raw if isinstance(raw, dict) else {}
    return Usage(input=count(usage.get("input_tokens")), output_audio=count(usage.get("output_tokens")), reported=usage)


class SpeechWriter:
    """Audio as it is, or in events."""

    def __init__(self, request: Mapping[str, Any], lost: list[Loss]) -> None:
        self._events = _in_events(request)
        self._lost = lost
        self._usage = Usage()

    def feed(self, events: Sequence[Event]) -> bytes:
        found = []
        for event in events:
            match event:
                case Audio():
                    found.append(self._framed(event.data) if self._events else event.data)
                case Used():
                    self._usage = event.usage
                case Native() if event.dialect != name:
                    self._lost.append(Loss(f"reply.{event.name}", ANOTHER))
                case Stop() if self._events and event.reason != "cut":
                    found.append(self._done())
                case Failed():
                    raise event.error
        return b"".join(found)

    def _framed(self, data: bytes) -> bytes:
        event = {"type": "speech.audio.delta", "audio": base64.b64encode(data).decode()}
        return b"data: " + _encode(event) + b"\n\n"

    def _done(self) -> bytes:
        used = self._usage
        usage = {"input_tokens": used.prompt, "output_tokens": used.completion}
        usage["total_tokens"] = used.prompt + used.completion
        return b"data: " + _encode({"type": "speech.audio.done", "usage": usage}) + b"\n\n"

    def end(self) -> bytes:
        return b""


def _characters(request: Mapping[str, Any]) -> dict[str, float]:
    return {"characters": len(text(request.get("input")))}


class BytesRelay(Account):
    """Audio, as it comes."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        super().__init__()
        self.usage = Usage(units=_characters(request))

    def feed(self, data: bytes) -> bytes:
        self.started = True
        return data

    def end(self) -> bytes:
        self.complete = self.started
        self.finish = "stop"
        return b""


class EventsRelay(StreamRelay):
    """Audio in events, of which `speech.audio.done` is the last."""

    last = b"speech.audio.done"

    def __init__(self, request: Mapping[str, Any]) -> None:
        super().__init__()
        self._units = _characters(request)
        self.usage = Usage(units=self._units)

    def counted(self, fields: Mapping[str, Any]) -> Usage | None:
        usage = read_usage(fields)
        usage.units = self._units
        return usage
