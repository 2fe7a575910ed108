"""A multipart form: where in its bytes each field and file stands, so that it can be sent on as it came."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple, Protocol

import msgspec

from headgate.core.errors import InvalidRequest

PIECE = 64 * 1024
"""Bytes that are read of a stored body at a time."""


class Store(Protocol):
    """A body's bytes, kept for as long as its exchange lasts."""

    size: int

    def read(self, start: int, end: int) -> bytes:
        """The bytes from `start` up to `end`."""

    def hold(self) -> None:
        """Somebody else needs it, too: it is there until each has closed it."""

    def close(self) -> None:
        """It is not needed any more."""


class Part(NamedTuple):
    """One field or file of a form. Offsets are those of the whole body."""

    name: str
    line: int
    """Where its delimiter line (`--boundary`) begins."""
    start: int
    """Where its content begins."""
    end: int
    """Where its content ends: the line break before the next delimiter."""
    text: str | None = None
    """A field's content; None for a file."""
    filename: str | None = None
    content_type: str | None = None


class File:
    """A file of a form, or any run of stored bytes, as a body of its own."""

    __slots__ = ("_digest", "_end", "_start", "_store", "content_type", "media_type", "name", "path")
    again = True

    def __init__(
        self, store: Store, start: int, end: int, name: str, media_type: str | None, path: str | None = None
    ) -> None:
        self._store = store
        self._start = start
        self._end = end
        self._digest: str | None = None
        self.name = name
        """The file's name as the client gave it: never the name of a file here."""
        self.media_type = media_type
        """As the client said it; None where it did not."""
        self.content_type = (media_type or "application/octet-stream").encode("latin-1", "replace")
        self.path = path

    def at(self, path: str, content_type: str | None = None) -> File:
        """The same bytes as a body for an address of its own."""
        return File(self._store, self._start, self._end, self.name, content_type or self.media_type, path)

    @property
    def length(self) -> int:
        return self._end - self._start

    def part(self, start: int, end: int) -> bytes:
        """Some of it; offsets are its own."""
        return self._store.read(self._start + start, min(self._start + end, self._end))

    def read(self) -> bytes:
        """All of it, for the few who must hold it."""
        return self._store.read(self._start, self._end)

    def digest(self) -> str:
        """A hash of all of it, for which it is read once."""
        if self._digest is None:
            found = blake2b(digest_size=32)
            for start in range(self._start, self._end, PIECE):
                found.update(self._store.read(start, min(start + PIECE, self._end)))
            self._digest = found.hexdigest()
        return self._digest

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        for start in range(self._start, self._end, PIECE):
            yield self._store.read(start, min(start + PIECE, self._end))


Span = tuple[int, int]


class Form:
    """A form as a body: runs of the bytes that came, and what is said in place of others."""

    __slots__ = ("_boundary", "_changes", "_close", "_runs", "_store", "content_type", "parts")
    again = True
    path = None

    def __init__(self, store: Store, parts: Sequence[Part], close: int, boundary: bytes, content_type: bytes) -> None:
        """`close`: where the delimiter after the last part begins; `content_type`: the client's, with its boundary."""
        self._store = store
        self._close = close
        self._boundary = boundary
        self.parts = parts
        self.content_type = content_type
        self._runs: list[Span | bytes] = [(0, store.size)]
        self._changes: Mapping[str, Any] = {}

    @property
    def length(self) -> int:
        return sum(len(run) if isinstance(run, bytes) else run[1] - run[0] for run in self._runs)

    @property
    def store(self) -> Store:
        """Where its bytes are."""
        return self._store

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        for run in self._runs:
            if isinstance(run, bytes):
                yield run
                continue
            for start in range(run[0], run[1], PIECE):
                yield self._store.read(start, min(start + PIECE, run[1]))

    def fields(self) -> dict[str, Any]:
        """Texts and `File`s by name; names that end in `[]` without it, as lists, and so are files of one name.

        Raises InvalidRequest for a text field that stands twice: of two values servers differ in which they take.
        """
        found: dict[str, Any] = {}
        listed: set[str] = set()
        for part in self.parts:
            name = part.name.removesuffix("[]")
            value: Any = part.text
            if value is None:
                value = File(self._store, part.start, part.end, part.filename or "", part.content_type)
            if part.name != name:
                if name in found and name not in listed:
                    raise twice(name)
                listed.add(name)
                found.setdefault(name, []).append(value)
            elif name not in found:
                found[name] = value
            elif part.text is None and name not in listed and not isinstance(found[name], str):
                files = found[name]
                found[name] = [*files, value] if isinstance(files, list) else [files, value]
            else:
                raise twice(name)
        return found

    def patched(self, changes: Mapping[str, Any]) -> Form:
        """The form with these fields said otherwise, or taken out (None); every other byte stays as it was."""
        if not changes:
            return self
        changes = {**self._changes, **changes}  # what was said otherwise before stays so
        runs: list[Span | bytes] = []
        kept = 0
        done = set()
        for part in self.parts:
            name = part.name.removesuffix("[]")
            if name not in changes:
                continue
            value = changes[name]
            if value is None or isinstance(value, list) or name in done or part.text is None:
                runs.append((kept, part.line))
                kept = part.end + 2
            else:
                runs += ((kept, part.start), said(value))
                kept = part.end
                done.add(name)
        runs.append((kept, self._close))
        for name, value in changes.items():
            if value is not None and name not in done:
                many = isinstance(value, list)
                runs += [self._field(f"{name}[]" if many else name, each) for each in (value if many else [value])]
        runs.append((self._close, self._store.size))
        form = Form(self._store, self.parts, self._close, self._boundary, self.content_type)
        form._runs, form._changes = runs, changes
        return form

    def _field(self, name: str, value: Any) -> bytes:
        return b'--%b\r\ncontent-disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (
            self._boundary,
            name.encode(),
            said(value),
        )


class Written:
    """A form of the gateway's own: texts, lists of texts (`name[]`) and files, and pairs where a name stands again."""

    __slots__ = ("_pieces", "_said", "content_type", "path")
    again = True

    def __init__(self, fields: Mapping[str, Any] | Sequence[tuple[str, Any]], path: str | None = None) -> None:
        self.path = path
        boundary = b"headgate-" + secrets.token_hex(16).encode()
        self.content_type = b"multipart/form-data; boundary=" + boundary
        self._said = list(fields.items() if isinstance(fields, Mapping) else fields)
        self._pieces: list[bytes | File] = []
        for name, value in self._said:
            many = isinstance(value, list)
            for each in value if many else [value]:
                if isinstance(each, File):
                    self._pieces += [_head(boundary, name, each), each, b"\r\n"]
                else:
                    self._pieces += [_head(boundary, f"{name}[]" if many else name), said(each), b"\r\n"]
        self._pieces.append(b"--" + boundary + b"--\r\n")

    def fields(self) -> dict[str, Any]:
        """What it says, but for the files; of a name that stands more than once the first."""
        return {name: value for name, value in reversed(self._said) if not _is_file(value)}

    def patched(self, changes: Mapping[str, Any]) -> Written:
        """The form with these fields said otherwise, or taken out (None)."""
        kept = [(name, value) for name, value in self._said if name.removesuffix("[]") not in changes]
        texts = [(name, value) for name, value in kept if not _is_file(value)]
        files = [(name, value) for name, value in kept if _is_file(value)]
        said = [(name, value) for name, value in changes.items() if value is not None]
        return Written([*texts, *said, *files], self.path)

    @property
    def length(self) -> int:
        return sum(len(piece) if isinstance(piece, bytes) else piece.length for piece in self._pieces)

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        for piece in self._pieces:
            if isinstance(piece, bytes):
                yield piece
            else:
                async for part in piece.pieces():
                    yield part


def _is_file(value: Any) -> bool:
    return isinstance(value, File) or (isinstance(value, list) and any(isinstance(each, File) for each in value))


def _head(boundary: bytes, name: str, file: File | None = None) -> bytes:
    """A part's delimiter and headers; of a name only what cannot break out of them (WHATWG's form encoding)."""
    lines = f'--{boundary.decode()}\r\ncontent-disposition: form-data; name="{_quoted(name)}"'
    if file is not None:
        kind = file.content_type.decode("latin-1")
        lines += f'; filename="{_quoted(file.name or "file")}"\r\ncontent-type: {kind}'
    return lines.encode() + b"\r\n\r\n"


def _quoted(text: str) -> str:
    for raw, escaped in (('"', "%22"), ("\r", "%0D"), ("\n", "%0A"), ("\\", "%5C")):
        text = text.replace(raw, escaped)
    return text


def said(value: Any) -> bytes:
    """A field's value as text: JSON's spelling of all that is not text."""
    return value.encode() if isinstance(value, str) else msgspec.json.encode(value)


def twice(name: str) -> InvalidRequest:
    return InvalidRequest(f"the field {name[:80]!a} stands twice in the form; send it once", param=name[:80])
