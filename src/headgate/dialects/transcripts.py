"""What the dialects of transcription share: leaving out by name, and segments made of words."""

from __future__ import annotations

from collections.abc import Sequence

from headgate.core.audio import Segment, TranscriptionRequest, Word
from headgate.core.chat import Loss
from headgate.core.errors import Unsupported

WHAT = "a transcript"
LONGEST = 7.0
"""Seconds of a segment made of words: what a subtitle stands for at most."""
PAUSE = 1.0
"""Seconds of silence after which a new segment begins."""
_ENDS = (".", "!", "?", "\u2026", "\u3002", "\uff01", "\uff1f")
"""The last ones are Chinese and Japanese."""


def leave(request: TranscriptionRequest, names: Sequence[str], api: str, lost: list[Loss]) -> None:
    """Name those of the request's fields that are set and cannot be said, and all that only its dialect knows."""
    said = (name for name in names if getattr(request, name) not in (None, []))
    lost += (Loss(name, f"{api} has no such parameter") for name in said)
    lost += (Loss(name, f"a field of {request.dialect} alone") for name in request.native)


def only_transcribed(request: TranscriptionRequest, api: str) -> None:
    """Raises Unsupported for a translation."""
    if request.translate:
        raise Unsupported(f"{api} writes down what is said and does not translate; use /v1/audio/transcriptions")


def speaker(number: int) -> str:
    """The name of one of whom only a number is known, from 0: A, B … Z, and then AA."""
    letter = chr(ord("A") + number % 26)
    return letter if number < 26 else speaker(number // 26 - 1) + letter


def grouped(words: Sequence[Word]) -> list[Segment]:
    """Segments of a sentence or so, each of one speaker; the words keep the spaces they have."""
    found: list[Segment] = []
    begins = True
    for word in words:
        last = found[-1] if found else None
        if last is None or begins or word.speaker != last.speaker or _apart(last, word):
            found.append(Segment(text=word.text.strip(), start=word.start, end=word.end, speaker=word.speaker))
        else:
            space = "" if word.text[:1].isspace() else " "
            last.text += space + word.text.rstrip()
            last.end = word.end
        begins = word.text.rstrip().endswith(_ENDS)
    return found


def _apart(segment: Segment, word: Word) -> bool:
    return word.end - segment.start > LONGEST or word.start - segment.end > PAUSE
