"""Passes replies of the Converse API on byte for byte and reads what the record needs; a part of `bedrock_converse`.

Stream format: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html. `metadata`, with
the usage, comes after `messageStop` and is the end.
"""

from __future__ import annotations

from typing import Any, NoReturn

import msgspec

from headgate.core.dialect import Account
from headgate.core.errors import ProviderNonsense
from headgate.dialects.bedrock_converse.words import read_usage
from headgate.dialects.bedrock_errors import failed, refused
from headgate.dialects.event_stream import EventStream, Message
from headgate.dialects.framing import instead

_decode = msgspec.json.Decoder(dict[str, Any]).decode
_PIECES = frozenset({"contentBlockDelta", "contentBlockStart"})
_PLAIN = frozenset({"contentBlockStop", "messageStart"})
NOT_PROMISED = "the provider sent an event that is not what the Converse API promises"


class _Piece(msgspec.Struct, gc=False):
    """Any object: a client's SDK fails on a block that is none."""


class _Said(msgspec.Struct):
    content: list[_Piece]


class _Output(msgspec.Struct):
    message: _Said


class _Reply(msgspec.Struct, rename="camel"):
    """What a record needs of a whole reply."""

    output: _Output
    stop_reason: str
    usage: dict[str, Any] | None = None
    service_tier: Any = None


_decode_reply = msgspec.json.Decoder(_Reply).decode


class StreamRelay(Account):
    """Messages are checked and known by their headers; only the last ones are decoded."""

    __slots__ = ("_measured", "_stream")

    def __init__(self) -> None:
        super().__init__()
        self._stream = EventStream()
        self._measured = False

    def feed(self, data: bytes) -> bytes:
        if self.complete or self.failed is not None:
            return b""
        passed = []
        for message in self._stream.feed(data):
            passed.append(message.raw)
            self._hear(message)
            if self.complete or self.failed is not None:
                break
        return b"".join(passed)

    def end(self) -> bytes:
        """A reply with its stop reason was at its end, even if its usage did not come."""
        if self.finish is not None and self.failed is None:
            self.complete = True
        return b""

    def _hear(self, message: Message) -> None:
        event = message.event
        if message.kind != "event":
            self.failed = failed(message)
        elif event in _PIECES:
            self.started = True
        elif event == "messageStop":
            word = read_event(message).get("stopReason")
            self.finish = word if isinstance(word, str) else "end_turn"
            self.complete = self._measured
        elif event == "metadata":
            fields = read_event(message)
            usage = fields.get("usage")
            if isinstance(usage, dict):
                self.usage = read_usage(usage, fields.get("serviceTier"))
            self._measured = True
            self.complete = self.finish is not None


class WholeRelay(Account):
    """Fed in one piece."""

    __slots__ = ()

    def feed(self, data: bytes) -> bytes:
        """Raises ProviderNonsense for anything but a reply, ProviderRefused for an error that came as a 200."""
        try:
            reply = _decode_reply(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            refuse_nonsense(data)
        self.finish = reply.stop_reason
        if reply.usage is not None:
            self.usage = read_usage(reply.usage, reply.service_tier)
        self.started = self.complete = True
        return data

    def end(self) -> bytes:
        if not self.complete:
            refuse_nonsense(b"")
        return b""


def read_event(message: Message) -> dict[str, Any]:
    """The payload of an event. Raises ProviderNonsense."""
    try:
        return _decode(message.payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise ProviderNonsense(NOT_PROMISED) from None


def refuse_nonsense(data: bytes) -> NoReturn:
    """Raises what a body that should have been a reply tells: the provider's error, or that it is none."""
    value = instead(data, "a reply of the Converse API")
    if "output" not in value and ("__type" in value or isinstance(value.get("message"), str)):
        raise refused(value, data)
    raise ProviderNonsense("the provider's reply is not what the Converse API promises")
