"""Replies of OpenAI's audio API for transcriptions and translations, read and passed on; a part of `openai_audio`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from headgate.core.audio import Segment, Transcript, Word
from headgate.core.dialect import Account
from headgate.core.errors import ProviderNonsense
from headgate.core.events import Event, Failed, Native, Result, Start, Stop, Text, Used
from headgate.core.usage import Usage
from headgate.dialects.framing import (
    Cutter,
    EventStream,
    frames,
    is_event_stream,
    may_be_error,
    mended_end,
    read_frame,
)
from headgate.dialects.openai_audio.requests import NAME, TEXTS
from headgate.dialects.openai_errors import inside
from headgate.dialects.whole import count, nonsense, text

_decode = msgspec.json.Decoder().decode
_KNOWN = frozenset({"text", "task", "language", "duration", "words", "segments", "usage", "error"})
_WHAT = "a transcript"


def decoded(body: bytes, plain: bool) -> dict[str, Any] | None:
    """The fields of a whole reply; None for one in plain text, which it may be only where `plain`.

    Raises ProviderNonsense for what is no transcript, ProviderRefused for an error with status 200.
    """
    if body[:64].lstrip()[:1] == b"{":
        try:
            fields = _decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            if plain:
                return None
            raise nonsense(body, _WHAT, str(error)) from None
        if isinstance(fields, dict):
            if fields.get("error"):
                raise inside(fields, body)
            if isinstance(fields.get("text"), str):
                return fields
    if not plain or body[:64].lstrip()[:1] == b"<":
        raise nonsense(body, _WHAT, "no `text`")
    return None


def read_usage(fields: Mapping[str, Any]) -> Usage | None:
    """By tokens or by seconds; a reply of whisper says only how long the audio is.

    Mistral counts audio tokens beside `prompt_tokens`, in `prompt_tokens_details`, and seconds too:
    https://docs.mistral.ai/api/#tag/audio.transcriptions
    """
    raw = fields.get("usage")
    usage = raw if isinstance(raw, dict) else {}
    seconds = _seconds(usage.get("seconds")) or _seconds(usage.get("prompt_audio_seconds"))
    seconds = seconds or _seconds(fields.get("duration"))
    details = usage.get("input_token_details", usage.get("prompt_tokens_details"))
    audio = count(details.get("audio_tokens")) if isinstance(details, dict) else 0
    if "input_tokens" in usage:
        prompt = max(count(usage["input_tokens"]) - audio, 0)
    else:
        prompt = count(usage.get("prompt_tokens"))
    output = count(usage.get("output_tokens", usage.get("completion_tokens")))
    if not (usage or seconds):
        return None
    units = {"seconds": seconds} if seconds else {}
    return Usage(input=prompt, input_audio=audio, output=output, units=units, reported=usage)


def _seconds(value: Any) -> float:
    return float(value) if type(value) in (int, float) and 0 < value < 1e9 else 0.0


def transcript(fields: Mapping[str, Any]) -> Transcript:
    """What a whole reply says; entries that are none are passed over."""
    segments, words = fields.get("segments"), fields.get("words")
    return Transcript(
        text=fields["text"],
        language=text(fields.get("language")) or None,
        duration=_seconds(fields.get("duration")) or None,
        segments=[read_segment(each) for each in segments if _timed(each)] if isinstance(segments, list) else [],
        words=[
            Word(text=text(each.get("word")), start=each["start"], end=each["end"])
            for each in (words if isinstance(words, list) else ())
            if _timed(each)
        ],
    )


def _timed(entry: Any) -> bool:
    return isinstance(entry, dict) and all(type(entry.get(key)) in (int, float) for key in ("start", "end"))


def read_segment(entry: Mapping[str, Any]) -> Segment:
    speaker = entry.get("speaker", entry.get("speaker_id"))
    known = ("start", "end", "text", "speaker", "speaker_id", "type")
    return Segment(
        text=text(entry.get("text")),
        start=entry["start"],
        end=entry["end"],
        speaker=speaker if isinstance(speaker, str) else None,
        native={key: value for key, value in entry.items() if key not in known},
    )


class WholeReader:
    """A reply in one piece."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def feed(self, data: bytes) -> list[Event]:
        self._pieces.append(data)
        return []

    def end(self) -> list[Event]:
        body = b"".join(self._pieces)
        fields = decoded(body, plain=True)
        if fields is None:
            said = Transcript(text=body.decode("utf-8", "replace"))
            return [Start(), Result(value=said), Stop(reason="stop")]
        found: list[Event] = [Start()]
        found += (Native(dialect=NAME, name=key, value=value) for key, value in fields.items() if key not in _KNOWN)
        found.append(Result(value=transcript(fields)))
        usage = read_usage(fields)
        if usage is not None:
            found.append(Used(usage=usage))
        found.append(Stop(reason="stop"))
        return found


class StreamReader:
    """`transcript.text.delta`, `.segment`, `.done`: https://platform.openai.com/docs/api-reference/audio."""

    def __init__(self) -> None:
        self._stream = EventStream()
        self._begun = False
        self._over = False
        self._segments: list[Segment] = []

    def feed(self, data: bytes) -> list[Event]:
        found: list[Event] = []
        for _, payload in self._stream.feed(data):
            if not self._over:
                found += self._read(payload)
        if not (self._begun or is_event_stream(self._stream.head) or may_be_error(self._stream.rest)):
            raise nonsense(self._stream.rest, _WHAT, "a stream was asked for")
        return found

    def end(self) -> list[Event]:
        if not self._begun:
            check_stream(self._stream.rest)
        return [] if self._over else [Stop(reason="cut")]

    def _read(self, payload: bytes) -> list[Event]:
        event = read_event(payload)
        if event is None:
            return []
        found: list[Event] = []
        if not self._begun:
            self._begun = True
            found.append(Start())
        kind = event.get("type")
        if event.get("error"):
            self._over = True
            found.append(Failed(error=inside(event, payload)))
        elif kind == "transcript.text.delta":
            logprobs = event.get("logprobs")
            delta = text(event.get("delta"))
            found.append(Text(text=delta, logprobs=logprobs if isinstance(logprobs, list) else None))
        elif kind == "transcript.text.segment" and _timed(event):
            self._segments.append(read_segment(event))
        elif kind == "transcript.text.done":
            self._over = True
            found.append(Result(value=Transcript(text=text(event.get("text")), segments=self._segments)))
            usage = read_usage(event)
            if usage is not None:
                found.append(Used(usage=usage))
            found.append(Stop(reason="stop"))
        else:
            found.append(Native(dialect=NAME, name=text(kind), value=event))
        return found


def check_stream(rest: bytes) -> None:
    """Raises what there is to say of a body that ended before the first event of a stream, and is none."""
    rest = rest.strip()
    if rest and not is_event_stream(rest):
        decoded(rest, plain=False)
        raise ProviderNonsense("the provider was asked for a stream and answered in one piece")


def read_event(payload: bytes) -> dict[str, Any] | None:
    """One event's fields; None for what is none (`[DONE]`)."""
    try:
        event = _decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return event if isinstance(event, dict) else None


class WholeRelay(Account):
    """A reply in one piece, in whichever format was asked for."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        super().__init__()
        self._plain = request.get("response_format") in TEXTS

    def feed(self, data: bytes) -> bytes:
        if self.complete:
            return b""
        fields = decoded(data, self._plain)
        self.usage = read_usage(fields) if fields is not None else None
        self.started = self.complete = True
        self.finish = "stop"
        return data

    def end(self) -> bytes:
        return b""


class StreamRelay(Account):
    """A stream of events of which the last is told by its `type`; its bytes pass, also those of events nobody knows.

    OpenAI sends `[DONE]` after the last, other hosts do not: it is complete with that, or with the end of the bytes.
    """

    last = b"transcript.text.done"
    delta = b".delta"

    def __init__(self) -> None:
        super().__init__()
        self._cutter = Cutter()
        self._over = False
        """The last event has been."""

    def feed(self, data: bytes) -> bytes:
        if self.complete or self.failed:
            return b""
        data = self._cutter.feed(data)
        if not data:
            if not (self.started or is_event_stream(self._cutter.head) or may_be_error(self._cutter.rest)):
                raise nonsense(self._cutter.rest, _WHAT, "a stream was asked for")
            return data
        if not self.started or self._over or data.find(b".done") >= 0 or data.find(b'"error"') >= 0:
            for frame in frames(data):
                self._look(frame)
        return mended_end(data) if self.complete else data

    def end(self) -> bytes:
        if not self.started:
            check_stream(self._cutter.rest)
        self.complete = self._over
        return b""

    def _look(self, frame: bytes) -> None:
        event = read_frame(frame)
        if self._over:
            self.complete = self.complete or (event is not None and event[1] == b"[DONE]")
            return
        fields = read_event(event[1]) if event is not None else None
        if fields is None or event is None:
            return
        if fields.get("error"):
            self.failed = inside(fields, event[1])
            return
        self.started = True
        if fields.get("type") == self.last.decode():
            self.usage = self.counted(fields)
            self._over = True
            self.finish = "stop"

    def counted(self, fields: Mapping[str, Any]) -> Usage | None:
        return read_usage(fields)
