"""Passes replies of the Responses API on as they came; a part of the dialect `openai_responses`.

The events that tell of the response as a whole hold it under the key `response`, those of an error the word `error`:
frames without either are not decoded once the answer has begun. After an `error` event the API sends `response.failed`,
which some clients (Codex) listen to alone, so the stream is over with that one or with its end.

A response says its `instructions` again, and those that went out need not be the client's: a system prompt of whose its
key is may stand before them. The client is told its own. Where it has none, nothing of the gateway's is sent as
`instructions`, and what is said there is the provider's (of a stored prompt).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from headgate.core.dialect import Account
from headgate.core.errors import GatewayError, ProviderNonsense
from headgate.dialects.dialect import members
from headgate.dialects.framing import Cutter, is_event_stream, passed, read_frame
from headgate.dialects.openai_responses.reading import (
    ENDS,
    StreamEvent,
    check_start,
    decode_event,
    finish_of,
    nonsense,
    read_whole,
)
from headgate.dialects.openai_responses.words import CALLS, read_usage, refused_inside

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_QUIET = frozenset({"response.created", "response.in_progress", "response.queued", "keepalive", "ping"})
"""What comes while the provider may still fail."""


class _Account(Account):
    __slots__ = ("_own",)

    def __init__(self, request: Mapping[str, Any]) -> None:
        super().__init__()
        own = request.get("instructions")
        self._own = own if isinstance(own, str) else None

    def _says_other(self, response: dict[str, Any]) -> bool:
        """Whether it says instructions that are not the client's."""
        return self._own is not None and response.get("instructions", self._own) not in (None, self._own)

    def _restored(self, response: bytes) -> bytes:
        """It with the client's instructions, and all else as it was."""
        return _replaced(response, "instructions", _encode(self._own))

    def _hear_end(self, response: dict[str, Any]) -> None:
        usage = response.get("usage")
        if isinstance(usage, dict):
            self.usage = read_usage(usage, response)
        self.finish = finish_of(response)
        self.started = self.complete = True


class WholeRelay(_Account):
    """Fed in one piece."""

    __slots__ = ()

    def feed(self, data: bytes) -> bytes:
        """Raises ProviderNonsense for what is no response, ProviderRefused for one that failed."""
        if self.complete:
            return b""
        response = read_whole(data)
        if not all(isinstance(item, dict) for item in response["output"]):
            raise ProviderNonsense("the provider's response holds an output item that is no object")
        self.id = response["id"] if isinstance(response.get("id"), str) else None
        self._hear_end(response)
        return self._restored(data) if self._says_other(response) else data

    def end(self) -> bytes:
        return b""


class StreamRelay(_Account):
    """A stream."""

    __slots__ = ("_begun", "_cutter", "_error", "_id", "_other", "_watch")

    def __init__(self, request: Mapping[str, Any]) -> None:
        super().__init__(request)
        self._cutter = Cutter()
        self._begun = False
        self._watch = True
        self._id: str | None = None
        self._error: GatewayError | None = None
        self._other = False

    def feed(self, data: bytes) -> bytes:
        if self.complete:
            return b""
        if self._cutter.held or not data.endswith(b"\n\n"):
            data = self._cutter.feed(data)
            if not data:
                if not (self._begun or is_event_stream(self._cutter.head)):
                    check_start(self._cutter.rest)
                return data
        find = data.find  # `in` takes twice as long
        if self._watch or find(b'"response"') >= 0 or find(b'"error"') >= 0:
            return self._look(data)
        return data

    def end(self) -> bytes:
        """Raises ProviderNonsense or ProviderRefused when what came was no stream at all."""
        if self.complete:
            return b""
        rest = self._cutter.rest.strip()
        if not self._begun and rest:
            check_start(rest)
            if rest[:1] == b"{":
                raise nonsense(rest, "a stream was asked for")
        self.failed = self.failed or self._error
        return b""

    def _look(self, data: bytes) -> bytes:
        """Read each of these frames; give those that go on."""
        return passed(data, self._looked_at, self)

    def _looked_at(self, frame: bytes) -> bytes:
        event = read_frame(frame)
        if event is None:
            if not (self._begun or is_event_stream(frame)):
                raise nonsense(frame, "not an event stream")
            return frame
        name, payload = event
        if payload[:6] == b"[DONE]":
            return frame
        self._other = False
        self._inspect(payload)
        if not self._other:
            return frame
        payload = _replaced(payload, "response", self._restored(members(payload)["response"]))
        payload = payload.replace(b"\n", b" ")  # one line, and no string of JSON has one in it
        return (b"" if name is None else b"event: %b\n" % name) + b"data: %b\n\n" % payload

    def _inspect(self, payload: bytes) -> None:
        try:
            event = decode_event(payload)
            self._hear(event, payload)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            if not self._begun:
                raise nonsense(payload, str(error)) from None
            return  # unknown to us, perhaps not to the client
        self._begun = True

    def _hear(self, event: StreamEvent, payload: bytes) -> None:
        kind = event.type
        if event.response:
            response = _decode(event.response)
            if not isinstance(response, dict):
                return
            if self._id is None and isinstance(response.get("id"), str):
                self._id = response["id"]
            self._other = self._says_other(response)
            if kind in ENDS:
                self.id = self._id
                if kind == "response.failed":
                    self.failed = refused_inside(response.get("error"), payload)
                else:
                    self._hear_end(response)
                return
        elif kind == "error" or (not kind and b'"error"' in payload):
            fields = _decode(payload)
            self._error = refused_inside(fields.get("error") or fields, payload)
            if self._watch:  # nothing of the answer has passed: another provider may be asked
                self.failed = self._error
            return
        elif not kind:
            raise nonsense(payload, "an event without a type")
        if kind not in _QUIET:
            self.id = self.id or self._id
            self._begin_answer(kind, event)

    def _begin_answer(self, kind: str, event: StreamEvent) -> None:
        if not self.started:
            self.started = kind.endswith(".delta") or (
                kind == "response.output_item.added" and _kind_of(event.item) in CALLS
            )
        self._watch = not self.started


def _replaced(body: bytes, key: str, value: bytes) -> bytes:
    """A JSON object with another value under a key that it has; the others are the bytes they were."""
    return _encode({**members(body), key: msgspec.Raw(value)})


def _kind_of(item: msgspec.Raw) -> str | None:
    value = _decode(item) if item else None
    kind = value.get("type") if isinstance(value, dict) else None
    return kind if isinstance(kind, str) else None
