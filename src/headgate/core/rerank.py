"""A request to order documents by how well they fit a query, and its answer."""

from __future__ import annotations

import msgspec

from headgate.core.chat import Native, Part
from headgate.core.request import Request


class Entry(msgspec.Struct, kw_only=True):
    """A document: `text`, or (its fields, in the client's own form) `fields`, or pieces that are not only text."""

    text: str | None = None
    fields: Native = {}
    parts: list[Part] = []


class RerankRequest(Request, kw_only=True):
    """The query and the documents."""

    query: str
    documents: list[Entry]
    top: int | None = None
    """How many of the best are wanted; None is all."""
    echo: bool | None = None
    """Whether the documents come back with their scores."""
    truncate: bool | None = None
    """Whether what is too long is cut (True) or an error (False)."""
    longest: int | None = None
    """Tokens of a document that are looked at."""
    names: dict[str, str] = {}
    """What the client's dialect calls the fields above, where it has another word: field → path."""
    aliased: Native = {}
    """Fields of other vendors that the client's dialect understands, as they came: their meaning is in those above."""

    def called(self, field: str) -> str:
        """The field in the client's own terms."""
        return self.names.get(field, field)


class Rank(msgspec.Struct, kw_only=True):
    """A document's place: `index` in the request, `document` as the provider gave it back."""

    index: int
    score: float
    document: str | Native | None = None
    native: Native = {}


class Ranking(msgspec.Struct, kw_only=True):
    """The documents, best first."""

    ranks: list[Rank]
