"""What is kept of what was said, beside a request's record: how much, by the strictest word of all who have a say."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from headgate.core.exchange import Exchange

Keep = Literal["off", "redacted", "full"]
"""Nothing; all but what identifies people or opens doors; all."""
RANK: Mapping[Keep, int] = {"off": 0, "redacted": 1, "full": 2}
SIDES = ("request", "sent", "answer")
"""What the client asked, what the provider was asked instead, what the client was given."""


def strictest(*said: Keep | None) -> Keep | None:
    """The least of what is said; None where nobody says anything."""
    return min((each for each in said if each is not None), key=RANK.__getitem__, default=None)


class Classes:
    """Which class the data of a request are of."""

    __slots__ = ("_names",)

    def __init__(self, names: Mapping[str, str]) -> None:
        """`names`: of those that clients ask for, where the configuration says it of the name."""
        self._names = names

    def of(self, exchange: Exchange) -> str | None:
        """As the configuration says it, else as the request does."""
        return self.own(exchange) or exchange.labels.data_class or None

    def own(self, exchange: Exchange) -> str | None:
        """That of the key or of whose it is, else that of the name that was asked for."""
        caller = exchange.caller
        if caller is not None and caller.data_class is not None:
            return caller.data_class
        return self._names.get(exchange.decision.alias or exchange.model) if self._names else None


class Head(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What is known of what was said."""

    id: str
    time: float
    team: str | None
    data_class: str | None
    keep: Keep
    media: bool
    dialect: str
    """In which it was asked and answered."""
    spoken: str
    """In which the provider was asked."""
    stream: bool
    cut: tuple[str, ...]
    """The sides of which there was more than is held."""


class Heard:
    """What a client is given, as it is given, up to so many bytes; of a body that is passed on unread, that too."""

    __slots__ = ("_left", "answer", "asked", "cut")

    def __init__(self, most: int) -> None:
        self._left = {"request": most, "answer": most}
        self.answer: list[bytes] = []
        self.asked: list[bytes] = []
        self.cut: list[str] = []

    def given(self, data: bytes) -> None:
        """Some of the answer."""
        self._hear("answer", self.answer, data)

    def said(self, data: bytes) -> None:
        """Some of the request."""
        self._hear("request", self.asked, data)

    async def through(self, frames: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The same frames, heard."""
        async for data in frames:
            self.given(data)
            yield data

    def _hear(self, side: str, pieces: list[bytes], data: bytes) -> None:
        left = self._left[side]
        if left >= len(data):
            pieces.append(data)
            self._left[side] = left - len(data)
        elif side not in self.cut:
            pieces.append(data[:left])
            self._left[side] = 0
            self.cut.append(side)
