"""Speech and transcription as the gateway understands them, whichever dialect they came in."""

from __future__ import annotations

from typing import Literal

import msgspec

from headgate.core.chat import Native
from headgate.core.form import File
from headgate.core.request import Request
from headgate.core.usage import Usage

TranscriptFormat = Literal["json", "text", "srt", "vtt", "verbose_json", "diarized_json"]
SpeechFormat = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]
"""`pcm` is 24 kHz, 16 bits, signed, little-endian, one channel, without a header."""


class TranscriptionRequest(Request, kw_only=True):
    """A file to be written down, or (`translate`) to be written down in English."""

    file: File
    translate: bool = False
    language: str | None = None
    """The one it is in, as ISO 639-1."""
    languages: list[str] = []
    """Those it may be in."""
    prompt: str | None = None
    keywords: list[str] = []
    temperature: float | None = None
    format: TranscriptFormat = "json"
    granularities: list[str] = []
    """`word` and `segment`: what is to have times."""

    @property
    def timed(self) -> bool:
        """The answer needs to say when something was said."""
        return self.format not in ("json", "text")


class Word(msgspec.Struct, kw_only=True):
    """Times are in seconds."""

    text: str
    start: float
    end: float
    speaker: str | None = None


class Segment(msgspec.Struct, kw_only=True):
    """A stretch of speech: a sentence or so, of one speaker. Times are in seconds."""

    text: str
    start: float
    end: float
    speaker: str | None = None
    native: Native = {}


class Transcript(msgspec.Struct, kw_only=True):
    """What was said. `language` and `duration` (seconds) are None where the vendor does not say."""

    text: str
    language: str | None = None
    duration: float | None = None
    words: list[Word] = []
    segments: list[Segment] = []


class SpeechRequest(Request, kw_only=True):
    """A text to be spoken."""

    input: str
    voice: str
    instructions: str | None = None
    format: SpeechFormat | None = None
    speed: float | None = None
    events: bool = False
    """The audio is to come in events (base64), not as it is."""

    def reckoned(self) -> Usage | None:
        return Usage(units={"characters": len(self.input)})
