"""Vectors and what is embedded, as the dialects of embeddings share them."""

from __future__ import annotations

import binascii
import math
import sys
from array import array
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence

from headgate.core import chat
from headgate.core.chat import Bytes, Link, Loss, Source
from headgate.core.embeddings import Embeddings, EmbeddingsRequest, Mixed, Tokens, Vector
from headgate.core.errors import ProviderNonsense, Unsupported

PLAIN = frozenset({"float", "base64"})
"""Encodings of one and the same numbers: the gateway makes either of the other."""
_BIG_ENDIAN = sys.byteorder == "big"


def floats(vector: Vector) -> list[float]:
    """The numbers of a vector in "float" or "base64". Raises ProviderNonsense."""
    if isinstance(vector, list):
        return vector
    numbers = array("f")
    try:
        numbers.frombytes(b64decode(vector, validate=True))
    except (binascii.Error, ValueError):
        raise ProviderNonsense("the provider's embedding is not base64 of float32 numbers") from None
    if _BIG_ENDIAN:
        numbers.byteswap()
    found = numbers.tolist()
    if not all(map(math.isfinite, found)):
        raise ProviderNonsense("the provider's embedding holds what is no number")
    return found


def packed(vector: Vector) -> str:
    """The vector in base64: float32, little-endian. Numbers beyond float32 become infinite, as everywhere."""
    if isinstance(vector, str):
        return vector
    numbers = array("f", vector)
    if _BIG_ENDIAN:
        numbers.byteswap()
    return b64encode(numbers.tobytes()).decode()


def _whole_numbers(encoding: str, vector: Vector) -> list[float]:
    """Of bytes in base64 (Voyage's `output_dtype` int8), or as they are. Raises ProviderNonsense."""
    if isinstance(vector, list):
        return vector
    try:
        small = array("B" if encoding in ("uint8", "ubinary") else "b", b64decode(vector, validate=True))
        return [float(number) for number in small]
    except (binascii.Error, ValueError):
        raise ProviderNonsense(f"the provider's embedding is not {encoding} numbers in base64") from None


def vectors_in(said: Embeddings, encoding: str) -> list[Vector]:
    """The vectors in an encoding, made of the other plain one if that is what came. Raises ProviderNonsense."""
    found = said.vectors.get(encoding)
    if found is not None:
        return found
    if encoding in PLAIN:
        other = said.vectors.get("base64" if encoding == "float" else "float")
        if other is not None:
            return [packed(vector) for vector in other] if encoding == "base64" else [floats(one) for one in other]
    came = ", ".join(said.vectors) or "nothing"
    raise ProviderNonsense(f"the provider was asked for embeddings as {encoding} and gave {came}")


def plain(said: Embeddings) -> list[list[float]]:
    """The vectors as numbers; the small whole ones of another encoding, where nothing else came."""
    found = said.vectors
    if PLAIN.isdisjoint(found) and found:
        encoding, small = next(iter(found.items()))
        return [_whole_numbers(encoding, vector) for vector in small]
    return [floats(vector) for vector in vectors_in(said, "float")]


def one(said: Embeddings) -> list[float]:
    """The vector, for an API that has one in each reply. Raises ProviderNonsense."""
    found = plain(said)
    if len(found) != 1:
        raise ProviderNonsense(f"the provider gave {len(found)} embeddings for one input")
    return found[0]


def alone(request: EmbeddingsRequest, api: str) -> int:
    """The place of the one input, for an API that takes one in each request. Raises Unsupported."""
    if len(request.inputs) != 1:
        raise Unsupported(f"{api} embeds one input in each request: send one", param=request.called("inputs"))
    return 0


def only(request: EmbeddingsRequest, possible: Iterable[str], api: str) -> list[str]:
    """The encodings to ask for, of those an API has; one of "float" and "base64" stands for both.

    Raises Unsupported where another one is wanted.
    """
    possible = list(possible)
    for encoding in request.encodings:
        if encoding not in possible and not (encoding in PLAIN and not PLAIN.isdisjoint(possible)):
            raise Unsupported(
                f"{api} gives embeddings as {' or '.join(possible)}, not as {encoding}",
                param=request.called("encodings"),
            )
    return [encoding for encoding in request.encodings if encoding in possible]


def texts(request: EmbeddingsRequest, api: str) -> list[str]:
    """The inputs for an API that embeds only text. Raises Unsupported."""
    return [text_of(request, index, api) for index in range(len(request.inputs))]


def place(request: EmbeddingsRequest, index: int) -> str:
    """Where an input stands, in the client's own terms."""
    path = request.called("inputs")
    return path if request.single else f"{path}[{index}]"


def text_of(request: EmbeddingsRequest, index: int, api: str) -> str:
    """One of them."""
    match request.inputs[index]:
        case str() as text:
            return text
        case Tokens():
            raise without_tokens(request, index, api)
        case Mixed(parts=[chat.Text(text=text)]):
            return text
        case Mixed(parts=parts) if all(isinstance(part, chat.Text) for part in parts):
            # Several texts that get one vector: how they are joined is the model's own affair
            why = f"{api} has one text for each embedding: send one"
        case _:
            why = f"{api} embeds only text; ask for a model that takes pictures"
    raise Unsupported(why, param=place(request, index))


def without_tokens(request: EmbeddingsRequest, index: int, api: str) -> Unsupported:
    """The error for an input that is tokens: they are of one model, and mean nothing to another."""
    return Unsupported(f"{api} takes text, not tokens: send the text itself", param=place(request, index))


def leave(request: EmbeddingsRequest, fields: Sequence[str], api: str, lost: list[Loss]) -> None:
    """Name those of these fields that the request has and the API has no word for."""
    said = (field for field in fields if getattr(request, field) not in (None, []))
    lost.extend(Loss(request.called(field), f"{api} has no such field") for field in said)


def leave_native(request: EmbeddingsRequest, lost: list[Loss], keep: Iterable[str] = ()) -> None:
    """Name what only the client's own dialect knows."""
    kept = frozenset(keep)
    lost += (Loss(key, "only the client's own API knows it") for key in request.native if key not in kept)


def source(url: str) -> Source:
    """A picture's address, or its data: a `data:` URL, or bare base64 as some vendors take it."""
    if url.startswith("data:"):
        kind, _, data = url[5:].partition(",")
        return Bytes(data, kind.partition(";")[0] or None)
    return Link(url) if "://" in url[:16] else Bytes(url)


def link(source: Source) -> str | None:
    """The picture as a URL; None for one that is stored with a vendor."""
    match source:
        case Link(url=url):
            return url
        case Bytes(base64=data, media_type=kind):
            return f"data:{kind or 'image/png'};base64,{data}"
    return None
