"""Reads replies of Ollama, of both its ways to ask, into events; a part of `ollama_chat`.

Format: https://docs.ollama.com/api/chat and https://docs.ollama.com/api/generate. A line of a stream and a whole reply
have the same shape. A call of a tool comes whole; one without an id gets one of the reply's moment and the call's
place, so that no other turn's is the same.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from headgate.core.events import (
    Event,
    Failed,
    Native,
    Start,
    Stop,
    StopReason,
    Text,
    Thinking,
    ToolCall,
    ToolInput,
    Used,
)
from headgate.dialects.framing import Lines
from headgate.dialects.ollama_chat.errors import inside
from headgate.dialects.ollama_chat.relaying import check_start, decode, is_line, nonsense, refuse_unfinished
from headgate.dialects.ollama_chat.words import COUNTS, REASONS, read_usage, seconds_of

_KNOWN = frozenset({"model", "created_at", "message", "response", "thinking", "done", "done_reason", "logprobs"})
_MESSAGE = frozenset({"role", "content", "thinking", "tool_calls"})
_DIGITS = re.compile(r"\D")
_encode = msgspec.json.Encoder().encode


class Reader:
    """Bytes of a reply → events. Lines that cannot be decoded raise ProviderNonsense."""

    __slots__ = ("_block", "_blocks", "_body", "_calls", "_dialect", "_kind", "_lines", "_moment", "_over", "_started")

    def __init__(self, stream: bool, dialect: str) -> None:
        self._lines = Lines() if stream else None
        self._body = bytearray()
        self._dialect = dialect
        self._started = False
        self._over = False
        self._moment = ""
        self._kind = ""
        self._block = 0
        self._blocks = 0
        self._calls = 0

    def feed(self, data: bytes) -> list[Event]:
        if self._lines is None:
            self._body += data
            return []
        events: list[Event] = []
        for line in self._lines.feed(data):
            if self._over:
                break
            self._line(line, events)
        if not self._over:
            check_start(self._lines.rest, self._started)
        return events

    def end(self) -> list[Event]:
        events: list[Event] = []
        if self._over:
            return events
        if self._lines is None:
            self._whole(bytes(self._body), events)
            return events
        rest = self._lines.rest
        if is_line(rest, self._started):
            self._line(rest.strip(), events)
        if not self._over:
            self._over = True
            events.append(Stop(reason="cut"))
        return events

    def _whole(self, body: bytes, events: list[Event]) -> None:
        self._line(body, events)
        if isinstance(events[-1], Failed):
            raise events[-1].error
        if not self._over:
            refuse_unfinished()

    def _line(self, line: bytes, events: list[Event]) -> None:
        value = decode(line)
        if value.get("error"):
            self._over = True
            events.append(Failed(error=inside(value, line)))
            return
        message = value.get("message")
        if not isinstance(message, dict):
            if "response" not in value:
                raise nonsense(line)
            message = {"content": value["response"], "thinking": value.get("thinking")}
        if not self._started:
            self._start(value, events)
        self._piece(message, value.get("logprobs"), events)
        if value.get("done") is True:
            self._finish(value, message, events)

    def _start(self, value: dict[str, Any], events: list[Event]) -> None:
        self._started = True
        model, moment = value.get("model"), value.get("created_at")
        self._moment = _DIGITS.sub("", moment) if isinstance(moment, str) else ""
        events.append(Start(model=model if isinstance(model, str) else "", created=seconds_of(moment)))

    def _piece(self, message: dict[str, Any], logprobs: Any, events: list[Event]) -> None:
        thought, text, calls = message.get("thinking"), message.get("content"), message.get("tool_calls")
        if thought and isinstance(thought, str):
            events.append(Thinking(text=thought, block=self._of("thinking")))
        scores = [entry for entry in map(_entry, logprobs) if entry] if isinstance(logprobs, list) else []
        if isinstance(text, str) and (text or scores):
            events.append(Text(text=text, logprobs=scores or None, block=self._of("text")))
        for call in calls if isinstance(calls, list) else ():
            if isinstance(call, dict):
                self._call(call, events)

    def _of(self, kind: str) -> int:
        """The block of a piece of this kind: the open one, or a new one where another kind was open."""
        if self._kind != kind or kind == "call":
            self._kind = kind
            self._block = self._blocks
            self._blocks += 1
        return self._block

    def _call(self, call: dict[str, Any], events: list[Event]) -> None:
        function = call.get("function")
        function = function if isinstance(function, dict) else {}
        id, name, given = call.get("id"), function.get("name"), function.get("arguments")
        block = self._of("call")
        if not isinstance(id, str) or not id:
            id = f"call_{self._moment}_{self._calls}"
        self._calls += 1
        events.append(ToolCall(id=id, name=name if isinstance(name, str) else "", block=block))
        text = given if isinstance(given, str) else _encode({} if given is None else given).decode()
        events.append(ToolInput(json=text or "{}", block=block))

    def _finish(self, value: dict[str, Any], message: dict[str, Any], events: list[Event]) -> None:
        self._over = True
        usage = read_usage(value)
        if usage.reported:
            events.append(Used(usage=usage))
        native = {key: item for key, item in value.items() if key not in _KNOWN | set(COUNTS) and item is not None}
        for key, item in message.items():
            if key not in _MESSAGE and item:
                events.append(Native(dialect=self._dialect, name=key, value=item, block=self._of(key)))
        word = value.get("done_reason")
        word = word if isinstance(word, str) and word else None
        reason: StopReason = REASONS.get(word or "stop", "stop")
        if reason == "stop" and self._calls:
            reason = "tool_use"
        events.append(Stop(reason=reason, vendor=word, native=native))


def _entry(found: Any) -> dict[str, Any] | None:
    """An entry of `logprobs` with all the fields OpenAI's have."""
    if not isinstance(found, dict) or not isinstance(found.get("token"), str):
        return None
    return {"bytes": list(found["token"].encode("utf-8", "surrogatepass")), "top_logprobs": [], **found}
