"""Compress what goes to a client that asked for it (RFC 9110 section 12.5.3)."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import Any

import brotli
import zstandard

from headgate.config.schema import Compression

Header = tuple[bytes, bytes]
Squeeze = Callable[..., bytes]

# Best for its processor time first, as measured on chat replies of 4 to 100 kB.
KNOWN = (b"zstd", b"br", b"gzip")


def whole(settings: Compression, body: bytes, asked: Sequence[Header], headers: list[Header]) -> bytes:
    """The body, compressed if that is wanted; adds what `headers` must say of it."""
    if not settings.enabled or len(body) < settings.min_bytes:
        return body
    headers.append((b"vary", b"accept-encoding"))
    encoding = accepted(asked)
    if encoding is None:
        return body
    headers.append((b"content-encoding", encoding))
    if encoding == b"zstd":
        return zstandard.ZstdCompressor(level=1).compress(body)
    if encoding == b"br":
        return bytes(brotli.compress(body, quality=1))
    return zlib.compress(body, 1, wbits=31)


def stream(settings: Compression, asked: Sequence[Header], headers: list[Header]) -> Squeeze | None:
    """What compresses each piece of a stream (`squeeze(data, last=False)`), or None to leave it as it is."""
    encoding = accepted(asked) if settings.enabled and settings.streams else None
    if encoding is None:
        return None
    headers += [(b"content-encoding", encoding), (b"vary", b"accept-encoding")]
    if encoding == b"zstd":
        return _squeeze(
            zstandard.ZstdCompressor(level=1).compressobj(),
            zstandard.COMPRESSOBJ_FLUSH_BLOCK,
            zstandard.COMPRESSOBJ_FLUSH_FINISH,
        )
    if encoding == b"br":
        return _squeeze_brotli(brotli.Compressor(quality=1))
    return _squeeze(zlib.compressobj(1, wbits=31), zlib.Z_SYNC_FLUSH, zlib.Z_FINISH)


def accepted(headers: Sequence[Header]) -> bytes | None:
    """The best encoding that the client accepts: of those with a weight above zero, the first of ours."""
    for name, value in headers:
        if name == b"accept-encoding":
            weights = dict(map(_weight, value.lower().split(b",")))
            other = weights.get(b"*", 0.0)
            return next((encoding for encoding in KNOWN if weights.get(encoding, other) > 0), None)
    return None


def _weight(item: bytes) -> tuple[bytes, float]:
    name, _, rest = item.partition(b";")
    _, _, quality = rest.strip().partition(b"q=")
    try:
        return name.strip(), float(quality) if quality else 1.0
    except ValueError:
        return name.strip(), 0.0


def _squeeze(compressor: Any, flush: int, finish: int) -> Squeeze:
    def squeeze(data: bytes, last: bool = False) -> bytes:
        return bytes(compressor.compress(data) + compressor.flush(finish if last else flush))

    return squeeze


def _squeeze_brotli(compressor: Any) -> Squeeze:
    def squeeze(data: bytes, last: bool = False) -> bytes:
        return bytes(compressor.process(data) + (compressor.finish() if last else compressor.flush()))

    return squeeze
