"""Makes of what was said what is kept of it: streams put together, media described, secrets taken out, cut to size."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import Any

import msgspec

from headgate.core.dialect import Dialect
from headgate.core.errors import GatewayError
from headgate.core.events import Event, Failed, Stop
from headgate.core.kept import SIDES, Head
from headgate.dialects.dialect import dialects
from headgate.records.payloads.payload import Cipher, Content, Level, Payload, packed, texts, words
from headgate.records.payloads.waiting import Piece
from headgate.redaction.names.found import Finder
from headgate.redaction.redactor import Redactor, Room

DATA_URL = re.compile(r"data:([^;,]{0,100})(?:;[^,;]{0,100})*;base64,")
ENCODED = re.compile(r"[A-Za-z0-9+/_-]+={0,2}\Z")
MEDIA = 512
"""Letters from which on base64 is taken for a picture, a sound or a file."""
VARIED = 24
"""Different letters that it has at least: a long row of equal ones is text."""
BEGINNINGS = {
    b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif", b"%PDF": "application/pdf",
    b"OggS": "audio/ogg", b"ID3": "audio/mpeg", b"\xff\xfb": "audio/mpeg", b"fLaC": "audio/flac",
    b"PK\x03\x04": "application/zip", b"\x1aE\xdf\xa3": "video/webm", b"\x1f\x8b": "application/gzip",
}  # fmt: skip
UNREADABLE = "it cannot be read, so that nothing could be taken out"
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def _recogniser(kinds: Collection[str]) -> Finder:
    from headgate.redaction.names.recogniser import Recogniser  # weights, which nobody else needs

    return Recogniser(kinds)


class Maker:
    def __init__(self, own: Sequence[str], max_bytes: int, cipher: Cipher | None, names: Collection[str] = ()) -> None:
        """`own`: dialects of the operator's, by their dotted paths; `names`: kinds of names that are taken out, too."""
        self._own = own
        self._max_bytes = max_bytes
        self._cipher = cipher
        self._redactor = Redactor(also=_recogniser(names) if names else None)

    @cached_property
    def _dialects(self) -> Mapping[str, Dialect]:
        """Imported at the first stream: they are many."""
        return {dialect.name: dialect for dialect in dialects(self._own)}

    def payload(self, piece: Piece) -> Payload:
        head = piece.head
        content = self.content(piece)
        size, body = packed(content, self._cipher, head.id)
        level: Level = "full" if head.keep == "full" else "redacted"
        made = Payload(head.id, head.time, level, size, body, head.team, head.data_class)
        if self._cipher is not None:
            made.sealed = self._cipher.sealed
        else:
            made.words = words("\n".join(texts(content)))
        return made

    def content(self, piece: Piece) -> Content:
        head = piece.head
        made = Content(dialect=head.dialect, spoken=head.spoken if piece.sent else "", stream=head.stream)
        answer = piece.answer
        if head.stream and answer:
            whole = self._together(piece, made)
            made.frames = whole is None
            answer = answer if whole is None else whole
        counts: Counter[str] = Counter()
        for side, data in zip(SIDES, (piece.request, piece.sent, answer), strict=True):
            if data:
                setattr(made, side, self._side(side, data, head, made, counts))
        made.redacted = dict(counts)
        return made

    def _together(self, piece: Piece, made: Content) -> bytes | None:
        """A stream as the whole answer that it comes to; None where its dialect cannot tell."""
        dialect = self._dialects.get(piece.head.dialect)
        if dialect is None or dialect.operation == "opaque":
            return None
        try:
            fields = _decode(piece.request) if piece.request[:1] == b"{" else {}
            reader = dialect.reader(True)
            events = [*reader.feed(piece.answer), *reader.end()]
            writer = dialect.writer(False, fields, [])
            said = [event for event in events if not isinstance(event, Failed)]
            ended = [event for event in said if not _cut(event)]
            made.broke_off = len(ended) < len(events)
            if made.broke_off and not any(isinstance(event, Stop) for event in ended):
                ended.append(Stop(reason="length"))  # no dialect has words for a whole answer without an end
            return writer.feed(ended) + writer.end()
        except (GatewayError, msgspec.DecodeError, RecursionError):
            return None

    def _side(self, side: str, data: bytes, head: Head, made: Content, counts: Counter[str]) -> str | None:
        text = self._text(side, data, head, made, counts)
        if text is None:
            made.left_out[side] = UNREADABLE
            return None
        said = text.encode("utf-8", "surrogatepass")
        if len(said) > self._max_bytes:
            text = said[: self._max_bytes].decode("utf-8", "ignore")
        if (len(said) > self._max_bytes or side in head.cut) and side not in made.truncated:
            made.truncated.append(side)
        return text

    def _text(self, side: str, data: bytes, head: Head, made: Content, counts: Counter[str]) -> str | None:
        """None: it cannot be read as what it is, and so nothing can be taken out of it."""
        whole = head.keep == "full" and head.media
        redact = head.keep != "full"
        try:
            value = _decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._other(side, data, head, made, counts)
        told = value if whole else described(value)
        if redact:  # of what is cut off in any case, nothing is looked for: it takes time
            told = self._redactor.value(told, counts, room=self._room(side, made))
        return data.decode() if told == value else _encode(told).decode()

    def _other(self, side: str, data: bytes, head: Head, made: Content, counts: Counter[str]) -> str | None:
        """What is no JSON: text, or bytes, which are described."""
        redact = head.keep != "full"
        try:
            text = data.decode()
        except UnicodeDecodeError:
            if side in head.cut:
                return None if redact else data.decode("utf-8", "ignore")
            return base64.b64encode(data).decode() if not redact and head.media else _description(data, "")
        if not redact:
            return text
        if text.lstrip()[:1] in ("{", "[") or (side == "answer" and made.frames):
            return None
        return self._redactor.text(text, counts, self._room(side, made))

    def _room(self, side: str, made: Content) -> Room:
        return Room(self._max_bytes, lambda: made.truncated.append(side))


def _cut(event: Event) -> bool:
    return isinstance(event, Stop) and event.reason == "cut"


def described(value: Any) -> Any:
    """Decoded JSON, with a description in place of pictures, sounds and files."""
    if isinstance(value, str):
        return _media(value) if len(value) >= MEDIA else value
    if isinstance(value, dict):
        return {name: described(inner) for name, inner in value.items()}
    return [described(inner) for inner in value] if isinstance(value, list) else value


def _media(text: str) -> str:
    url = DATA_URL.match(text)
    encoded = text[url.end() :] if url else text
    if not ENCODED.match(encoded) or len(set(encoded[:4096])) < VARIED:
        return text
    try:
        data = base64.b64decode(encoded + "=" * (-len(encoded) % 4), b"-_" if set("-_") & set(encoded) else None)
    except (ValueError, binascii.Error):
        return text
    return _description(data, url[1] if url else "")


def _description(data: bytes, kind: str) -> str:
    known = kind or next((kind for start, kind in BEGINNINGS.items() if data.startswith(start)), "") or _riff(data)
    return f"[{known}, {len(data)} bytes, sha256:{hashlib.sha256(data).hexdigest()}]"


def _riff(data: bytes) -> str:
    if data[:4] != b"RIFF":
        return "application/octet-stream"
    return {b"WAVE": "audio/wav", b"WEBP": "image/webp"}.get(data[8:12], "application/octet-stream")
