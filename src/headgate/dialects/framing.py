"""How a stream is cut into frames, shared by the dialects: server-sent events, read or passed on.

Format: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from headgate.core.errors import ProviderNonsense

JSON = b"application/json"
EVENT_STREAM = b"text/event-stream"
SSE = EVENT_STREAM + b"; charset=utf-8"
"""Content types."""

LIMIT = 16 * 1024 * 1024
"""Bytes one frame may have."""
LONGEST_ERROR = 64 * 1024
"""Bytes of JSON to wait for where a stream should have begun: more is no error."""

HEAD = 64
"""Bytes that tell what has begun."""

Frame = tuple[bytes | None, bytes]
"""The event's name (None where it has none) and its data."""

_BOM = b"\xef\xbb\xbf"
_BLANK = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
_decode = msgspec.json.Decoder(dict[str, Any]).decode
_FIELDS = (b"data", b"event", b"id", b"retry", b":", b"\n")


class EventStream:
    """Bytes of an event stream, split anywhere → its events. One instance reads one stream.

    Lines may end in LF, CRLF or CR. Comments, `id` and `retry` are passed over, and so are events without data.
    """

    __slots__ = ("_after_cr", "_begun", "_held", "_limit")

    def __init__(self, limit: int = LIMIT) -> None:
        self._held = bytearray()
        self._limit = limit
        self._begun = False
        self._after_cr = False

    @property
    def rest(self) -> bytes:
        """What has come of a frame that is not complete yet, its line ends as LF."""
        return bytes(self._held)

    @property
    def head(self) -> bytes:
        """Its beginning, which tells whether it may be one."""
        return bytes(self._held[:HEAD])

    def feed(self, data: bytes) -> list[Frame]:
        """The events these bytes complete. Raises ProviderNonsense when a frame is larger than the limit."""
        if not data:
            return []
        if self._after_cr or data.find(b"\r") >= 0:  # find: `in` takes twice as long
            data = self._only_lf(data)
            if not data:
                return []
        held = self._held
        if not held:  # most often: one event, whole, its data in one line
            end = len(data) - 2
            first = data.find(b"\n")
            if first == end:
                if data[:6] == b"data: " and data[end + 1] == 10:
                    self._begun = True
                    return [(None, data[6:end])]
            elif (
                data.find(b"\n", first + 1) == end
                and data[end + 1] == 10
                and data[:7] == b"event: "
                and data[first + 1 : first + 7] == b"data: "
            ):
                self._begun = True
                return [(data[7:first], data[first + 7 : end])]
        else:
            whole = b"\n\n" in data or (held[-1] == 10 and data[0] == 10)
            held += data
            if not whole:
                if len(held) > self._limit:
                    raise too_large(self._limit)
                return []
            data = bytes(held)
            held.clear()
        return self._split(data)

    def _split(self, data: bytes) -> list[Frame]:
        blocks = data.split(b"\n\n")
        rest = blocks.pop()
        if rest:
            self._held += rest
        if not self._begun and blocks:
            self._begun = True
            blocks[0] = blocks[0].removeprefix(_BOM)
        if len(data) > self._limit and max(map(len, (*blocks, rest))) > self._limit:
            raise too_large(self._limit)
        frames: list[Frame] = []
        for block in blocks:
            first = block.find(b"\n")
            if first < 0 and block[:6] == b"data: ":
                frames.append((None, block[6:]))
            elif block[:7] == b"event: " and block[first + 1 : first + 7] == b"data: " and block.count(b"\n") == 1:
                frames.append((block[7:first], block[first + 7 :]))
            elif block:
                name, content = fields(block)
                if content is not None:
                    frames.append((name, content))
        return frames

    def _only_lf(self, data: bytes) -> bytes:
        """Every CRLF and CR as one LF; a CR at the end counts at once, the LF that may follow it is then left out."""
        if self._after_cr and data[0] == 10:
            data = data[1:]
            self._after_cr = False
            if not data:
                return data
        self._after_cr = data[-1] == 13
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


class Cutter:
    """Bytes of an event stream → the same bytes, cut so that only whole frames are given. Reads nothing else.

    Where `held`, what has come of a frame that is not complete yet, is empty and the bytes end in b"\\n\\n", `feed`
    gives them back as they are: who is in a hurry looks for that first.
    """

    __slots__ = ("_limit", "held")

    def __init__(self, limit: int = LIMIT) -> None:
        self.held = bytearray()
        self._limit = limit

    @property
    def rest(self) -> bytes:
        """What has come of a frame that is not complete yet."""
        return bytes(self.held)

    @property
    def head(self) -> bytes:
        """Its beginning, which tells whether it may be one."""
        return bytes(self.held[:HEAD])

    def feed(self, data: bytes) -> bytes:
        """The frames that are whole now; b"" when none is. Raises ProviderNonsense above the limit."""
        held = self.held
        if not held and data.endswith(b"\n\n"):
            return data
        end = _last_blank(bytes(held[-3:]) + data) - min(len(held), 3)
        if end <= 0:
            held += data
            if len(held) > self._limit:
                raise too_large(self._limit)
            return b""
        if end == len(data):
            whole, tail = data, b""
        else:
            whole, tail = data[:end], data[end:]
        if held:
            whole = bytes(held) + whole
            held.clear()
        held += tail
        return whole


def _last_blank(data: bytes) -> int:
    """Where the last blank line ends, 0 if there is none."""
    if b"\r" not in data:
        return data.rfind(b"\n\n") + 2 if b"\n\n" in data else 0
    if data.endswith(b"\r\n\r\n"):
        return len(data)
    end = 0
    for match in _BLANK.finditer(data):
        end = match.end()
    return end


def frames(data: bytes) -> list[bytes]:
    """Whole frames (as a Cutter gives them) one by one, each with the blank line that ends it; together they are all
    of the data, also where there are blank lines between frames."""
    if b"\r" not in data:
        *blocks, rest = data.split(b"\n\n")
        whole = [block + b"\n\n" for block in blocks]
        return [*whole, rest] if rest else whole
    found = []
    start = 0
    for match in _BLANK.finditer(data):
        found.append(data[start : match.end()])
        start = match.end()
    if start < len(data):
        found.append(data[start:])
    return found


def read_frame(frame: bytes) -> Frame | None:
    """One whole frame, with any line ends → its event; None for comments and frames without data."""
    if b"\r" in frame:
        frame = frame.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    name, content = fields(frame.removeprefix(_BOM))
    return None if content is None else (name, content)


def fields(block: bytes) -> tuple[bytes | None, bytes | None]:
    """The `event` and the joined `data` of a block of lines that end in LF."""
    name: bytes | None = None
    content: bytes | None = None
    for line in block.split(b"\n"):
        if line[:5] == b"data:":
            value = line[6:] if line[5:6] == b" " else line[5:]
            content = value if content is None else content + b"\n" + value
        elif line[:6] == b"event:":
            name = line[7:] if line[6:7] == b" " else line[6:]
        elif line == b"data":
            content = b"" if content is None else content + b"\n"
    return name, content


def is_event_stream(data: bytes) -> bool:
    """Whether these bytes may be the start of an event stream, and are not HTML, JSON or plain text."""
    data = data.removeprefix(_BOM).lstrip(b"\r\n")[:8]
    return _BOM.startswith(data) or any(data.startswith(field[: len(data)]) for field in _FIELDS)


def may_be_error(data: bytes, limit: int = LONGEST_ERROR) -> bool:
    """Whether these bytes may be the start of a JSON object of up to `limit` bytes: an error instead of a stream."""
    return data[:64].lstrip()[:1] == b"{" and len(data) <= limit


def may_begin(held: bytes) -> bool:
    """Whether a stream, or the JSON of an error, may still become of all that came so far: more is waited for."""
    if is_event_stream(held):
        return True
    if not may_be_error(held):
        return False
    if held.rstrip()[-1:] != b"}":
        return True
    try:
        _decode(held)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return True  # not all of it is here
    return False


def instead(data: bytes, what: str) -> dict[str, Any]:
    """The object that came where a reply should have been: `what`. Raises ProviderNonsense where it is none."""
    text = data.strip()
    if not text:
        raise ProviderNonsense("the provider's reply is empty")
    try:
        return _decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        found = "HTML" if text[:1] == b"<" else "not JSON, or breaks off"
        raise ProviderNonsense(f"the provider's reply is {found}, not {what}") from None


def too_large(limit: int) -> ProviderNonsense:
    return ProviderNonsense(f"The provider sent an event of more than {limit} bytes.")


def mended_end(data: bytes) -> bytes:
    """A stream's last frame, whole: the LF of its last CR may be still to come, and nobody waits for it."""
    return data + b"\n" if data.endswith(b"\r") and b"\r\n" in data else data


class Ending(Protocol):
    """What knows of a reply whether it is over."""

    complete: bool


def passed(data: bytes, look: Callable[[bytes], bytes], reply: Ending) -> bytes:
    """What `look` makes of each of these frames, up to the one that completes the reply."""
    kept = []
    for frame in frames(data):
        kept.append(look(frame))
        if reply.complete:
            return mended_end(b"".join(kept))
    return b"".join(kept)


class Lines:
    """Bytes of JSON lines, split anywhere → the lines that are whole, without their ends.

    Format: https://github.com/ndjson/ndjson-spec. Lines may end in LF or CRLF; blank ones are passed over.
    """

    __slots__ = ("_cutter",)

    def __init__(self, limit: int = LIMIT) -> None:
        self._cutter = LineCutter(limit)

    @property
    def rest(self) -> bytes:
        """What has come of a line that is not complete yet: the last one may lack its end."""
        return bytes(self._cutter.held)

    def feed(self, data: bytes) -> list[bytes]:
        """The lines these bytes complete. Raises ProviderNonsense when one is longer than the limit."""
        return lines(self._cutter.feed(data))


class LineCutter:
    """Bytes of JSON lines → the same bytes, cut so that only whole lines are given. Reads nothing else."""

    __slots__ = ("_limit", "held")

    def __init__(self, limit: int = LIMIT) -> None:
        self.held = bytearray()
        self._limit = limit

    def feed(self, data: bytes) -> bytes:
        """The lines that are whole now; b"" when none is. Raises ProviderNonsense above the limit."""
        held = self.held
        if not held and data.endswith(b"\n"):
            return data
        end = data.rfind(b"\n") + 1
        if not end:
            held += data
            if len(held) > self._limit:
                raise too_large(self._limit)
            return b""
        whole = bytes(held) + data[:end] if held else data[:end]
        held[:] = data[end:]
        return whole


def lines(data: bytes) -> list[bytes]:
    """Whole lines (as a LineCutter gives them) one by one, without their ends and without blank ones."""
    return [line for line in (piece.strip() for piece in data.split(b"\n")) if line]
