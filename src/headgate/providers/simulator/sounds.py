"""What the simulator says aloud and hears: tones for words, and transcripts that tell of the file, always the same."""

from __future__ import annotations

import hashlib
import math
import struct
import zlib
from collections.abc import Iterator

from headgate.core import audio, events
from headgate.core.usage import Usage

MOST_WORDS = 1000
RATE = 24_000
"""Samples a second."""


def speech(request: audio.SpeechRequest, model: str) -> Iterator[events.Event]:
    """A tone for each word, 80 ms long and as high as the word says: WAV, or bare samples for `pcm`."""
    words = request.input.split() or [""]
    samples = b"".join(
        _tone(200 + zlib.crc32(word.encode("utf-8", "surrogatepass")) % 600) for word in words[:MOST_WORDS]
    )
    yield events.Start(model=f"simulated-{model}")
    yield events.Audio(data=samples if request.format == "pcm" else _wav_head(len(samples)) + samples)
    yield events.Used(usage=request.reckoned() or Usage())
    yield events.Stop(reason="stop")


def _tone(hertz: int) -> bytes:
    count = RATE * 80 // 1000
    return struct.pack(f"<{count}h", *(int(6000 * math.sin(math.tau * hertz * at / RATE)) for at in range(count)))


def _wav_head(size: int) -> bytes:
    """One channel of 16 bits: http://soundfile.sapp.org/doc/WaveFormat/."""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    return struct.pack("<4sI4s", b"RIFF", 36 + size, b"WAVE") + form + struct.pack("<4sI", b"data", size)


def transcript(request: audio.TranscriptionRequest, model: str, text: str | None) -> Iterator[events.Event]:
    """`text`, or what can be said of a file that nobody listened to; each word half a second."""
    digest = hashlib.sha256()
    for start in range(0, request.file.length, 1 << 16):
        digest.update(request.file.part(start, start + (1 << 16)))
    told = f"This is a simulated transcript of {request.file.length} bytes ({digest.hexdigest()[:8]}); nobody listened."
    words = (text or told).split()
    said = [audio.Word(text=word, start=at * 0.5, end=at * 0.5 + 0.4) for at, word in enumerate(words)]
    yield events.Start(model=f"simulated-{model}")
    for at, word in enumerate(words):
        yield events.Text(text=word if at == 0 else f" {word}")
    seconds = len(words) * 0.5
    yield events.Result(value=audio.Transcript(text=" ".join(words), language="en", duration=seconds, words=said))
    yield events.Used(usage=Usage(units={"seconds": seconds}))
    yield events.Stop(reason="stop")
