"""A request for embeddings as the gateway understands it, whichever dialect it came in, and its answer."""

from __future__ import annotations

from typing import Literal

import msgspec

from headgate.core.chat import Native, Part
from headgate.core.request import Request

Purpose = Literal[
    "query",  # a question that looks for documents
    "document",  # a text to be found
    "similarity",
    "classification",
    "clustering",
    "question",  # a question that looks for its answer
    "fact",  # a claim that looks for evidence
    "code",  # a question that looks for code
]
Truncation = Literal["none", "start", "end"]
"""What is cut off an input that is too long: nothing (it is an error then), its start or its end."""

Vector = list[float] | str
"""Numbers (whole ones, where the encoding has only such), or base64 of them: float32, little-endian, for "base64"."""


class Tokens(msgspec.Struct, frozen=True):
    """An input as the model's own tokens."""

    ids: list[int]


class Mixed(msgspec.Struct, kw_only=True):
    """An input of several pieces that get one embedding together, or of one piece that is not text."""

    parts: list[Part]
    native: Native = {}


Input = str | Tokens | Mixed


class EmbeddingsRequest(Request, kw_only=True):
    """What is to be embedded, one vector for each of `inputs`."""

    inputs: list[Input]
    single: bool = False
    """The one input stood by itself, not in a list (and goes out so where the dialect has both forms)."""
    dimensions: int | None = None
    encodings: list[str] = []
    """The vectors' forms: float, base64 (of float32), int8, uint8, binary, ubinary; [] is the vendor's default."""
    purpose: Purpose | None = None
    title: str | None = None
    """Of the document, where all inputs are pieces of one."""
    truncate: Truncation | None = None
    user: str | None = None
    names: dict[str, str] = {}
    """What the client's dialect calls the fields above, where it has another word: field → path."""
    aliased: Native = {}
    """Fields of other vendors that the client's dialect understands, as they came: their meaning is in those above."""
    bound: dict[str, str] = {}
    """As in a ChatRequest: what only the client's own dialect can say → advice."""

    def called(self, field: str) -> str:
        """The field in the client's own terms."""
        return self.names.get(field, field)


class Embeddings(msgspec.Struct, kw_only=True):
    """The vectors: encoding → one per input, in the inputs' order."""

    vectors: dict[str, list[Vector]]
