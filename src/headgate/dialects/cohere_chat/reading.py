"""Reads replies of Cohere's v2 chat into events; a part of `cohere_chat`.

Formats: https://docs.cohere.com/reference/chat and https://docs.cohere.com/docs/streaming. A whole reply gives the
events of the same reply streamed, its citations after what they stand at. The `tool_plan` is text that comes before
tool calls; a `Native` named "tool_plan" before it tells of what block it is. `logprobs` become OpenAI's entries, one
for each piece of text, with the ids and values of its tokens beside.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from headgate.core.errors import ProviderNonsense
from headgate.core.events import (
    Citation,
    Event,
    Failed,
    Native,
    Start,
    Stop,
    Text,
    Thinking,
    ToolCall,
    ToolInput,
    Used,
)
from headgate.dialects.cohere_chat.relaying import WholeRelay, refuse_nonsense
from headgate.dialects.cohere_chat.words import DIALECT, REASONS, member, read_usage
from headgate.dialects.cohere_errors import inside
from headgate.dialects.framing import EventStream, is_event_stream, may_be_error

_KNOWN = frozenset({"id", "finish_reason", "message", "usage", "logprobs"})
_MESSAGE = frozenset({"role", "content", "tool_plan", "tool_calls", "citations"})
PLAN, NOWHERE = -1, -2
"""Where a citation stands that stands in no numbered piece of content."""


class _Content(msgspec.Struct, gc=False):
    text: str | None = None
    thinking: str | None = None


class _Message(msgspec.Struct, gc=False):
    content: _Content | None = None


class _Delta(msgspec.Struct, gc=False):
    message: _Message | None = None


class _ContentDelta(msgspec.Struct, gc=False):
    delta: _Delta | None = None
    index: int = 0
    logprobs: Any = None


_decode_delta = msgspec.json.Decoder(_ContentDelta).decode
_decode = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode


class StreamReader:
    """One streamed reply. It is over with `[DONE]`, or where the bytes end after `message-end`."""

    def __init__(self) -> None:
        self._stream = EventStream()
        self._contents: dict[int, int] = {}
        self._calls: dict[int, tuple[int, bool]] = {}
        """Of each call its block, and whether arguments have come."""
        self._blocks = 0
        self._plan: int | None = None
        self._text = 0
        self._started = False
        self._stop: Stop | None = None
        self._over = False

    def feed(self, data: bytes) -> list[Event]:
        """Raises ProviderNonsense when an event is not what the API promises."""
        events: list[Event] = []
        for name, content in self._stream.feed(data):
            if self._over:
                break
            try:
                if name == b"content-delta":
                    self._delta(content, events)
                elif content[:6] == b"[DONE]":
                    self._close(events)
                else:
                    self._event(_decode(content), content, events)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                raise ProviderNonsense("the provider sent an event that is not what Cohere's API promises") from None
        if not (self._started or events):
            head = self._stream.head
            if not (is_event_stream(head) or may_be_error(head)):
                refuse_nonsense(self._stream.rest)
        return events

    def end(self) -> list[Event]:
        if self._over:
            return []
        if not self._started and not is_event_stream(self._stream.rest):
            self._over = True
            whole = WholeReader()  # a host that does not stream
            return whole.feed(self._stream.rest) + whole.end()
        events: list[Event] = []
        if self._stop is not None:
            self._close(events)
        else:
            self._over = True
            events.append(Stop(reason="cut"))
        return events

    def _close(self, events: list[Event]) -> None:
        self._over = True
        if self._stop is None:
            raise ProviderNonsense("the provider's stream ended without a message-end")
        events.append(self._stop)

    def _delta(self, content: bytes, events: list[Event]) -> None:
        event = _decode_delta(content)
        message = event.delta.message if event.delta is not None else None
        found = message.content if message is not None else None
        if found is None:
            return
        block = self._contents.get(event.index)
        if block is None:  # no content-start came
            block = self._contents[event.index] = self._next()
        if found.thinking:
            events.append(Thinking(text=found.thinking, block=block))
        if found.text is not None and (found.text or event.logprobs):
            self._text = block
            entry = _entry(event.logprobs)
            events.append(Text(text=found.text, logprobs=[entry] if entry else None, block=block))

    def _next(self) -> int:
        self._blocks += 1
        return self._blocks - 1

    def _event(self, event: dict[str, Any], content: bytes, events: list[Event]) -> None:
        kind = event.get("type")
        message = member(event.get("delta"), "message")
        match kind:
            case "content-delta":  # a server that names no events
                self._delta(content, events)
            case "message-start":
                self._start(event, events)
            case "content-start":
                self._open(_index(event), event, events)
            case "tool-plan-delta":
                self._say_plan(message.get("tool_plan"), events)
            case "tool-call-start" | "tool-call-delta" | "tool-call-end":
                self._call(kind, _index(event), member(message, "tool_calls"), events)
            case "citation-start":
                self._citation(message.get("citations"), events)
            case "message-end":
                self._finish(event, content, events)
            case "content-end" | "citation-end":
                pass
            case _:
                events.append(Native(dialect=DIALECT, name=str(kind), value=event))

    def _start(self, event: dict[str, Any], events: list[Event]) -> None:
        if not self._started:
            self._started = True
            id = event.get("id")
            events.append(Start(id=id if isinstance(id, str) else ""))

    def _open(self, index: int, event: dict[str, Any], events: list[Event]) -> None:
        content = member(member(event.get("delta"), "message"), "content")
        kind = content.get("type", "text")
        block = self._contents[index] = self._next()
        if kind == "text":
            self._text = block
            text = content.get("text")
            events.append(Text(text=text if isinstance(text, str) else "", block=block))
        elif kind == "thinking":
            text = content.get("thinking")
            events.append(Thinking(text=text if isinstance(text, str) else "", block=block))
        else:
            events.append(Native(dialect=DIALECT, name="content-start", value=event, block=block))

    def _say_plan(self, plan: Any, events: list[Event]) -> None:
        if not isinstance(plan, str) or not plan:
            return
        if self._plan is None:
            self._plan = self._next()
            events.append(Native(dialect=DIALECT, name="tool_plan", value=True, block=self._plan))
        events.append(Text(text=plan, block=self._plan))

    def _call(self, kind: str, index: int, call: Mapping[str, Any], events: list[Event]) -> None:
        function = member(call, "function")
        if kind == "tool-call-start":
            self._calls[index] = (self._next(), False)
            events.append(ToolCall(id=_word(call, "id"), name=_word(function, "name"), block=self._calls[index][0]))
        if kind != "tool-call-end":
            self._input(index, function.get("arguments"), events)
        elif index in self._calls and not self._calls[index][1]:
            self._input(index, "{}", events)

    def _input(self, index: int, given: Any, events: list[Event]) -> None:
        if given is None or given == "" or index not in self._calls:
            return
        block = self._calls[index][0]
        self._calls[index] = (block, True)
        events.append(ToolInput(json=given if isinstance(given, str) else _encode(given).decode(), block=block))

    def _citation(self, found: Any, events: list[Event]) -> None:
        for value in found if isinstance(found, list) else (found,):
            if isinstance(value, dict):
                index = _place(value)
                block = self._contents.get(index, self._text)
                if index == PLAN and self._plan is not None:
                    block = self._plan
                events.append(Citation(dialect=DIALECT, value=value, block=block))

    def _finish(self, event: dict[str, Any], content: bytes, events: list[Event]) -> None:
        if not self._started:
            self._start(event, events)
        delta = event.get("delta")
        usage = member(delta, "usage")
        if usage:
            events.append(Used(usage=read_usage(dict(usage))))
        word = _word(delta, "finish_reason")
        if word == "ERROR" or member(event, "delta").get("error"):
            self._over = True
            events.append(Failed(error=inside(delta, content)))
            return
        for index, (_, given) in list(self._calls.items()):
            if not given:
                self._input(index, "{}", events)
        self._stop = _stop(word, {})


class WholeReader:
    """One whole reply."""

    def __init__(self) -> None:
        self._body = b""

    def feed(self, data: bytes) -> list[Event]:
        self._body += data
        return []

    def end(self) -> list[Event]:
        """Raises ProviderNonsense for anything but a reply, ProviderRefused for an error that came as a 200."""
        relay = WholeRelay()
        relay.feed(self._body)
        reply = _decode(self._body)
        message = reply["message"]
        events: list[Event] = [Start(id=_word(reply, "id"))]
        places, last, block = self._content(message, _scores(reply.get("logprobs")), events)
        for call in _list(message.get("tool_calls")):
            function = member(call, "function")
            events.append(ToolCall(id=_word(call, "id"), name=_word(function, "name"), block=block))
            given = function.get("arguments") or "{}"
            events.append(ToolInput(json=given if isinstance(given, str) else _encode(given).decode(), block=block))
            block += 1
        for value in _list(message.get("citations")):
            if isinstance(value, dict):
                place = places.get(_place(value), last)
                events.append(Citation(dialect=DIALECT, value=value, block=place))
        if relay.usage is not None:
            events.append(Used(usage=relay.usage))
        native = {key: value for key, value in reply.items() if key not in _KNOWN and value is not None}
        rest = {key: value for key, value in message.items() if key not in _MESSAGE and value is not None}
        if rest:
            native["message"] = rest
        events.append(_stop(relay.finish or "", native))
        return events

    @staticmethod
    def _content(
        message: dict[str, Any], scores: list[dict[str, Any]] | None, events: list[Event]
    ) -> tuple[dict[int, int], int, int]:
        """Says thinking, plan and text; gives their blocks by index, the last text's block and the next free one."""
        contents = [part for part in _list(message.get("content")) if isinstance(part, dict)]
        plan = message.get("tool_plan")
        places: dict[int, int] = {}
        last = block = 0
        for index, part in enumerate(contents):
            places[index] = block
            kind = part.get("type")
            if kind == "thinking":
                events.append(Thinking(text=_word(part, "thinking"), block=block))
            elif kind == "text":
                last = block
                events.append(Text(text=_word(part, "text"), logprobs=scores, block=block))
                scores = None
            else:
                events.append(Native(dialect=DIALECT, name="content", value=part, block=block))
            block += 1
        if isinstance(plan, str) and plan:
            places[PLAN] = block
            events.append(Native(dialect=DIALECT, name="tool_plan", value=True, block=block))
            events.append(Text(text=plan, logprobs=None if contents else scores, block=block))
            block += 1
        return places, last, block


def _stop(word: str, native: dict[str, Any]) -> Stop:
    return Stop(reason=REASONS.get(word, "stop"), vendor=word or None, native=native)


def _entry(found: Any) -> dict[str, Any] | None:
    """A `logprobs` item → OpenAI's entry: the probability of its text is the product of its tokens'."""
    if not isinstance(found, dict):
        return None
    text, values = found.get("text"), found.get("logprobs")
    if not isinstance(text, str) or not isinstance(values, list) or not all(type(v) in (int, float) for v in values):
        return None
    known = {"token": text, "logprob": sum(values), "bytes": list(text.encode()), "top_logprobs": []}
    return {**known, "token_ids": found.get("token_ids"), "logprobs": values}


def _scores(found: Any) -> list[dict[str, Any]] | None:
    entries = [entry for entry in map(_entry, _list(found)) if entry is not None]
    return entries or None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _place(citation: dict[str, Any]) -> int:
    """The number of the content it stands in, as far as it says so."""
    if citation.get("type") == "PLAN":
        return PLAN
    index = citation.get("content_index")
    return index if isinstance(index, int) else NOWHERE


def _index(event: dict[str, Any]) -> int:
    value = event.get("index")
    return value if isinstance(value, int) else 0


def _word(fields: Any, key: str) -> str:
    value = fields.get(key) if isinstance(fields, Mapping) else None
    return value if isinstance(value, str) else ""
