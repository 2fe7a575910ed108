"""Amazon's event stream: messages of typed headers and a payload, each with two checksums, in both directions.

Format: https://docs.aws.amazon.com/transcribe/latest/dg/streaming-setting-up.html#streaming-event-stream-encoding and
https://smithy.io/2.0/aws/amazon-eventstream.html

    total length, length of the headers, CRC of these two │ headers │ payload │ CRC of all before it
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from typing import NamedTuple

from headgate.core.errors import ProviderNonsense
from headgate.dialects.framing import LIMIT, too_large

EVENT_STREAM = b"application/vnd.amazon.eventstream"
"""Its content type."""
MOST_HEADERS = 128 * 1024
"""Bytes of headers one message may have: the format's own limit."""
REMEMBERED = 64
"""Header blocks kept decoded: a stream's messages of one kind all have the same."""

Value = bool | int | bytes | str
Headers = Mapping[str, Value]

_PRELUDE = struct.Struct(">III")
_LENGTHS = struct.Struct(">II")
_CRC = struct.Struct(">I")
_NUMBERS = {2: struct.Struct(">b"), 3: struct.Struct(">h"), 4: struct.Struct(">i"), 5: struct.Struct(">q")}
_NUMBERS[8] = _NUMBERS[5]  # a moment, in milliseconds since 1970
_UUID = 16
_LEAST = _PRELUDE.size + _CRC.size


class Message(NamedTuple):
    """One message; `raw` is the whole of it as it came."""

    headers: Headers
    payload: bytes
    raw: bytes

    @property
    def kind(self) -> str:
        """`event`, `exception` or `error`."""
        return _word(self.headers.get(":message-type"))

    @property
    def event(self) -> str:
        """The event's name, or the exception's, or the error's code."""
        headers = self.headers
        return _word(headers.get(":event-type") or headers.get(":exception-type") or headers.get(":error-code"))


class EventStream:
    """Bytes of an event stream, split anywhere → its messages. One instance reads one stream."""

    __slots__ = ("_held", "_known", "_limit")

    def __init__(self, limit: int = LIMIT) -> None:
        self._held = bytearray()
        self._known: dict[bytes, Headers] = {}
        self._limit = limit

    @property
    def rest(self) -> bytes:
        """What has come of a message that is not complete yet."""
        return bytes(self._held)

    def feed(self, data: bytes) -> list[Message]:
        """The messages these bytes complete. Raises ProviderNonsense where they are no event stream, a checksum is
        wrong or a message is larger than the limit."""
        held = self._held
        if held:
            held += data
            data = bytes(held)
            held.clear()
        messages = []
        start = 0
        while len(data) - start >= _PRELUDE.size:
            total, headers, checksum = _PRELUDE.unpack_from(data, start)
            self._check_prelude(data, start, total, headers, checksum)
            if len(data) - start < total:
                break
            messages.append(self._message(data[start : start + total], headers))
            start += total
        held += data[start:] if start else data
        return messages

    def _check_prelude(self, data: bytes, start: int, total: int, headers: int, checksum: int) -> None:
        if zlib.crc32(data[start : start + _LENGTHS.size]) != checksum:
            raise ProviderNonsense("what the provider sent is no event stream, or was damaged on its way")
        if total > self._limit or headers > MOST_HEADERS:
            raise too_large(self._limit if total > self._limit else MOST_HEADERS)
        if total < _LEAST + headers:
            raise ProviderNonsense("the provider sent an event that is longer than it says")

    def _message(self, raw: bytes, size: int) -> Message:
        if zlib.crc32(raw[: -_CRC.size]) != _CRC.unpack_from(raw, len(raw) - _CRC.size)[0]:
            raise ProviderNonsense("an event of the provider was damaged on its way: its checksum is wrong")
        end = _PRELUDE.size + size
        block = raw[_PRELUDE.size : end]
        headers = self._known.get(block)
        if headers is None:
            headers = read_headers(block)
            if len(self._known) < REMEMBERED:
                self._known[block] = headers
        return Message(headers, raw[end : -_CRC.size], raw)


def read_headers(block: bytes) -> dict[str, Value]:
    """The headers of a message. A moment is milliseconds since 1970, a UUID its bytes. Raises ProviderNonsense."""
    headers: dict[str, Value] = {}
    at = 0
    try:
        while at < len(block):
            size = block[at]
            name = _exactly(block, at + 1, size).decode()
            at += 1 + size
            value, at = _read_value(block, at)
            if name in headers:
                raise ProviderNonsense(f"an event of the provider has the header {name[:80]!a} twice")
            headers[name] = value
    except (IndexError, struct.error, UnicodeDecodeError):
        raise ProviderNonsense("an event of the provider has headers that break off") from None
    return headers


def _read_value(block: bytes, at: int) -> tuple[Value, int]:
    """The value whose type stands at `at`, and where the next header begins."""
    kind = block[at]
    at += 1
    if kind < 2:
        return kind == 0, at
    number = _NUMBERS.get(kind)
    if number is not None:
        value: int = number.unpack_from(block, at)[0]
        return value, at + number.size
    if kind in (6, 7):
        size = int.from_bytes(_exactly(block, at, 2))
        data = _exactly(block, at + 2, size)
        return (data if kind == 6 else data.decode()), at + 2 + size
    if kind == 9:
        return _exactly(block, at, _UUID), at + _UUID
    raise ProviderNonsense(f"an event of the provider has a header of the unknown type {kind}")


def _exactly(block: bytes, at: int, size: int) -> bytes:
    data = block[at : at + size]
    if len(data) != size:
        raise IndexError
    return data


def write_message(headers: Headers, payload: bytes) -> bytes:
    """One message; whole numbers are written as 64 bits."""
    block = b"".join(_header(name.encode(), value) for name, value in headers.items())
    lengths = _LENGTHS.pack(_LEAST + len(block) + len(payload), len(block))
    prelude = lengths + _CRC.pack(zlib.crc32(lengths))
    message = b"".join((prelude, block, payload))
    return message + _CRC.pack(zlib.crc32(message))


def _header(name: bytes, value: Value) -> bytes:
    head = bytes((len(name),)) + name
    match value:
        case bool():
            return head + (b"\0" if value else b"\1")
        case int():
            return head + b"\5" + _NUMBERS[5].pack(value)
        case bytes():
            return head + b"\6" + len(value).to_bytes(2) + value
        case str():
            data = value.encode()
            return head + b"\7" + len(data).to_bytes(2) + data


def write_event(name: str, payload: bytes) -> bytes:
    """A message as Amazon's services send their events: JSON under the event's name."""
    return write_message({":event-type": name, ":content-type": "application/json", ":message-type": "event"}, payload)


def write_exception(name: str, payload: bytes) -> bytes:
    """The message that ends a stream which failed on its way."""
    return write_message(
        {":exception-type": name, ":content-type": "application/json", ":message-type": "exception"}, payload
    )


def _word(value: Value | None) -> str:
    return value if isinstance(value, str) else ""
