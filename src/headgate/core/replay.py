"""A stream of which all is here already, to be read like one that comes."""

from __future__ import annotations


class Replay:
    """Implements core.ports.Response: it comes in one piece."""

    __slots__ = ("_left", "headers", "status")

    def __init__(self, body: bytes) -> None:
        self.status = 200
        self.headers: list[tuple[bytes, bytes]] = []
        self._left = body

    def header(self, name: bytes) -> bytes | None:
        return None

    async def read(self, limit: int) -> bytes:
        return await self.chunk()

    async def chunk(self) -> bytes:
        data, self._left = self._left, b""
        return data

    def finish(self) -> None:
        """Nothing is held."""

    def close(self) -> None:
        """Nothing is held."""
