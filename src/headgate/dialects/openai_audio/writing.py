"""Writes transcripts as OpenAI's audio API says them, in every format it has; a part of the dialect `openai_audio`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from headgate.core.audio import Segment, Transcript
from headgate.core.chat import Loss
from headgate.core.errors import ProviderNonsense
from headgate.core.events import Event, Failed, Native, Result, Stop, Text, Used
from headgate.core.usage import Usage
from headgate.dialects.openai_audio.requests import NAME
from headgate.dialects.transcripts import grouped
from headgate.dialects.whole import ANOTHER

_encode = msgspec.json.Encoder().encode
_UNKNOWN = {
    "seek": 0, "tokens": [], "temperature": 0.0, "avg_logprob": 0.0, "compression_ratio": 0.0, "no_speech_prob": 0.0,
}  # fmt: skip
"""What whisper says of each segment besides."""


class _Heard:
    """What a reply's events say, for both writers."""

    def __init__(self, request: Mapping[str, Any], lost: list[Loss]) -> None:
        self.request = request
        self.lost = lost
        self.format = request.get("response_format") or "json"
        self.said: Transcript | None = None
        self.usage: Usage | None = None
        self.native: dict[str, Any] = {}
        self.complete = False

    def hear(self, event: Event) -> None:
        match event:
            case Result():
                self.said = event.value
            case Used():
                self.usage = event.usage
            case Native() if event.dialect == NAME:
                self.native[event.name] = event.value
            case Native():
                self.lost.append(Loss(f"reply.{event.name}", ANOTHER))
            case Stop():
                self.complete = event.reason != "cut"
            case Failed():
                raise event.error


class WholeWriter:
    """In one piece."""

    def __init__(self, request: Mapping[str, Any], lost: list[Loss]) -> None:
        self._heard = _Heard(request, lost)

    def feed(self, events: Sequence[Event]) -> bytes:
        for event in events:
            self._heard.hear(event)
        return b""

    def end(self) -> bytes:
        """Raises ProviderNonsense where there was no answer."""
        heard = self._heard
        if not heard.complete or heard.said is None:
            raise ProviderNonsense("the provider's reply holds no transcript")
        said = heard.said
        match heard.format:
            case "text":
                return said.text.encode() + b"\n"
            case "srt" | "vtt":
                return subtitles(segments_of(said), heard.format).encode()
            case "verbose_json":
                fields = _verbose(said, heard)
            case "diarized_json":
                fields = _diarized(said)
            case _:
                fields = {"text": said.text}
        usage = write_usage(heard.usage, said.duration)
        return _encode({**fields, **heard.native, **({"usage": usage} if usage else {})})


class StreamWriter:
    """As events. A transcript that came whole is one delta."""

    def __init__(self, request: Mapping[str, Any], lost: list[Loss]) -> None:
        self._heard = _Heard(request, lost)
        self._pieces = False

    def feed(self, events: Sequence[Event]) -> bytes:
        found = []
        for event in events:
            self._heard.hear(event)
            if isinstance(event, Text):
                self._pieces = True
                more = {"logprobs": event.logprobs} if event.logprobs else {}
                found.append({"type": "transcript.text.delta", "delta": event.text, **more})
            elif isinstance(event, Native) and event.dialect == NAME and isinstance(event.value, dict):
                found.append(event.value)
            elif isinstance(event, Stop) and self._heard.complete:
                found += self._last()
        return b"".join(b"data: " + _encode(fields) + b"\n\n" for fields in found)

    def _last(self) -> list[dict[str, Any]]:
        said = self._heard.said
        if said is None:
            raise ProviderNonsense("the provider's reply holds no transcript")
        found: list[dict[str, Any]] = []
        if not self._pieces:
            found.append({"type": "transcript.text.delta", "delta": said.text})
        if self._heard.format == "diarized_json":
            found += _diarized(said)["segments"]
        usage = write_usage(self._heard.usage, None)
        more = {"usage": usage} if usage else {}
        return [*found, {"type": "transcript.text.done", "text": said.text, **more}]

    def end(self) -> bytes:
        return b""


def write_usage(usage: Usage | None, duration: float | None) -> dict[str, Any] | None:
    """By tokens where there are any, else by seconds; None where neither is known."""
    seconds = (usage.units.get("seconds") if usage is not None else None) or duration
    if usage is not None and (usage.prompt or usage.completion):
        return {
            "type": "tokens",
            "input_tokens": usage.prompt,
            "input_token_details": {"text_tokens": usage.prompt - usage.input_audio, "audio_tokens": usage.input_audio},
            "output_tokens": usage.completion,
            "total_tokens": usage.prompt + usage.completion,
        }
    return {"type": "duration", "seconds": seconds} if seconds else None


def segments_of(said: Transcript) -> list[Segment]:
    """Its segments, made of its words or of all of it where it came without."""
    whole = [Segment(text=said.text.strip(), start=0.0, end=said.duration or 0.0)] if said.text.strip() else []
    return said.segments or grouped(said.words) or whole


def _verbose(said: Transcript, heard: _Heard) -> dict[str, Any]:
    segments = segments_of(said)
    wanted = heard.request.get("timestamp_granularities") or ["segment"]
    if any(name not in segment.native for segment in segments for name in _UNKNOWN):
        heard.lost.append(Loss("reply.segments", "the provider says no seek, tokens, temperature and probabilities"))
    fields: dict[str, Any] = {
        "task": "transcribe",
        "language": said.language or "",
        "duration": said.duration or (segments[-1].end if segments else 0.0),
        "text": said.text,
    }
    if "segment" in wanted:
        fields["segments"] = [
            {"id": number, "start": each.start, "end": each.end, "text": each.text, **_UNKNOWN, **each.native}
            for number, each in enumerate(segments)
        ]
    if "word" in wanted:
        fields["words"] = [{"word": each.text.strip(), "start": each.start, "end": each.end} for each in said.words]
    return fields


def _diarized(said: Transcript) -> dict[str, Any]:
    segments = segments_of(said)
    return {
        "task": "transcribe",
        "duration": said.duration or (segments[-1].end if segments else 0.0),
        "text": said.text,
        "segments": [
            {
                "type": "transcript.text.segment",
                "id": each.native.get("id", f"seg_{number}"),
                "start": each.start,
                "end": each.end,
                "text": each.text,
                "speaker": each.speaker or "A",
            }
            for number, each in enumerate(segments)
        ],
    }


def subtitles(segments: Sequence[Segment], kind: str) -> str:
    """SubRip, or WebVTT (https://www.w3.org/TR/webvtt1/)."""
    mark = "," if kind == "srt" else "."
    blocks = []
    for number, each in enumerate(segments, 1):
        text = each.text.strip().replace("-->", "->")
        times = f"{_clock(each.start, mark)} --> {_clock(each.end, mark)}"
        blocks.append(f"{number}\n{times}\n{text}\n\n" if kind == "srt" else f"{times}\n{text}\n\n")
    return ("" if kind == "srt" else "WEBVTT\n\n") + "".join(blocks)


def _clock(seconds: float, mark: str) -> str:
    millis = round(seconds * 1000)
    minutes, millis = divmod(millis, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{millis // 1000:02}{mark}{millis % 1000:03}"
