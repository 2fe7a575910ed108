"""Cut a stream in any dialect into frames, and find the JSON in each, so that it can be said otherwise."""

from __future__ import annotations

import base64
import binascii
from typing import NamedTuple, Protocol

import msgspec

from headgate.dialects import event_stream
from headgate.dialects.framing import Cutter
from headgate.dialects.framing import frames as blocks
from headgate.dialects.gemini_generate.arrays import Elements


class Frame(NamedTuple):
    """`head + data + tail` are its bytes; `data` is what may be JSON."""

    head: bytes
    data: bytes
    tail: bytes

    @property
    def raw(self) -> bytes:
        return self.head + self.data + self.tail

    def saying(self, data: bytes) -> bytes:
        return self.head + data + self.tail


class Message(NamedTuple):
    """The same of Amazon's event stream, whose frames have checksums."""

    message: event_stream.Message
    data: bytes
    inner: bool = False
    """The data stand in base64 within JSON, as bodies of other APIs do."""

    @property
    def raw(self) -> bytes:
        return self.message.raw

    def saying(self, data: bytes) -> bytes:
        payload = b'{"bytes":"%b"}' % base64.b64encode(data) if self.inner else data
        return event_stream.write_message(self.message.headers, payload)


BOM = b"\xef\xbb\xbf"


class Cut(Protocol):
    def __call__(self, data: bytes) -> list[Frame] | list[Message]:
        """The frames that these bytes complete, wherever the stream was cut."""

    def rest(self) -> list[Frame]:
        """What is left at its end."""


def cutter(content_type: bytes) -> Cut:
    """What cuts a stream of this type."""
    if content_type.startswith(b"text/event-stream"):
        return Events()
    if content_type.startswith(event_stream.EVENT_STREAM):
        return Messages()
    return Array() if content_type.startswith(b"application/json") else Lines()


class Events:
    """Server-sent events."""

    def __init__(self) -> None:
        self._cutter = Cutter()

    def __call__(self, data: bytes) -> list[Frame]:
        return _events(self._cutter.feed(data))

    def rest(self) -> list[Frame]:
        return _events(self._cutter.rest)


def _events(data: bytes) -> list[Frame]:
    found = []
    if data[:3] == BOM:
        found.append(Frame(BOM, b"", b""))
        data = data[3:]
    for block in blocks(data):
        if b"\r" in block:
            bare = block.rstrip(b"\r\n")
            if b"\r" in bare.replace(b"\r\n", b""):  # the only sign at the end of its lines
                found.append(_in_one_line(bare))
                continue
        at = 0 if block[:5] == b"data:" else block.find(b"\ndata:") + 1
        start = at + (6 if block[at + 5 : at + 6] == b" " else 5)
        end = len(block.rstrip(b"\r\n"))
        content = block[start:end]
        if not at and block[:5] != b"data:":
            found.append(Frame(block, b"", b""))
        elif b"\n" in content or b"\r" in content:
            found.append(_in_one_line(block[:end]))
        else:
            found.append(Frame(block[:start], content, block[end:]))
    return found


def _in_one_line(block: bytes) -> Frame:
    """An event whose data stand in several lines, or before other fields."""
    head, data = [], []
    for line in block.splitlines():
        field, colon, value = line.partition(b":")
        if field == b"data":
            data.append(value.removeprefix(b" "))
        elif colon:
            head.append(line + b"\n")
    return Frame(b"".join(head) + b"data: ", b" ".join(data), b"\n\n")


class Lines:
    """Lines of JSON."""

    def __init__(self) -> None:
        self._held = b""

    def __call__(self, data: bytes) -> list[Frame]:
        data = self._held + data
        end = data.rfind(b"\n") + 1
        self._held = data[end:]
        return _lines(data[:end])

    def rest(self) -> list[Frame]:
        return _lines(self._held)


def _lines(data: bytes) -> list[Frame]:
    found = []
    for line in data.splitlines(keepends=True):
        bare = line.strip()
        start = line.find(bare) if bare else len(line)
        found.append(Frame(line[:start], bare, line[start + len(bare) :]))
    return found


class Array:
    """An array that comes entry by entry."""

    def __init__(self) -> None:
        self._elements = Elements()

    def __call__(self, data: bytes) -> list[Frame]:
        found = []
        for piece in self._elements.feed(data):
            start = len(piece) - len(piece.lstrip(b"[, \t\r\n"))
            found.append(Frame(piece[:start], piece[start:], b""))
        if self._elements.closed:
            found.append(Frame(bytes(self._elements.held), b"", b""))
            self._elements.held.clear()
        return found

    def rest(self) -> list[Frame]:
        return []


class Messages:
    """Amazon's event stream."""

    def __init__(self) -> None:
        self._stream = event_stream.EventStream()

    def __call__(self, data: bytes) -> list[Message]:
        return [_message(each) for each in self._stream.feed(data)]

    def rest(self) -> list[Frame]:
        return []


def _message(message: event_stream.Message) -> Message:
    payload = message.payload
    if message.event == "chunk" and b'"bytes"' in payload:
        try:
            inner = base64.b64decode(msgspec.json.decode(payload)["bytes"], validate=True)
        except (msgspec.DecodeError, KeyError, TypeError, binascii.Error):
            return Message(message, payload)
        return Message(message, inner, inner=True)
    return Message(message, payload)
