"""A file of a form, for tests of the dialects that are given one."""

from headgate.core.audio import TranscriptionRequest
from headgate.core.form import File


class Kept:
    """A store in memory."""

    def __init__(self, data):
        self.data, self.size = data, len(data)

    def read(self, start, end):
        return self.data[start:end]


DATA = b"RIFF....WAVEfmt "
FILE = File(Kept(DATA), 0, len(DATA), "a.wav", "audio/wav")


def listened(**changes):
    """A request as a client of OpenAI's API makes it."""
    return TranscriptionRequest(**{"dialect": "openai_audio", "model": "m", "file": FILE} | changes)


def everything():
    """One that says all there is to say."""
    return listened(
        language="en", languages=["en", "de"], prompt="A talk", keywords=["Headgate", "two words"], temperature=0.5,
        format="diarized_json", granularities=["word"], native={"include": ["logprobs"]},
    )  # fmt: skip


async def sent(body):
    return b"".join([piece async for piece in body.pieces()])
