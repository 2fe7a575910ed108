"""Passes replies of the Messages API on byte for byte and reads what the record needs; a part of `anthropic_messages`.

Stream format: https://docs.claude.com/en/api/messages-streaming.
"""

from __future__ import annotations

from typing import Any, NoReturn

import msgspec

from headgate.core.dialect import Account
from headgate.core.errors import ProviderNonsense
from headgate.dialects.anthropic_messages.errors import refused
from headgate.dialects.anthropic_messages.words import read_usage
from headgate.dialects.framing import (
    Cutter,
    frames,
    instead,
    is_event_stream,
    may_begin,
    mended_end,
    read_frame,
)

_DELTA = b"event: content_block_delta\n"
EVENTS = frozenset(
    {
        b"message_start",
        b"content_block_start",
        b"content_block_delta",
        b"content_block_stop",
        b"message_delta",
        b"message_stop",
        b"ping",
        b"error",
    }
)
"""What the API itself sends; events of other names need not be understood: https://docs.claude.com/en/api/versioning"""
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class _Block(msgspec.Struct, gc=False):
    """Any object: a client's SDK fails on a block that is none."""


class _Message(msgspec.Struct):
    """What a record needs of a whole reply."""

    type: str
    content: list[_Block]
    id: str | None = None
    stop_reason: str | None = None
    usage: dict[str, Any] | None = None


_decode_message = msgspec.json.Decoder(_Message).decode


class StreamRelay(Account):
    """Deltas, the great mass, are known by their first bytes and never decoded."""

    __slots__ = ("_begun", "_cut", "_cutter", "_heard", "_reported")

    def __init__(self) -> None:
        super().__init__()
        self._cutter = Cutter()
        self._cut = self._cutter.feed
        self._begun = False
        self._heard = False
        self._reported: dict[str, Any] = {}

    def feed(self, data: bytes) -> bytes:
        if self.complete:
            return b""
        whole = self._cut(data)
        # a blank line cannot stand inside JSON, so one of them is one frame
        if self.started and whole.startswith(_DELTA) and whole.find(b"\n\n") == len(whole) - 2:
            return whole
        if whole:
            return self._look(whole)
        if not (self._begun or is_event_stream(self._cutter.head)):
            check_start(self._cutter.rest)
        return b""

    def end(self) -> bytes:
        """A reply with its stop reason was at its end: some compatible servers send no message_stop."""
        if not self._begun and not is_event_stream(self._cutter.rest):
            refuse_nonsense(self._cutter.rest)
        if self.finish is not None and self.failed is None:
            self.complete = True
        return b""

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
                self._hear(event[0], event[1])
            if self.complete:
                return mended_end(whole[:passed])
        return whole

    def _hear(self, name: bytes | None, data: bytes) -> None:
        kind = name.decode("ascii", "replace") if name is not None else ""
        if kind in ("content_block_delta", "content_block_start"):
            self.started = True
        elif kind not in ("content_block_stop", "ping"):
            self._hear_event(name, data)

    def _hear_event(self, name: bytes | None, data: bytes) -> None:
        try:
            event = _decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            if data == b"[DONE]" or (self._heard and name is not None and name not in EVENTS):
                return
            raise ProviderNonsense("the provider sent an event that is not JSON") from None
        self._heard = True
        match event.get("type"):
            case "message_start":
                message = event.get("message")
                if isinstance(message, dict):
                    self.id = _word(message.get("id")) or self.id
                    self._hear_usage(message.get("usage"))
            case "content_block_start" | "content_block_delta":  # a server that names no events
                self.started = True
            case "message_delta":
                delta = event.get("delta")
                if isinstance(delta, dict):
                    self.finish = _word(delta.get("stop_reason")) or self.finish
                self._hear_usage(event.get("usage"))
            case "message_stop":
                self.complete = self.failed is None
            case "error":
                self.failed = refused(event, data)

    def _hear_usage(self, found: Any) -> None:
        if isinstance(found, dict):
            self._reported.update((key, value) for key, value in found.items() if value is not None)
            self.usage = read_usage(self._reported)


class WholeRelay(Account):
    """Fed in one piece."""

    __slots__ = ()

    def feed(self, data: bytes) -> bytes:
        """Raises ProviderNonsense for anything but a message, ProviderRefused for an error that came as a 200."""
        message = _whole_message(data)
        self.id = message.id
        self.finish = message.stop_reason
        if message.usage is not None:
            self.usage = read_usage({key: value for key, value in message.usage.items() if value is not None})
        self.started = self.complete = True
        return data

    def end(self) -> bytes:
        if not self.complete:
            refuse_nonsense(b"")
        return b""


def _whole_message(data: bytes) -> _Message:
    try:
        message = _decode_message(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        refuse_nonsense(data)
    if message.type != "message":
        refuse_nonsense(data)
    return message


def check_start(held: bytes) -> None:
    """Raises as soon as what came instead of a stream is known: HTML or text at once, JSON when it is whole.

    Called with all that came so far, while not one frame of it is whole.
    """
    if not may_begin(held):
        refuse_nonsense(held)


def refuse_nonsense(data: bytes) -> NoReturn:
    """Raises what a body that should have been a reply tells: the provider's error, or that it is none."""
    value = instead(data, "a message of the Messages API")
    if value.get("type") == "error" or isinstance(value.get("error"), dict | str):
        raise refused(value, data)
    raise ProviderNonsense("the provider's reply is not what the Messages API promises")


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) else None
