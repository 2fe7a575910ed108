"""Read a request's body within its limits."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any

from headgate.core.errors import InvalidRequest, ProviderNonsense, TooLarge, UnsupportedMedia
from headgate.upstream import bodies

KNOWN = (b"gzip", b"x-gzip", b"deflate", b"br", b"zstd")


class Incoming:
    """The body of one request, not read until somebody asks."""

    __slots__ = ("_headers", "_limit", "_named", "_receive", "_whole")

    def __init__(
        self,
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        headers: Sequence[tuple[bytes, bytes]],
        limit: int,
        named: Mapping[bytes, bytes] | None = None,
        whole: Callable[[], Awaitable[bytes]] | None = None,
    ) -> None:
        """`named`: the headers by their names; `whole`: reads all of it at once, where the server can."""
        self._receive = receive
        self._headers = headers
        self._limit = limit
        self._named = dict(headers) if named is None else named
        self._whole = whole or self._pieced

    async def read(self) -> bytes:
        """The whole body, decompressed. Raises TooLarge, UnsupportedMedia, InvalidRequest."""
        length = self._named.get(b"content-length")
        if length is not None and int(length) > self._limit:
            raise self._too_large()
        body = await self._whole()
        if len(body) > self._limit:
            raise self._too_large()
        encoding = self._encoding() if b"content-encoding" in self._named else b""
        return self._decompressed(body, encoding) if encoding else body

    async def _pieced(self) -> bytes:
        """All of it, by ASGI's messages."""
        message = await self._receive()
        body: bytes = message.get("body", b"")
        return await self._rest(body) if message.get("more_body") else body

    @property
    def length(self) -> int | None:
        """Bytes as the client announced them; 0: there is no body; None: it comes in chunks."""
        for name, value in self._headers:
            if name == b"content-length":
                return int(value)
            if name == b"transfer-encoding":
                return None
        return 0

    async def pieces(self, *, decoded: bool) -> AsyncGenerator[bytes, None]:
        """The body as it comes, once. Raises TooLarge, UnsupportedMedia, InvalidRequest."""
        encoding = self._encoding() if decoded else b""
        decoder = self._decoder(encoding) if encoding else None
        if (self.length or 0) > self._limit:
            raise self._too_large()
        size, more = 0, True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise InvalidRequest("the client closed the connection before the end of the body")
            piece = message.get("body", b"")
            more = message.get("more_body", False)
            for part in _undone(decoder, encoding, piece) if decoder is not None else (piece,):
                size += len(part)
                if size > self._limit:
                    raise self._too_large()
                if part:
                    yield part
        if decoder is not None and not decoder.whole():
            raise InvalidRequest(f"the {encoding.decode('latin-1')} data of the body ends too early")

    def _encoding(self) -> bytes:
        """Of several that are said, in one header or more, all together: such as nobody undoes."""
        said = b",".join([value for name, value in self._headers if name == b"content-encoding"])
        return b", ".join(
            [each for part in said.split(b",") if (each := part.strip().lower()) not in (b"", b"identity")]
        )

    def _decoder(self, encoding: bytes) -> bodies.Decoder:
        if encoding not in KNOWN:
            raise UnsupportedMedia("the content encoding is not known here; send identity, gzip, deflate, br or zstd")
        decoder = bodies.decoder_for(encoding)
        assert decoder is not None
        return decoder

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
        decoder = self._decoder(encoding)
        pieces, size = [], 0
        for piece in _undone(decoder, encoding, body):
            pieces.append(piece)
            size += len(piece)
            if size > self._limit:
                raise self._too_large()
        if not decoder.whole():
            raise InvalidRequest(f"the {encoding.decode('latin-1')} data of the body ends too early")
        return b"".join(pieces)

    def _too_large(self) -> TooLarge:
        return TooLarge(f"the body is larger than {self._limit} bytes, the gateway's limit (server.max_body_bytes)")


def _undone(decoder: bodies.Decoder, encoding: bytes, data: bytes) -> Iterator[bytes]:
    """What these bytes decode to, in pieces of bounded size. Raises InvalidRequest."""
    try:
        decoder.feed(data)
        while piece := decoder.pull():
            yield piece
    except ProviderNonsense:
        name = encoding.decode("latin-1")
        raise InvalidRequest(f"the body is said to be {name} (content-encoding) but is not") from None
