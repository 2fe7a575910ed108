"""Reads replies of the Messages API into events; a part of `anthropic_messages`.

Stream format: https://docs.claude.com/en/api/messages-streaming. A whole reply gives the events of the same reply
streamed. Blocks of server tools and blocks of unknown types are given whole, as `Native` named "content_block"; what
a tool call has beside its id, name and input comes before it, as `Native` named "tool_use". What a message has
beside the known fields (container, context_management ...) is in `Stop.native`.
"""

from __future__ import annotations

from typing import Any

import msgspec

from headgate.core.errors import ProviderNonsense
from headgate.core.events import Citation, Event, Failed, Native, Start, Stop, Text, Thinking, ToolCall, ToolInput, Used
from headgate.dialects.anthropic_messages.errors import refused
from headgate.dialects.anthropic_messages.relaying import EVENTS, WholeRelay, refuse_nonsense
from headgate.dialects.anthropic_messages.words import DIALECT, REASONS, arguments_of, read_usage
from headgate.dialects.framing import EventStream, is_event_stream, may_be_error
from headgate.dialects.signatures import unwrap

_KNOWN = frozenset({"id", "type", "role", "content", "model", "stop_reason", "stop_sequence", "usage"})
_CALL = frozenset({"type", "id", "name", "input"})


class _Delta(msgspec.Struct):
    type: str = ""
    text: str = ""
    partial_json: str = ""
    thinking: str = ""
    signature: str = ""
    citation: dict[str, Any] | None = None


class _DeltaEvent(msgspec.Struct):
    delta: _Delta
    index: int = 0


_decode_delta = msgspec.json.Decoder(_DeltaEvent).decode
_decode = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode


class _Block:
    """A content block that has begun: its number, its kind, and, of a kind the core has no word for, the whole."""

    __slots__ = ("empty", "input", "kind", "number", "whole")

    def __init__(self, number: int, kind: str, whole: dict[str, Any] | None = None) -> None:
        self.number = number
        self.kind = kind
        self.whole = whole
        self.input = ""
        self.empty = True


class StreamReader:
    """One streamed reply."""

    def __init__(self) -> None:
        self._stream = EventStream()
        self._blocks: dict[int, _Block] = {}
        self._begun = 0
        self._started = False
        self._reported: dict[str, Any] = {}
        self._stop: dict[str, Any] = {}
        self._over = False

    def feed(self, data: bytes) -> list[Event]:
        """Raises ProviderNonsense when an event is not what the API promises."""
        events: list[Event] = []
        for name, content in self._stream.feed(data):
            if self._over:
                break
            try:
                if name == b"content_block_delta":
                    self._delta(content, events)
                elif name != b"ping":
                    self._event(content, events)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                if content == b"[DONE]" or (self._started and name is not None and name not in EVENTS):
                    continue
                raise ProviderNonsense(
                    "the provider sent an event that is not what the Messages API promises"
                ) from None
        if not (self._started or events):
            head = self._stream.head
            if not (is_event_stream(head) or may_be_error(head)):
                refuse_nonsense(self._stream.rest)
        return events

    def end(self) -> list[Event]:
        if self._over:
            return []
        self._over = True
        if not self._started and not is_event_stream(self._stream.rest):
            whole = WholeReader()  # a host that does not stream
            return whole.feed(self._stream.rest) + whole.end()
        return self._stopped() if self._stop.get("stop_reason") is not None else [Stop(reason="cut")]

    def _delta(self, content: bytes, events: list[Event]) -> None:
        event = _decode_delta(content)
        delta = event.delta
        block = self._blocks.get(event.index)
        if block is None or block.whole is not None:
            self._other_delta(block, _decode(content), events)
            return
        block.empty = False
        match delta.type:
            case "text_delta":
                events.append(Text(block=block.number, text=delta.text))
            case "input_json_delta":
                if delta.partial_json:
                    events.append(ToolInput(block=block.number, json=delta.partial_json))
                    block.input = "given"
            case "thinking_delta":
                events.append(Thinking(block=block.number, text=delta.thinking))
            case "signature_delta":
                signer, signature = unwrap(delta.signature, DIALECT)  # wrapped by another gateway like this one
                if signature or not delta.signature:
                    events.append(Thinking(block=block.number, signature=signature, signer=signer))
            case "citations_delta" if delta.citation is not None:
                events.append(Citation(block=block.number, dialect=DIALECT, value=delta.citation))
            case _:
                self._other_delta(None, _decode(content), events)

    def _other_delta(self, block: _Block | None, event: dict[str, Any], events: list[Event]) -> None:
        """More of a block kept whole: strings grow, a citation joins its list, anything else replaces."""
        delta = event.get("delta")
        if block is None or block.whole is None or not isinstance(delta, dict):
            events.append(Native(dialect=DIALECT, name=str(event.get("type")), value=event))
            return
        whole = block.whole
        for key, value in delta.items():
            if key == "partial_json" and isinstance(value, str):
                block.input += value
            elif key == "citation":
                whole["citations"] = [*(whole.get("citations") or []), value]
            elif key != "type":
                before = whole.get(key)
                whole[key] = before + value if isinstance(value, str) and isinstance(before, str) else value

    def _event(self, content: bytes, events: list[Event]) -> None:
        event = _decode(content)
        kind = event.get("type")
        match kind:
            case "content_block_start":
                self._open(event, events)
            case "content_block_stop":
                block = self._blocks.pop(_index(event), None)
                if block is not None:
                    _close(block, events)
            case "content_block_delta":  # a server that names no events
                self._delta(content, events)
            case "message_start":
                self._start(_member(event, "message"), events)
            case "message_delta":
                self._ending(event, events)
            case "message_stop":
                self._over = True
                events += self._stopped()
            case "error":
                self._over = True
                events.append(Failed(error=refused(event, content)))
            case "ping":
                pass
            case _:
                events.append(Native(dialect=DIALECT, name=str(kind), value=event))

    def _open(self, event: dict[str, Any], events: list[Event]) -> None:
        content = _member(event, "content_block")
        kind = content.get("type")
        known = kind in ("text", "thinking", "tool_use")
        block = _Block(self._begun, str(kind), None if known else content)
        self._begun += 1
        index = _index(event)
        if index in self._blocks:
            _close(self._blocks.pop(index), events)
        self._blocks[index] = block
        if kind == "tool_use":
            events += _begin_call(content, block.number)
            if content["input"]:
                block.input = "given"
                events.append(_input(content, block.number))
            return
        if known:
            text, signature = content.get("text") or content.get("thinking"), content.get("signature")
            if text or signature or content.get("citations"):
                block.empty = False
                events += _whole_block(content, block.number)

    def _start(self, message: dict[str, Any], events: list[Event]) -> None:
        if not self._started:
            self._started = True
            events.append(Start(id=_word(message, "id"), model=_word(message, "model")))
        self._note(message)
        self._used(message.get("usage"), events)

    def _ending(self, event: dict[str, Any], events: list[Event]) -> None:
        self._note({key: value for key, value in event.items() if key not in ("type", "delta", "usage")})
        delta = _member(event, "delta")
        self._note(delta)
        for key in ("stop_reason", "stop_sequence"):
            if delta.get(key) is not None:
                self._stop[key] = delta[key]
        self._used(event.get("usage"), events)

    def _note(self, fields: dict[str, Any]) -> None:
        self._stop.update((key, value) for key, value in fields.items() if key not in _KNOWN and value is not None)

    def _used(self, found: Any, events: list[Event]) -> None:
        if isinstance(found, dict):
            self._reported.update((key, value) for key, value in found.items() if value is not None)
            events.append(Used(usage=read_usage(dict(self._reported))))

    def _stopped(self) -> list[Event]:
        events: list[Event] = []
        for block in self._blocks.values():
            _close(block, events)
        return events + _stop(self._stop)


class WholeReader:
    """One whole reply."""

    def __init__(self) -> None:
        self._body = b""

    def feed(self, data: bytes) -> list[Event]:
        self._body += data
        return []

    def end(self) -> list[Event]:
        """Raises ProviderNonsense for anything but a message, ProviderRefused for an error that came as a 200."""
        relay = WholeRelay()
        relay.feed(self._body)
        message = _decode(self._body)
        events: list[Event] = [Start(id=_word(message, "id"), model=_word(message, "model"))]
        for number, content in enumerate(message["content"]):
            if not isinstance(content, dict):
                raise ProviderNonsense("the provider's reply holds content that is not a block")
            events += _whole_block(content, number)
        if relay.usage is not None:
            events.append(Used(usage=relay.usage))
        native = {key: value for key, value in message.items() if key not in _KNOWN and value is not None}
        for key in ("stop_reason", "stop_sequence"):
            native[key] = message.get(key)
        events += _stop(native)
        return events


def _stop(found: dict[str, Any]) -> list[Event]:
    """The end; a reason the core has no word for comes before it, as `Native` named "stop_reason"."""
    word, sequence = found.get("stop_reason"), found.get("stop_sequence")
    native = {key: value for key, value in found.items() if key not in ("stop_reason", "stop_sequence")}
    word = word if isinstance(word, str) else None
    stop = Stop(
        reason=REASONS.get(word or "", "stop"),
        vendor=word,
        sequence=sequence if isinstance(sequence, str) else None,
        native=native,
    )
    return (
        [stop] if word is None or word in REASONS else [Native(dialect=DIALECT, name="stop_reason", value=word), stop]
    )


def _close(block: _Block, events: list[Event]) -> None:
    """What the end of a block tells: an empty one still is one, a whole one is complete."""
    match block.kind:
        case _ if block.whole is not None:
            if block.input:
                given = arguments_of(block.input)
                block.whole["input"] = block.input if given is None else given
            events += _whole_block(block.whole, block.number)
        case "tool_use" if not block.input:
            events.append(ToolInput(block=block.number, json="{}"))
        case "text" if block.empty:
            events.append(Text(block=block.number, text=""))
        case "thinking" if block.empty:
            events.append(Thinking(block=block.number))


def _whole_block(content: dict[str, Any], number: int) -> list[Event]:
    kind = content.get("type")
    if kind == "text":
        cited = content.get("citations")
        return [
            Text(block=number, text=_word(content, "text")),
            *(
                Citation(block=number, dialect=DIALECT, value=citation)
                for citation in (cited if isinstance(cited, list) else ())
                if isinstance(citation, dict)
            ),
        ]
    if kind == "thinking":
        signer, signature = unwrap(_word(content, "signature"), DIALECT)
        text = _word(content, "thinking")
        return [Thinking(block=number, text=text, signature=signature or None, signer=signer if signature else "")]
    if kind == "redacted_thinking":
        return [Thinking(block=number, redacted=_word(content, "data"), signer=DIALECT)]
    if kind == "tool_use":
        return [*_begin_call(content, number), _input(content, number)]
    return [Native(block=number, dialect=DIALECT, name="content_block", value=content)]


def _begin_call(content: dict[str, Any], number: int) -> list[Event]:
    events: list[Event] = []
    more = {key: value for key, value in content.items() if key not in _CALL and value is not None}
    if more and more != {"caller": {"type": "direct"}}:  # the default
        events.append(Native(block=number, dialect=DIALECT, name="tool_use", value=more))
    content.setdefault("input", {})
    events.append(ToolCall(block=number, id=_word(content, "id"), name=_word(content, "name")))
    return events


def _input(content: dict[str, Any], number: int) -> ToolInput:
    return ToolInput(block=number, json=_encode(content["input"]).decode())


def _member(event: dict[str, Any], key: str) -> dict[str, Any]:
    value = event.get(key)
    if not isinstance(value, dict):
        raise ProviderNonsense(f"the provider sent a {event.get('type')} event without its {key}")
    return value


def _index(event: dict[str, Any]) -> int:
    value = event.get("index")
    return value if isinstance(value, int) else 0


def _word(fields: dict[str, Any], key: str) -> str:
    value = fields.get(key)
    return value if isinstance(value, str) else ""
