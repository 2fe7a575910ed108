"""A request's body that is more than bytes of JSON: of another content type, read as it is sent, or to an address of
its own."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from copy import copy
from typing import Protocol, Self


class Body(Protocol):
    """What is sent to a provider piece by piece, so that no more than a few pieces of it are held at a time."""

    @property
    def content_type(self) -> bytes | None:
        """None: the client's own header goes on, if it sent one."""

    @property
    def path(self) -> str | None:
        """What is added to the provider's `base_url`, where it depends on the request; None: the dialect knows."""

    @property
    def length(self) -> int | None:
        """Bytes; None where they are not known beforehand and it is sent in chunks."""

    @property
    def again(self) -> bool:
        """It can be read (once more) from its beginning."""

    def pieces(self) -> AsyncGenerator[bytes, None]:
        """The body from its beginning. Raises RequestError where the client does not send what it should."""


class Said:
    """A body that is in memory."""

    __slots__ = ("content_type", "data", "path")
    again = True

    def __init__(self, data: bytes, content_type: bytes, path: str | None = None) -> None:
        self.data = data
        self.content_type = content_type
        self.path = path

    @property
    def length(self) -> int:
        return len(self.data)

    def saying(self, data: bytes) -> Self:
        """The same with other words in it."""
        other = copy(self)
        other.data = data
        return other

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        yield self.data
