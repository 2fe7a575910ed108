"""What is looked at of a request before it goes on, and the request with some of it said otherwise."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from json import detect_encoding
from typing import Any
from urllib.parse import quote_plus, unquote, unquote_plus

import msgspec

from headgate.core.errors import InvalidJSON
from headgate.core.exchange import Exchange
from headgate.core.guard import Passage, Side
from headgate.dialects.dialect import decode, patch
from headgate.dialects.multipart import boundary_of
from headgate.stages.guard.passages import changed, passages, repeats, unescaped, unscored

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
URL = ("model", "stream")
"""Fields that may come from the URL, and that no guard is asked about."""
FORM = b"application/x-www-form-urlencoded"
FORMS = re.compile(rb"([&=])")
TEXTUAL = (b"text/", b"application/json", b"application/x-ndjson", b"application/jsonl", FORM)
CONTROLS = bytes([*range(9), 11, *range(14, 27), *range(28, 32)])
"""Bytes that stand in no text."""
BOM = b"\xef\xbb\xbf"
ODD = {0xDC00 + byte: byte for byte in range(128, 256)}
"""Bytes that are no UTF-8 are read as Latin-1."""
Texts = Mapping[tuple[Any, ...], str]


class Looked:
    """Implements core.body.Body: what would have been passed on unread, and was read."""

    __slots__ = ("again", "data")
    content_type = path = None

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.again = True

    @property
    def length(self) -> int:
        return len(self.data)

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        self.again = False  # what it has done at the provider is not to be done twice
        yield self.data


def restate(exchange: Exchange) -> None:
    """What a stage has changed stands in the fields, too, as it would if the client had said it."""
    if not exchange.edited:
        return
    body = exchange.dialect.write_request(exchange.request, [])
    if isinstance(body, bytes):
        own = {name: exchange.fields[name] for name in URL if name in exchange.fields}
        exchange.body, exchange.fields = body, {**own, **decode(body)}


def said(exchange: Exchange) -> list[Passage]:
    """The passages of a request that has been read."""
    fields = exchange.fields
    return [each for each in passages(fields, "request") if each.path[0] not in URL or len(each.path) > 1]


def restated(exchange: Exchange, texts: Texts) -> None:
    """Have the request say these texts at these places; every other byte stays as it was."""
    own, fields = exchange.fields, changed(exchange.fields, texts)
    changes = {path[0]: fields.get(path[0]) for path in texts}
    changes |= {name: each for name, each in fields.items() if name not in own}  # said under another name now
    if exchange.form is not None:
        exchange.form = exchange.form.patched(changes)
    else:
        exchange.body = patch(exchange.body, changes, own)
    exchange.fields = fields
    exchange._request = exchange._tokens = None


def content_type(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    return next((value for name, value in headers if name == b"content-type"), b"")


def of_url(exchange: Exchange) -> list[Passage]:
    """What a URL says that is forwarded: it can be looked at, but not changed."""
    place = exchange.place
    parts = (place.rest, place.query.replace(b"+", b" ")) if place is not None else ()
    return [Passage(unquote(part.decode("latin-1")), part="other", path=("url",)) for part in parts if part]


class Whole:
    """Some bytes of any kind: JSON, lines of JSON, a form, or text; None of it where it is neither."""

    def __init__(self, data: bytes, content_type: bytes, side: Side) -> None:
        self.passages: list[Passage] = []
        self._reply = side == "reply"
        self._parts: list[bytes] = []
        self._values: dict[int, Any] = {}
        """By part: what it says, where it is JSON."""
        self._places: list[int] = []
        """Of each passage, its part."""
        kind = content_type.strip().lower()
        self._form = kind.startswith(FORM)
        self._textual = kind.startswith(TEXTUAL)
        for part in _parted(data, content_type):
            self._add(part, side)

    def _add(self, part: bytes, side: Side) -> None:
        number = len(self._parts)
        self._parts.append(part)
        if self._form:
            text: str | None = unquote_plus(part.decode("latin-1"))
            value = None
        else:
            text, value = _read(part, self._textual)
        if value is not None:
            if side == "request" and repeats(part, value):
                raise InvalidJSON("a key stands twice in one object, which cannot be guarded; send it once")
            self._values[number] = value
            found = passages(value, side)
        else:
            found = [Passage(text, side, part="other")] if text else []
        self.passages += found
        self._places += [number] * len(found)

    def saying(self, texts: Mapping[int, str]) -> bytes:
        """The bytes with other texts in place of these passages."""
        by_part: dict[int, dict[tuple[Any, ...], str]] = {}
        for index, text in texts.items():
            by_part.setdefault(self._places[index], {})[self.passages[index].path] = text
        parts = list(self._parts)
        for number, said in by_part.items():
            if number in self._values:
                end = parts[number][len(parts[number].rstrip()) :]
                value = changed(self._values[number], said)
                parts[number] = _encode(unscored(value) if self._reply else value) + end
            else:
                parts[number] = quote_plus(said[()]).encode() if self._form else said[()].encode()
        return b"".join(parts)


def _read(part: bytes, textual: bool) -> tuple[str | None, Any]:
    """The text of some bytes, or what they say where they are JSON."""
    if part[:1] in (b"{", b"["):
        try:  # mostly it is; whatever it is else is looked at more closely
            return None, _decode(part)
        except (msgspec.DecodeError, ValueError, RecursionError):
            pass
    encoding = detect_encoding(part)
    if encoding.startswith("utf-8"):
        data = part.removeprefix(BOM)
        like = data.lstrip()[:1] in (b"{", b"[", b'"')
        if not (textual or like) and part.translate(None, CONTROLS) != part:
            return None, None
        try:
            text = data.decode()
        except UnicodeDecodeError:
            text = data.decode("utf-8", "surrogateescape").translate(ODD)
            data = text.encode()
    else:
        try:
            text = part.decode(encoding)
        except UnicodeDecodeError:
            return None, None
        data, like = text.encode(), True
    if not like:
        return text, None
    try:
        value = _decode(data)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return unescaped(text), None
    return None, value


def _parted(data: bytes, content_type: bytes) -> list[bytes]:
    """Pieces that are read each by itself; together they are the data."""
    boundary = boundary_of(content_type) if content_type.lower().startswith(b"multipart/") else None
    if boundary is not None:
        return [piece for part in data.split(b"--" + boundary) for piece in (*_headed(part), b"--" + boundary)][:-1]
    if content_type.strip().lower().startswith(FORM):
        return FORMS.split(data)
    return _lined(data)


def _lined(data: bytes) -> list[bytes]:
    """Lines of JSON each by itself."""
    lines = data.split(b"\n")
    if len(lines) > 1 and all(line.strip()[:1] in (b"{", b"[", b"") for line in lines) and _json(lines[0]):
        return [line + b"\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])
    return [data]


def _headed(part: bytes) -> list[bytes]:
    """A part's headers, and its content."""
    head, blank, content = part.partition(b"\r\n\r\n")
    return [head + blank, *_lined(content)]


def _json(line: bytes) -> bool:
    try:
        _decode(line)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return False
    return True
