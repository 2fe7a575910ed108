"""A stream that is one JSON array, cut into its elements; a part of `gemini_generate`.

`streamGenerateContent` without `alt=sse` answers so, an element at a time.
"""

from __future__ import annotations

import re

from headgate.dialects.framing import LIMIT, too_large

_MARKS = re.compile(rb'["{}\[\]]')
_QUOTE = re.compile(rb'"|\\')


class Elements:
    """Bytes of an array of objects, split anywhere → its elements, each with what stands before it.

    So the pieces joined, and the bytes after the last element, are the bytes that came. Brackets are counted and
    strings passed over; whether an element is JSON is for who reads it.
    """

    __slots__ = ("_depth", "_escape", "_limit", "_string", "closed", "held")

    def __init__(self, limit: int = LIMIT) -> None:
        self.held = bytearray()
        """What has come since the last whole element."""
        self.closed = False
        """The array's own end has come: `held` is what stands before it, and it."""
        self._limit = limit
        self._depth = 0
        self._string = False
        self._escape = False

    def feed(self, data: bytes) -> list[bytes]:
        """The elements these bytes complete. Raises ProviderNonsense above the limit."""
        if self.closed or not data:
            return []
        whole: list[bytes] = []
        start = at = 0
        while at < len(data):
            at = self._past_string(data, at) if self._string else self._next(data, at)
            if self.closed:
                break
            if at and self._depth == 1 and not self._string and data[at - 1 : at] in (b"}", b"]"):
                whole.append(bytes(self.held) + data[start:at])
                self.held.clear()
                start = at
        self.held += data[start:at]
        if len(self.held) > self._limit:
            raise too_large(self._limit)
        return whole

    def _next(self, data: bytes, at: int) -> int:
        """Past the next bracket or the start of a string."""
        found = _MARKS.search(data, at)
        if found is None:
            return len(data)
        mark = found[0]
        if mark == b'"':
            self._string = True
        elif mark in (b"{", b"["):
            self._depth += 1
        else:
            self._depth -= 1
            self.closed = self._depth <= 0
        return found.end()

    def _past_string(self, data: bytes, at: int) -> int:
        """Past the end of the string we are in, or all of the data; an escape may be cut in two."""
        if self._escape:
            self._escape = False
            at += 1
        while at < len(data):
            found = _QUOTE.search(data, at)
            if found is None:
                break
            if found[0] == b'"':
                self._string = False
                return found.end()
            at = found.end() + 1
            self._escape = at > len(data)
        return len(data)
