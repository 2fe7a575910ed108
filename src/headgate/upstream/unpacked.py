"""Replies that a host has packed in a format of its own: taken out on their way."""

from __future__ import annotations

from typing import Protocol

from headgate.core.ports import Response


class Unpacker(Protocol):
    """Takes one reply out of its packing; `types` are content types of a stream in it."""

    types: tuple[bytes, ...]

    def feed(self, data: bytes) -> bytes:
        """What these bytes (of a stream, split anywhere; of another reply, all) hold, as the API itself sends it.

        Raises ProviderNonsense.
        """


class Unpacked:
    """A Response that is a stream, whose chunks are what is in the packing."""

    def __init__(self, response: Response, unpacker: Unpacker) -> None:
        self.status = response.status
        self.headers = response.headers
        self.header = response.header
        self.read = response.read
        self.finish = response.finish
        self.close = response.close
        self._chunk = response.chunk
        self._unpack = unpacker.feed

    async def chunk(self) -> bytes:
        """The next piece; what holds no whole event is waited over."""
        while piece := await self._chunk():
            data = self._unpack(piece)
            if data:
                return data
        return b""
