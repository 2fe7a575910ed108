"""Passes replies of Cohere's v2 chat on byte for byte and reads what the record needs; a part of `cohere_chat`.

Stream format: https://docs.cohere.com/docs/streaming.
"""

from __future__ import annotations

from typing import Any, NoReturn

import msgspec

from headgate.core.dialect import Account
from headgate.core.errors import ProviderNonsense
from headgate.dialects.cohere_chat.words import read_usage
from headgate.dialects.cohere_errors import inside, refused
from headgate.dialects.framing import (
    Cutter,
    frames,
    instead,
    is_event_stream,
    may_begin,
    mended_end,
    read_frame,
)

_DELTA = b"event: content-delta\n"
_DONE = b"data: [DONE]\n\n"
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class _Message(msgspec.Struct):
    content: list[Any] | None = None
    tool_calls: list[Any] | None = None


class _Reply(msgspec.Struct):
    """What a record needs of a whole reply."""

    message: _Message
    id: Any = None
    finish_reason: Any = None
    usage: Any = None


_decode_reply = msgspec.json.Decoder(_Reply).decode


class StreamRelay(Account):
    """Deltas of content, the great mass, are known by their first bytes and never decoded."""

    __slots__ = ("_begun", "_cutter")

    def __init__(self) -> None:
        super().__init__()
        self._cutter = Cutter()
        self._begun = False

    def feed(self, data: bytes) -> bytes:
        if self.complete:
            return b""
        whole = self._cutter.feed(data)
        # a blank line cannot stand inside JSON, so one of them is one frame
        if self.started and whole.startswith(_DELTA) and whole.find(b"\n\n") == len(whole) - 2:
            return whole
        if whole:
            return self._look(whole)
        if not (self._begun or is_event_stream(self._cutter.head)):
            check_start(self._cutter.rest)
        return b""

    def end(self) -> bytes:
        """A reply with its `message-end` was at its end: `[DONE]` is no part of the vendor's documented format."""
        if self.complete:
            return b""
        rest = self._cutter.rest
        if not self._begun and not is_event_stream(rest):
            refuse_nonsense(rest)
        self.complete = self.finish is not None and self.failed is None
        return _DONE if self.complete and rest.strip() in (b"data: [DONE]", b"data:[DONE]") else b""

    def _look(self, whole: bytes) -> bytes:
        if not self._begun:
            if not is_event_stream(whole):
                refuse_nonsense(whole)
            self._begun = True
        passed = 0
        for frame in frames(whole):
            passed += len(frame)
            if frame.startswith(_DELTA):
                self.started = True
                continue
            event = read_frame(frame)
            if event is not None:
                self._hear(event[1])
            if self.complete:
                return mended_end(whole[:passed])
        return whole

    def _hear(self, data: bytes) -> None:
        if data[:6] == b"[DONE]":
            if self.finish is None and self.failed is None:
                raise ProviderNonsense("the provider's stream ended without a message-end")
            self.complete = self.failed is None
            return
        try:
            event = _decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            raise ProviderNonsense("the provider sent an event that is not JSON") from None
        kind = event.get("type")
        if kind == "message-start":
            self.id = _word(event.get("id")) or self.id
        elif kind == "message-end":
            delta = event.get("delta")
            if not isinstance(delta, dict):
                delta = {}
            usage = delta.get("usage")
            if isinstance(usage, dict) and usage:
                self.usage = read_usage(usage)
            self.finish = _word(delta.get("finish_reason")) or "COMPLETE"
            if self.finish == "ERROR" or delta.get("error"):
                self.failed = inside(delta, data)
        elif kind in ("content-delta", "content-start", "tool-plan-delta", "tool-call-start"):
            self.started = True


class WholeRelay(Account):
    """Fed in one piece."""

    __slots__ = ()

    def feed(self, data: bytes) -> bytes:
        """Raises ProviderNonsense for anything but a reply, ProviderRefused for an error that came as a 200."""
        try:
            reply = _decode_reply(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            refuse_nonsense(data)
        self.id = _word(reply.id)
        self.finish = _word(reply.finish_reason)
        if self.finish == "ERROR":
            raise inside(_decode(data), data)
        if isinstance(reply.usage, dict):
            self.usage = read_usage(reply.usage)
        self.started = self.complete = True
        return data

    def end(self) -> bytes:
        if not self.complete:
            refuse_nonsense(b"")
        return b""


def check_start(held: bytes) -> None:
    """Raises as soon as what came instead of a stream is known: HTML or text at once, JSON when it is whole.

    Called with all that came so far, while not one frame of it is whole.
    """
    if not may_begin(held):
        refuse_nonsense(held)


def refuse_nonsense(data: bytes) -> NoReturn:
    """Raises what a body that should have been a reply tells: the provider's error, or that it is none."""
    value = instead(data, "a reply of Cohere's chat")
    if isinstance(value.get("message"), str) or value.get("error"):
        raise refused(502, value, data)
    raise ProviderNonsense("the provider's reply is not what Cohere's chat promises")


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) else None
