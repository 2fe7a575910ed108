"""Read a request's body within its limits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from headgate.core.errors import InvalidRequest, ProviderNonsense, TooLarge, UnsupportedMedia
from headgate.upstream import bodies

KNOWN = (b"gzip", b"x-gzip", b"deflate", b"br", b"zstd")


class Incoming:
    """The body of one request, not read until somebody asks."""

    __slots__ = ("_headers", "_limit", "_receive")

    def __init__(
        self,
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        headers: Sequence[tuple[bytes, bytes]],
        limit: int,
    ) -> None:
        self._receive = receive
        self._headers = headers
        self._limit = limit

    async def read(self) -> bytes:
        """The whole body, decompressed. Raises TooLarge, UnsupportedMedia, InvalidRequest."""
        encoding = b""
        for name, value in self._headers:
            if name == b"content-length" and int(value) > self._limit:
                raise self._too_large()
            if name == b"content-encoding":
                encoding = value.strip().lower()
        message = await self._receive()
        body: bytes = message.get("body", b"")
        if message.get("more_body"):
            body = await self._rest(body)
        if len(body) > self._limit:
            raise self._too_large()
        if encoding and encoding != b"identity":
            return self._decompressed(body, encoding)
        return body

    async def _rest(self, first: bytes) -> bytes:
        pieces, size, more = [first], len(first), True
        while more:
            message = await self._receive()
            piece = message.get("body", b"")
            pieces.append(piece)
            size += len(piece)
            more = message.get("more_body", False)
            if size > self._limit:
                raise self._too_large()
        return b"".join(pieces)

    def _decompressed(self, body: bytes, encoding: bytes) -> bytes:
        if encoding not in KNOWN:
            raise UnsupportedMedia("the content encoding is not known here; send identity, gzip, deflate, br or zstd")
        name = encoding.decode("latin-1")
        pieces, size = [], 0
        try:
            decoder = bodies.decoder_for(encoding)
            assert decoder is not None
            decoder.feed(body)
            while piece := decoder.pull():
                pieces.append(piece)
                size += len(piece)
                if size > self._limit:
                    raise self._too_large()
        except ProviderNonsense:
            raise InvalidRequest(f"the body is said to be {name} (content-encoding) but is not") from None
        if not decoder.whole():
            raise InvalidRequest(f"the {name} data of the body ends too early")
        return b"".join(pieces)

    def _too_large(self) -> TooLarge:
        return TooLarge(f"the body is larger than {self._limit} bytes, the gateway's limit (server.max_body_bytes)")
