"""What the simulator answers where nobody chats: embeddings, ranks, verdicts and pictures, the same for the same words.

Texts that share words have vectors that are near each other, so that a search can be tried out.
"""

from __future__ import annotations

import hashlib
import math
import re
import struct
import zlib
from array import array
from base64 import b64encode
from collections.abc import Callable, Iterable
from typing import Any

from headgate.core import chat
from headgate.core.audio import SpeechRequest, TranscriptionRequest
from headgate.core.embeddings import Embeddings, EmbeddingsRequest, Input, Mixed, Tokens, Vector
from headgate.core.errors import InvalidRequest
from headgate.core.form import PIECE, File
from headgate.core.images import Images, ImagesRequest, Picture
from headgate.core.moderation import Moderation, ModerationRequest, Verdict
from headgate.core.request import Operation
from headgate.core.rerank import Rank, Ranking, RerankRequest
from headgate.core.usage import Usage

DIMENSIONS, MOST_DIMENSIONS = 256, 4096
MOST_PICTURES = 10
CATEGORIES = (
    "harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent", "self-harm",
    "self-harm/intent", "self-harm/instructions", "sexual", "sexual/minors", "violence", "violence/graphic",
)  # fmt: skip
"""OpenAI's: https://platform.openai.com/docs/guides/moderation."""

_WORD = re.compile(r"\w+")

Answer = tuple[Any, Usage]


def embedded(request: EmbeddingsRequest) -> Answer:
    size = request.dimensions or DIMENSIONS
    if not 1 <= size <= MOST_DIMENSIONS:
        raise InvalidRequest(
            f"the number of dimensions must be from 1 to {MOST_DIMENSIONS}", param=request.called("dimensions")
        )
    vectors = [_vector(_words(one), size) for one in request.inputs]
    found: dict[str, list[Vector]] = {
        encoding: [_FORMS.get(encoding, array.tolist)(vector) for vector in vectors]
        for encoding in ("float" if one == "base64" else one for one in request.encodings or ["float"])
    }
    return Embeddings(vectors=found), Usage(input=sum(len(_words(one)) for one in request.inputs))


def _words(one: Input) -> list[str]:
    match one:
        case str():
            return _WORD.findall(one.lower())
        case Tokens(ids=ids):
            return [str(id) for id in ids]
        case Mixed(parts=parts):
            return [word for part in parts for word in _words_of(part)]


def _words_of(part: chat.Part) -> list[str]:
    """A picture is one long word."""
    match part:
        case chat.Text(text=text):
            return _WORD.findall(text.lower())
        case chat.Image(source=source):
            return [repr(source)]
    return []


def _vector(words: Iterable[str], size: int) -> array[float]:
    """Each word is one direction, drawn from its hash; together they have the length 1."""
    sums = [0.0] * size
    for word in words:
        drawn = int.from_bytes(hashlib.sha256(word.encode("utf-8", "surrogatepass")).digest()[:8], "big")
        sums[(drawn >> 1) % size] += 1.0 if drawn & 1 else -1.0
    if not any(sums):
        sums[0] = 1.0
    length = math.sqrt(sum(number * number for number in sums))
    return array("f", (number / length for number in sums))


def _signed(vector: array[float]) -> list[float]:
    return [round(number * 127) for number in vector]


def _unsigned(vector: array[float]) -> list[float]:
    return [round(number * 127) + 128 for number in vector]


def _bits(vector: array[float]) -> list[float]:
    """One bit for each number, eight to a byte."""
    bits = "".join("1" if number > 0 else "0" for number in vector)
    return [int(bits[at : at + 8].ljust(8, "0"), 2) for at in range(0, len(bits), 8)]


def _signed_bits(vector: array[float]) -> list[float]:
    return [byte - 128 for byte in _bits(vector)]


_FORMS: dict[str, Callable[[array[float]], list[float]]] = {
    "int8": _signed,
    "uint8": _unsigned,
    "ubinary": _bits,
    "binary": _signed_bits,
}
"""Encodings other than numbers, of which the client's dialect makes base64."""


def ranked(request: RerankRequest) -> Answer:
    """By how many of the query's words a document has."""
    wanted = set(_WORD.findall(request.query.lower()))
    texts = [entry.text or "" for entry in request.documents]
    scores = [len(wanted.intersection(_WORD.findall(text.lower()))) / (len(wanted) or 1) for text in texts]
    order = sorted(range(len(texts)), key=lambda index: (-scores[index], index))
    best = order if request.top is None else order[: max(request.top, 0)]
    words = sum(len(_WORD.findall(text)) for text in (request.query, *texts))
    return Ranking(ranks=[Rank(index=index, score=scores[index]) for index in best]), Usage(
        input=words, units={"searches": 1.0}
    )


def judged(request: ModerationRequest) -> Answer:
    verdict = Verdict(
        flagged=False,
        categories=dict.fromkeys(CATEGORIES, False),
        scores=dict.fromkeys(CATEGORIES, 0.0),
        native={"category_applied_input_types": {category: ["text"] for category in CATEGORIES}},
    )
    return Moderation(verdicts=[verdict for _ in request.inputs]), Usage()


def painted(request: ImagesRequest) -> Answer:
    count = 1 if request.n is None else request.n
    if not 1 <= count <= MOST_PICTURES:
        raise InvalidRequest(f"`n` must be from 1 to {MOST_PICTURES}", param="n")
    said = "This is a simulated picture; no model was asked."
    pictures = []
    seed = "\0".join([request.prompt, *map(_digest, request.images)])
    for number in range(count):
        data = b64encode(png(f"{seed}\0{number}")).decode()
        one = Picture(url=f"data:image/png;base64,{data}") if request.as_link else Picture(base64=data)
        one.revised_prompt = said
        pictures.append(one)
    words = len(_WORD.findall(request.prompt))
    return Images(pictures=pictures), Usage(input=words, output_image=count, units={"images": float(count)})


def _digest(picture: chat.Source | File) -> str:
    if not isinstance(picture, File):
        return repr(picture)
    digest = hashlib.sha256()
    for start in range(0, picture.length, PIECE):
        digest.update(picture.part(start, start + PIECE))
    return digest.hexdigest()


def png(words: str) -> bytes:
    """A picture of one point, whose colour comes of the words: https://www.w3.org/TR/png-3/."""
    colour = hashlib.sha256(words.encode("utf-8", "surrogatepass")).digest()[:3]
    head = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    chunks = (b"IHDR", head), (b"IDAT", zlib.compress(b"\0" + colour)), (b"IEND", b"")
    parts = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def asked(request: Any) -> str:
    """The words in which a directive may stand: the last text."""
    match request:
        case EmbeddingsRequest(inputs=[*_, str() as text]) | RerankRequest(query=text) | ImagesRequest(prompt=text):
            return text
        case ModerationRequest(inputs=[*_, [*_, chat.Text(text=text)]]):
            return text
        case SpeechRequest(input=text) | TranscriptionRequest(prompt=str() as text):
            return text
    return ""


OPERATIONS: dict[Operation, Callable[[Any], Answer]] = {
    "embeddings": embedded,
    "rerank": ranked,
    "moderation": judged,
    "images": painted,
}
