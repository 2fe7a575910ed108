"""Reads replies of the Converse API into events; a part of `bedrock_converse`.

A whole reply gives the events of the same reply streamed. Blocks of tools that Amazon runs, their results and blocks of
unknown kinds are given whole, as `Native` named "content_block". What a reply has beside the known fields (metrics,
trace ...) is in `Stop.native`.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

import msgspec

from headgate.core.errors import ProviderNonsense
from headgate.core.events import (
    Citation,
    Event,
    Failed,
    Image,
    Native,
    Start,
    Stop,
    Text,
    Thinking,
    ToolCall,
    ToolInput,
    Used,
)
from headgate.dialects.bedrock_converse.relaying import NOT_PROMISED, WholeRelay, read_event
from headgate.dialects.bedrock_converse.words import DIALECT, IMAGES, REASONS, read_usage
from headgate.dialects.bedrock_errors import failed
from headgate.dialects.event_stream import EventStream, Message
from headgate.dialects.signatures import unwrap

_KNOWN = frozenset({"output", "stopReason", "usage", "p"})
"""`p` is padding."""
_decode = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode


class _Block:
    """A content block that has begun: its number, its kind, and what of it is given only when it is whole."""

    __slots__ = ("empty", "images", "input", "kind", "number", "whole")

    def __init__(self, number: int, kind: str, whole: dict[str, Any] | None = None) -> None:
        self.number = number
        self.kind = kind
        self.whole = whole
        self.input = ""
        self.images: list[str] = []
        self.empty = True


class StreamReader:
    """One streamed reply."""

    def __init__(self) -> None:
        self._stream = EventStream()
        self._blocks: dict[int, _Block] = {}
        self._begun = 0
        self._started = False
        self._measured = False
        self._ending: dict[str, Any] | None = None
        self._extras: dict[str, Any] = {}
        self._over = False

    def feed(self, data: bytes) -> list[Event]:
        """Raises ProviderNonsense when an event is not what the API promises."""
        events: list[Event] = []
        for message in self._stream.feed(data):
            if self._over:
                break
            if message.kind != "event":
                self._over = True
                events.append(Failed(error=failed(message)))
            else:
                self._event(message, events)
        return events

    def end(self) -> list[Event]:
        if self._over:
            return []
        self._over = True
        return self._stopped() if self._ending is not None else [Stop(reason="cut")]

    def _event(self, message: Message, events: list[Event]) -> None:
        fields = read_event(message)
        if not self._started:
            self._started = True
            events.append(Start())
        match message.event:
            case "contentBlockDelta":
                self._delta(_index(fields), _member(fields, "delta"), events)
            case "contentBlockStart":
                self._open(_index(fields), _member(fields, "start"), events)
            case "contentBlockStop":
                block = self._blocks.pop(_index(fields), None)
                if block is not None:
                    _close(block, events)
            case "messageStart":
                pass
            case "messageStop":
                self._note(fields)
                self._ending = fields
                if self._measured:
                    self._finish(events)
            case "metadata":
                self._note(fields)
                usage = fields.get("usage")
                if isinstance(usage, dict):
                    events.append(Used(usage=read_usage(usage, fields.get("serviceTier"))))
                self._measured = True
                if self._ending is not None:
                    self._finish(events)
            case name:
                events.append(Native(dialect=DIALECT, name=name, value=fields))

    def _open(self, index: int, start: dict[str, Any], events: list[Event]) -> None:
        kind, value = _only(start)
        if not kind:
            return  # a text, some hosts announce it so
        if index in self._blocks:
            _close(self._blocks.pop(index), events)
        if kind == "toolUse" and isinstance(value, dict) and value.get("type") in (None, "tool_use"):
            block = self._begin(index, kind)
            events.append(ToolCall(block=block.number, id=_word(value, "toolUseId"), name=_word(value, "name")))
        elif kind == "image" and isinstance(value, dict):
            self._begin(index, kind, value)
        else:
            self._begin(index, "whole", {kind: dict(value) if isinstance(value, dict) else value})

    def _begin(self, index: int, kind: str, whole: dict[str, Any] | None = None) -> _Block:
        block = self._blocks[index] = _Block(self._begun, kind, whole)
        self._begun += 1
        return block

    def _delta(self, index: int, delta: dict[str, Any], events: list[Event]) -> None:
        """Blocks of text and thinking have no start: their first piece begins them."""
        kind, value = _only(delta)
        block = self._blocks.get(index)
        if block is None:
            if not kind:
                return
            block = self._begin(index, "text" if kind in ("text", "citation") else kind)
        if block.kind in ("whole", "image") and block.whole is not None:
            _grow(block, kind, value)
            return
        match kind, value:
            case "text", str():
                block.empty = False
                events.append(Text(block=block.number, text=value))
            case "toolUse", {"input": str(text)}:
                if text:
                    block.input = "given"
                    events.append(ToolInput(block=block.number, json=text))
            case "reasoningContent", dict():
                self._think(block, value, events)
            case "citation", dict():
                block.empty = False
                events.append(Citation(block=block.number, dialect=DIALECT, value=value))
            case _, _:
                if kind:
                    events.append(Native(block=block.number, dialect=DIALECT, name="delta", value=delta))

    def _think(self, block: _Block, value: dict[str, Any], events: list[Event]) -> None:
        kind, said = _only(value)
        if not isinstance(said, str):
            return
        block.empty = False
        match kind:
            case "text":
                events.append(Thinking(block=block.number, text=said))
            case "signature":
                signer, signature = unwrap(said, DIALECT)  # wrapped by another gateway like this one
                if signature:
                    events.append(Thinking(block=block.number, signature=signature, signer=signer))
            case "redactedContent":
                events.append(Thinking(block=block.number, redacted=said, signer=DIALECT))

    def _note(self, fields: dict[str, Any]) -> None:
        self._extras.update((key, value) for key, value in fields.items() if key not in _KNOWN and value is not None)

    def _finish(self, events: list[Event]) -> None:
        self._over = True
        events += self._stopped()

    def _stopped(self) -> list[Event]:
        events: list[Event] = []
        for block in self._blocks.values():
            _close(block, events)
        return events + _stop((self._ending or {}).get("stopReason"), self._extras)


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
        events: list[Event] = [Start()]
        for number, content in enumerate(reply["output"]["message"]["content"]):
            if not isinstance(content, dict):
                raise ProviderNonsense("the provider's reply holds content that is not a block")
            events += _whole_block(content, number)
        if relay.usage is not None:
            events.append(Used(usage=relay.usage))
        native = {key: value for key, value in reply.items() if key not in _KNOWN and value is not None}
        events += _stop(relay.finish, native)
        return events


def _stop(word: Any, native: dict[str, Any]) -> list[Event]:
    """The end; a reason the core has no word for comes before it, as `Native` named "stopReason"."""
    word = word if isinstance(word, str) else None
    native = dict(native)
    sequence = _sequence(native)
    stop = Stop(reason=REASONS.get(word or "", "stop"), vendor=word, sequence=sequence, native=native)
    if word is None or word in REASONS:
        return [stop]
    return [Native(dialect=DIALECT, name="stopReason", value=word), stop]


def _sequence(native: dict[str, Any]) -> str | None:
    """The stop sequence that was met, where a client (or `crossing`) asked for the model's own field."""
    fields = native.get("additionalModelResponseFields")
    delta = fields.get("delta") if isinstance(fields, dict) else None
    for holder in (fields, delta):
        if isinstance(holder, dict) and "stop_sequence" in holder:
            value = holder["stop_sequence"]
            return value if isinstance(value, str) else None
    return None


def _grow(block: _Block, kind: str, value: Any) -> None:
    """More of a block that is given whole: JSON text of a call, pieces of a result, bytes of an image."""
    whole = block.whole or {}
    inner = whole.get(kind)
    match kind, value:
        case "image", {"source": {"bytes": str(data)}} if block.kind == "image":
            block.images.append(data)
        case "toolUse", {"input": str(text)}:
            block.input += text
        case "toolResult", list() if isinstance(inner, dict):
            _join(inner, value)
        case _:
            whole.setdefault("deltas", []).append({kind: value})


def _join(result: dict[str, Any], pieces: list[Any]) -> None:
    content = result.get("content")
    if not isinstance(content, list):
        content = result["content"] = []
    for piece in pieces:
        last = content[-1] if content else None
        if _is_text(piece) and _is_text(last):
            content[-1]["text"] += piece["text"]
        else:
            content.append(piece)


def _is_text(piece: Any) -> bool:
    return isinstance(piece, dict) and piece.keys() == {"text"} and isinstance(piece["text"], str)


def _close(block: _Block, events: list[Event]) -> None:
    """What the end of a block tells: an empty one still is one, a whole one is complete."""
    number = block.number
    match block.kind:
        case "whole" if block.whole is not None:
            call = block.whole.get("toolUse")
            if isinstance(call, dict):
                call["input"] = _json(block.input)
            events += _whole_block(block.whole, number)
        case "image" if block.whole is not None:
            source = {"bytes": _joined(block.images)}
            events += _whole_block({"image": {**block.whole, "source": source}}, number)
        case "toolUse" if not block.input:
            events.append(ToolInput(block=number, json="{}"))
        case "text" if block.empty:
            events.append(Text(block=number, text=""))


def _json(text: str) -> Any:
    if not text.strip():
        return {}
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return text


def _joined(pieces: list[str]) -> str:
    """Base64 of bytes whose base64 came in pieces."""
    if len(pieces) == 1:
        return pieces[0]
    try:
        return base64.b64encode(b"".join(map(base64.b64decode, pieces))).decode()
    except (binascii.Error, ValueError):
        raise ProviderNonsense(NOT_PROMISED) from None


def _whole_block(content: dict[str, Any], number: int) -> list[Event]:
    found = {key: value for key, value in content.items() if value is not None}
    kind, value = _only(found) if len(found) == 1 else ("", None)
    match kind, value:
        case "text", str():
            return [Text(block=number, text=value)]
        case "toolUse", dict() if value.get("type") in (None, "tool_use"):
            call = ToolCall(block=number, id=_word(value, "toolUseId"), name=_word(value, "name"))
            return [call, ToolInput(block=number, json=_encode(value.get("input", {})).decode())]
        case "reasoningContent", {"redactedContent": str(data)}:
            return [Thinking(block=number, redacted=data, signer=DIALECT)]
        case "reasoningContent", {"reasoningText": dict(said)}:
            signer, signature = unwrap(_word(said, "signature"), DIALECT)
            text = _word(said, "text")
            return [Thinking(block=number, text=text, signature=signature or None, signer=signer if signature else "")]
        case "citationsContent", dict():
            return _cited(value, number)
        case "image", {"format": str(form), "source": {"bytes": str(data)}, **rest} if form in IMAGES and not rest:
            return [Image(block=number, base64=data, media_type=IMAGES[form])]
    return [Native(block=number, dialect=DIALECT, name="content_block", value=content)]


def _cited(value: dict[str, Any], number: int) -> list[Event]:
    content, citations = value.get("content"), value.get("citations")
    content = content if isinstance(content, list) else []
    text = "".join(_word(piece, "text") for piece in content if isinstance(piece, dict))
    return [
        Text(block=number, text=text),
        *(
            Citation(block=number, dialect=DIALECT, value=citation)
            for citation in (citations if isinstance(citations, list) else ())
            if isinstance(citation, dict)
        ),
    ]


def _only(fields: dict[str, Any]) -> tuple[str, Any]:
    """The one member of a union; ("", None) of an empty one."""
    return next(iter(fields.items()), ("", None))


def _member(fields: dict[str, Any], key: str) -> dict[str, Any]:
    value = fields.get(key)
    if not isinstance(value, dict):
        raise ProviderNonsense(NOT_PROMISED)
    return value


def _index(fields: dict[str, Any]) -> int:
    value = fields.get("contentBlockIndex")
    return value if isinstance(value, int) else 0


def _word(fields: dict[str, Any], key: str) -> str:
    value = fields.get(key)
    return value if isinstance(value, str) else ""
