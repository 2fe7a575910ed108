"""Passes replies of the Gemini API on as they came; a part of `gemini_generate`.

Every piece of a stream has the usage so far, so only the last one is read for it, when somebody asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headgate.core.dialect import Account
from headgate.core.errors import GatewayError, ProviderNonsense
from headgate.core.usage import Usage
from headgate.dialects.framing import Cutter, frames, is_event_stream, mended_end, read_frame
from headgate.dialects.gemini_generate.arrays import Elements
from headgate.dialects.gemini_generate.errors import refused
from headgate.dialects.gemini_generate.reading import (
    block_reason,
    candidates_of,
    check_start,
    is_reply,
    nonsense,
    read_piece,
    read_whole,
    usage_of,
)
from headgate.dialects.gemini_generate.words import Fields, finish_word


def _speaks(candidate: Fields) -> bool:
    """Whether there is something of the answer in it."""
    content = candidate.get("content")
    return bool(isinstance(content, dict) and content.get("parts"))


class WholeRelay(Account):
    """A reply in one piece."""

    def feed(self, data: bytes) -> bytes:
        """Raises ProviderNonsense for what is no reply, ProviderRefused for an error with status 200."""
        if self.complete:
            return b""
        piece = read_whole(data)
        self.usage = usage_of(piece, None)
        id = piece.get("responseId")
        self.id = id if isinstance(id, str) else None
        candidates = candidates_of(piece)
        self.finish = finish_word(candidates[0].get("finishReason")) if candidates else block_reason(piece)
        self.started = self.complete = True
        return data

    def end(self) -> bytes:
        return b""


class StreamRelay:
    """A stream, as events or as one array, by what the client asked for and so the provider was asked for."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        self._cutter = Cutter() if request.get("alt") == "sse" else None
        self._elements = Elements()
        self._first = bytearray()
        """What has come before it is known to be an array."""
        self._opened = False
        self._begun = False
        self._finishes: dict[int, str | None] = {}
        self._blocked: str | None = None
        self._last: bytes | None = None
        """The last piece that has a usage, which has not been read yet."""
        self._usage: Usage | None = None
        self.started = False
        self.complete = False
        self.finish: str | None = None
        self.id: str | None = None
        self.failed: GatewayError | None = None

    @property
    def usage(self) -> Usage | None:
        if self._last is not None:
            last, self._last = self._last, None
            try:
                self._usage = usage_of(read_piece(last), self._usage)
            except ProviderNonsense:
                return self._usage
        return self._usage

    @usage.setter
    def usage(self, usage: Usage | None) -> None:
        self._usage, self._last = usage, None

    def feed(self, data: bytes) -> bytes:
        if self.complete or self.failed:
            return b""
        return self._events(self._cutter, data) if self._cutter is not None else self._array(data)

    def _events(self, cutter: Cutter, data: bytes) -> bytes:
        whole = cutter.feed(data)
        if not whole:
            if not (self._begun or is_event_stream(cutter.head)):
                check_start(cutter.rest)
            return whole
        kept = []
        for frame in frames(whole):
            event = read_frame(frame)
            if event is not None:
                self._look(event[1])
            elif not (self._begun or is_event_stream(frame)):
                raise nonsense(frame, "not an event stream")
            kept.append(frame)
            if self.failed:
                return mended_end(b"".join(kept))
        return b"".join(kept)

    def _array(self, data: bytes) -> bytes:
        if not self._opened:
            self._first += data
            data = bytes(self._first)
            self._opened = data.lstrip()[:1] == b"["
            if not self._opened:
                if data.strip():
                    check_start(data)
                return b""
        kept = []
        for element in self._elements.feed(data):
            self._look(element.lstrip(b"[, \t\r\n"))
            kept.append(element)
            if self.failed:
                return b"".join((*kept, b"\n]"))  # nothing follows it
        if self._elements.closed:
            held = bytes(self._elements.held)
            if not self._begun:
                raise nonsense(held, "an empty array")
            self.complete = self._told()
            kept.append(held)
        return b"".join(kept)

    def _told(self) -> bool:
        """Every candidate has said why it finished, or there are none because of the prompt."""
        finishes = self._finishes.values()
        return (bool(finishes) and all(finishes)) or self._blocked is not None

    def _look(self, payload: bytes) -> None:
        """What the record needs of a piece."""
        find = payload.find  # `in` takes twice as long
        quiet = find(b'"finishReason"') < 0 and find(b'"error"') < 0 and find(b'"promptFeedback"') < 0
        if self.started and quiet and find(b'"groundingMetadata"') < 0 and len(self._finishes) == 1:
            if find(b'"usageMetadata"') >= 0:
                self._last = payload
            return
        try:
            piece = read_piece(payload)
        except ProviderNonsense:
            if not self._begun:
                raise
            return  # unknown to us, perhaps not to the client
        if piece.get("error"):
            self.failed = refused(piece, payload)
            return
        if not (self._begun or is_reply(piece)):
            raise nonsense(payload, "no candidates")
        self._begun = True
        self._hear(piece)

    def _hear(self, piece: Fields) -> None:
        if self.id is None and isinstance(piece.get("responseId"), str):
            self.id = piece["responseId"]
        for candidate in candidates_of(piece):
            index = candidate.get("index")
            index = index if type(index) is int and index >= 0 else 0
            finish = finish_word(candidate.get("finishReason"))
            self._finishes[index] = finish or self._finishes.get(index)
            self.started = self.started or _speaks(candidate)
        self._blocked = block_reason(piece) or self._blocked
        self.finish = self._finishes.get(0) or self._blocked
        self._usage = usage_of(piece, self.usage)

    def end(self) -> bytes:
        """Raises ProviderNonsense or ProviderRefused when what came was no stream at all."""
        if self.complete or self.failed:
            return b""
        if self._cutter is None:
            if not self._opened and self._first.strip():
                raise nonsense(bytes(self._first), "an array was asked for")
            return b""
        return self._end_events(self._cutter.rest)

    def _end_events(self, rest: bytes) -> bytes:
        if not self._begun and rest.strip() and not is_event_stream(rest):
            check_start(rest)
            raise nonsense(rest, "a stream was asked for")
        owed = b"" if rest.strip() else rest
        bare = rest.lstrip()[:1] == b"{"  # an error, without an event around it
        event = (None, rest) if bare else read_frame(rest) if rest.strip() else None
        if event is not None:  # a last event without the blank line after it
            try:
                read_piece(event[1])
            except ProviderNonsense:
                return b""  # cut in its middle
            self._look(event[1])
            owed = rest if bare else mended_end(rest).rstrip(b"\r\n") + b"\r\n\r\n"
        self.complete = self._told() and not self.failed
        return owed if self.complete or self.failed else b""
