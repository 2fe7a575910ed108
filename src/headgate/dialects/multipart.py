"""Reads multipart/form-data as it comes, strictly: what is read here is what any provider will read.

https://www.rfc-editor.org/rfc/rfc7578 and https://www.rfc-editor.org/rfc/rfc2046#section-5.1. What these leave open,
or what parsers are known to differ in (a preamble, folded headers, padding after a boundary, two names of one part),
is refused and not guessed: a proxy that reads another `model` than the provider behind it checks nothing.
"""

from __future__ import annotations

import re

from headgate.core.errors import InvalidRequest, TooLarge
from headgate.core.form import Part

HEADER_BYTES = 8 * 1024
"""Of the headers of one part."""
HEADERS = 16
PARTS = 200
TEXT_BYTES = 1 << 20
"""Of all text fields together; they are held in memory, files are not."""

_BOUNDARY = re.compile(rb"[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]")
_PARAMETER = re.compile(rb';[ \t]*([!#$%&\'*+\-.^_`|~0-9A-Za-z]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s";,]+))[ \t]*')
_HEADER = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*(.*?)[ \t]*")
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_TRANSPARENT = (b"binary", b"8bit", b"7bit")
_UTF8 = (b"utf-8", b"utf8", b"us-ascii", b"ascii")

_DELIMITER, _HEAD, _CONTENT, _EPILOGUE = range(4)


def boundary_of(content_type: bytes) -> bytes | None:
    """The boundary a content type names; None where it is no multipart/form-data. Raises InvalidRequest."""
    kind, semicolon, rest = content_type.partition(b";")
    if kind.strip().lower() != b"multipart/form-data":
        return None
    found = [value for name, value in _parameters(semicolon + rest, "the content type") if name == b"boundary"]
    if len(found) != 1 or _BOUNDARY.fullmatch(found[0]) is None:
        raise InvalidRequest("the content type multipart/form-data must name one boundary of up to 70 characters")
    return found[0]


class Parser:
    """Bytes of a form, split anywhere → `parts`, with the offsets of their contents. One instance reads one form.

    Nothing of a file is kept but what may be the beginning of a delimiter.
    """

    def __init__(self, boundary: bytes) -> None:
        self._mark = b"\r\n--" + boundary
        # As if a line break came before the body: the first delimiter is then like all others
        self._held = bytearray(b"\r\n")
        self._at = -2
        self._state = _DELIMITER
        self._part: Part | None = None
        self._text: list[bytes] = []
        self._texts = 0
        self.parts: list[Part] = []
        self.close = 0
        """Where the last delimiter begins."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes. Raises InvalidRequest, or TooLarge above a limit."""
        self._held += data
        while self._step():
            pass

    def end(self) -> list[Part]:
        """The bytes are over. Raises InvalidRequest when the form had not come to its end."""
        if self._state != _EPILOGUE:
            raise InvalidRequest("the form ends before its closing boundary; was the body cut off?")
        return self.parts

    def _step(self) -> bool:
        """One step forward; False when more bytes are needed."""
        if self._state == _CONTENT:
            return self._content()
        if self._state == _DELIMITER:
            return self._delimiter()
        if self._state == _HEAD:
            return self._head()
        if bytes(self._held) not in (b"", b"\r", b"\r\n"):
            raise InvalidRequest("bytes follow the form's closing boundary")
        return False

    def _take(self, count: int) -> bytes:
        taken = bytes(self._held[:count])
        del self._held[:count]
        self._at += count
        return taken

    def _delimiter(self) -> bool:
        """At what must be a delimiter, with the line break before it."""
        mark, held = self._mark, self._held
        start = bytes(held[: len(mark)])
        if start != mark[: len(start)]:
            raise InvalidRequest("the form does not begin with the boundary that its content type names")
        after = bytes(held[len(mark) : len(mark) + 2])
        if len(after) < 2:
            if after not in (b"", b"\r", b"-"):
                raise self._no_boundary()
            return False
        line = self._at + 2
        if after == b"--":
            self.close = line
            self._state = _EPILOGUE
        elif after == b"\r\n":
            if len(self.parts) >= PARTS:
                raise TooLarge(f"the form has more than {PARTS} parts; send fewer")
            self._part = Part("", line, 0, 0)
            self._state = _HEAD
        else:
            raise self._no_boundary()
        self._take(len(mark) + 2)
        return True

    def _no_boundary(self) -> InvalidRequest:
        return InvalidRequest("a line of the form begins with its boundary and goes on; choose another boundary")

    def _head(self) -> bool:
        held = self._held
        end = 0 if held[:2] == b"\r\n" else held.find(b"\r\n\r\n", 0, HEADER_BYTES + 4)
        if end < 0:
            if len(held) >= HEADER_BYTES + 4:
                raise TooLarge(f"the headers of a part of the form are larger than {HEADER_BYTES} bytes")
            return False
        head = self._take(end + 4 if end else 2)[:end]
        assert self._part is not None
        name, filename, kind = _read_head(head)
        text = "" if filename is None else None
        self._part = self._part._replace(name=name, filename=filename, content_type=kind, text=text, start=self._at)
        self._text.clear()
        self._state = _CONTENT
        return True

    def _content(self) -> bool:
        part, held, mark = self._part, self._held, self._mark
        assert part is not None
        found = held.find(mark)
        if found < 0:
            # keep what may be a delimiter's beginning
            safe = len(held) - len(mark) + 1
            if safe > 0:
                self._keep(part, self._take(safe))
            return False
        self._keep(part, self._take(found))
        if part.text is not None:
            part = part._replace(text=_decoded(b"".join(self._text), part.name))
        self.parts.append(part._replace(end=self._at))
        self._part = None
        self._state = _DELIMITER
        return True

    def _keep(self, part: Part, data: bytes) -> None:
        """Of a field its content; of a file nothing."""
        if part.text is None:
            return
        self._texts += len(data)
        if self._texts > TEXT_BYTES:
            raise TooLarge(
                f"the form's text fields are larger than {TEXT_BYTES} bytes (a file's part needs a `filename`)",
                param=part.name[:80],
            )
        self._text.append(data)


def _read_head(head: bytes) -> tuple[str, str | None, str | None]:
    """A part's headers → its name, its file's name (None for a field), its content type."""
    disposition = kind = None
    lines = head.split(b"\r\n") if head else []
    if len(lines) > HEADERS:
        raise TooLarge(f"a part of the form has more than {HEADERS} headers")
    for line in lines:
        header = _HEADER.fullmatch(line)
        if header is None or _CONTROL.search(line):
            raise InvalidRequest("a header of the form is malformed")
        name, value = header[1].lower(), header[2]
        if name == b"content-disposition":
            if disposition is not None:
                raise InvalidRequest("a part of the form has two content-disposition headers")
            disposition = value
        elif name == b"content-type":
            if kind is not None:
                raise InvalidRequest("a part of the form has two content-type headers")
            kind = value
        elif name == b"content-transfer-encoding" and value.lower() not in _TRANSPARENT:
            raise InvalidRequest("a part of the form has a content-transfer-encoding; send its bytes as they are")
    if disposition is None:
        raise InvalidRequest("a part of the form has no content-disposition header")
    found, filename = _read_disposition(disposition)
    if kind is not None and filename is None:
        _check_charset(kind, found)
    return found, filename, kind.decode("latin-1") if kind is not None else None


def _read_disposition(value: bytes) -> tuple[str, str | None]:
    kind, semicolon, rest = value.partition(b";")
    if kind.strip().lower() != b"form-data":
        raise InvalidRequest("a part's content-disposition must be form-data")
    given = _parameters(semicolon + rest, "a part's content-disposition")
    found = dict(given)
    if len(found) != len(given):
        raise InvalidRequest("a part's content-disposition says something twice")
    name = found.get(b"name")
    if not name or b"\\" in name or b"name*" in found:
        raise InvalidRequest("each part of the form needs one `name` without backslashes")
    filename = found.get(b"filename", found.get(b"filename*"))
    return _decoded(name, "name"), None if filename is None else filename.decode("utf-8", "replace")


def _parameters(text: bytes, where: str) -> list[tuple[bytes, bytes]]:
    """`; name=value; name="value"` → pairs, names in lower case; what is quoted stays escaped."""
    found = []
    at = 0
    while at < len(text):
        match = _PARAMETER.match(text, at)
        if match is None:
            if not text[at:].strip(b"; \t"):
                break
            raise InvalidRequest(f"{where} is malformed")
        found.append((match[1].lower(), match[2] if match[2] is not None else match[3]))
        at = match.end()
    return found


def _check_charset(kind: bytes, name: str) -> None:
    for parameter, value in _parameters(b";" + kind.partition(b";")[2], f"the content type of {name[:80]!a}"):
        if parameter == b"charset" and value.lower() not in _UTF8:
            raise InvalidRequest(f"the field {name[:80]!a} is not in UTF-8; send it so", param=name[:80])


def _decoded(data: bytes, name: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidRequest(f"the field {name[:80]!a} of the form is not UTF-8", param=name[:80]) from None
