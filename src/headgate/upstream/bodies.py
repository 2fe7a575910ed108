"""Undoes content encodings piece by piece, never giving out more than a bounded amount at a time."""

from __future__ import annotations

import zlib
from typing import IO, Protocol, cast

import brotli
import zstandard

from headgate.core.errors import ProviderNonsense

PIECE = 256 * 1024
"""Bytes a decoder gives out at a time (brotli: about as many); this bounds what a compression bomb can take."""
ZSTD_WINDOW = 8 * 1024 * 1024
"""RFC 9659: a decoder of the content coding zstd needs to support windows of 8 MB, and may refuse larger ones."""


class Decoder(Protocol):
    """One content coding. Everything that can be decoded of what was fed is given out at once, without waiting for
    more, so that a compressed event stream is not held back."""

    def feed(self, data: bytes) -> None:
        """Take in encoded bytes."""

    def pull(self) -> bytes:
        """The next decoded bytes; b"" when more must be fed first. Raises ProviderNonsense."""

    def whole(self) -> bool:
        """Whether what was fed so far ends where the coding ends."""


def decoder_for(coding: bytes) -> Decoder | None:
    """The decoder for a `content-encoding` value; None for no encoding. Raises ProviderNonsense for an unknown one."""
    name = coding.strip().lower()
    if name in (b"", b"identity"):
        return None
    if name in (b"gzip", b"x-gzip"):
        return Zlib(zlib.MAX_WBITS | 16, "gzip")
    if name == b"deflate":
        return Zlib(zlib.MAX_WBITS, "deflate")
    if name == b"br":
        return Brotli()
    if name == b"zstd":
        return Zstd()
    shown = name.decode("ascii", "replace") if len(name) <= 20 else "something else"  # long enough for a key: not told
    raise ProviderNonsense(
        f"The provider's reply is encoded as {shown!r}, which was not asked for and is not understood "
        "(gzip, deflate, br and zstd are)."
    )


def _undecodable(coding: str, cause: object) -> ProviderNonsense:
    return ProviderNonsense(f"The provider's reply says content-encoding {coding}, but is not: {cause}.")


class Zlib:
    """gzip (RFC 1952, several members allowed) and deflate (RFC 9110 8.4.1.2).

    Some servers send `deflate` without the zlib wrapper the standard asks for; the first byte tells the two apart.
    """

    def __init__(self, wbits: int, coding: str) -> None:
        self._wbits = wbits
        self._coding = coding
        self._inflate = zlib.decompressobj(wbits)
        self._waiting = b""
        self._started = False

    def feed(self, data: bytes) -> None:
        if not self._started and data:
            self._started = True
            if self._coding == "deflate" and data[0] & 0x0F != 8:
                self._wbits = -zlib.MAX_WBITS
                self._inflate = zlib.decompressobj(self._wbits)
        self._waiting += data

    def pull(self) -> bytes:
        try:
            while True:
                if self._inflate.eof:
                    rest = (self._inflate.unused_data + self._waiting).lstrip(b"\0")
                    if not rest:
                        self._waiting = b""
                        return b""
                    self._waiting = rest
                    self._inflate = zlib.decompressobj(self._wbits)
                # Called even with nothing waiting: the last call may have stopped at PIECE with output left inside.
                data = self._inflate.decompress(self._waiting, PIECE)
                self._waiting = self._inflate.unconsumed_tail
                if data or not self._inflate.eof:
                    return data
        except zlib.error as error:
            raise _undecodable(self._coding, error) from None

    def whole(self) -> bool:
        return self._inflate.eof or not self._started


class Brotli:
    """br (RFC 7932)."""

    def __init__(self) -> None:
        self._brotli = brotli.Decompressor()
        self._waiting = b""
        self._started = False

    def feed(self, data: bytes) -> None:
        self._started = True
        self._waiting += data

    def pull(self) -> bytes:
        try:
            while True:
                if self._brotli.is_finished():
                    if self._waiting:
                        raise _undecodable("br", "bytes follow its end")
                    return b""
                given = b""
                if self._brotli.can_accept_more_data():
                    given, self._waiting = self._waiting, b""
                    if not given:
                        return b""
                data: bytes = self._brotli.process(given, output_buffer_limit=PIECE)
                if data:
                    return data
        except brotli.error as error:
            raise _undecodable("br", error) from None

    def whole(self) -> bool:
        return not self._started or bool(self._brotli.is_finished())


class _DryError(Exception):
    """The source has nothing for now. Raised because a source that returns b"" has ended for good for zstandard."""


class _Source:
    __slots__ = ("waiting",)

    def __init__(self) -> None:
        self.waiting = b""

    def read(self, size: int) -> bytes:
        if not self.waiting:
            raise _DryError
        data, self.waiting = self.waiting[:size], self.waiting[size:]
        return data


class Zstd:
    """zstd (RFC 8878, several frames allowed).

    Read through `stream_reader`, since `decompressobj` has no bound: 4 bytes of input can make 128 KiB. That reader
    does not tell whether a frame is complete, so a cut inside the encoding is left to HTTP's framing and to whoever
    reads the decoded text.
    """

    def __init__(self) -> None:
        self._source = _Source()
        self._reader = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW).stream_reader(
            cast("IO[bytes]", self._source), read_across_frames=True
        )

    def feed(self, data: bytes) -> None:
        self._source.waiting += data

    def pull(self) -> bytes:
        try:
            data: bytes = self._reader.read1(PIECE)
        except _DryError:
            return b""
        except zstandard.ZstdError as error:
            raise _undecodable("zstd", error) from None
        return data

    def whole(self) -> bool:
        return not self._source.waiting
