"""Writes events as replies of the Converse API; a part of `bedrock_converse`.

- Blocks are numbered in the order they began. A block of text or thinking ends where another begins; a tool call, whose
  pieces may come between others', when its arguments are complete or at the end.
- Arguments that are not a JSON object: streamed as they came, whole as {"invalid_json": the text}; named as lost.
- Thinking without a signature gets one that this gateway knows again, another vendor's is wrapped (`signatures`); a
  refusal is text with `stopReason` content_filtered; a tool call that ended in "stop" is `tool_use`; other choices than
  the first are lost, and so are the reply's id and model, for which this API has no place.
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Sequence
from typing import Any

import msgspec

from headgate.core.chat import Loss
from headgate.core.events import (
    Citation,
    Event,
    Failed,
    Image,
    Native,
    Refusal,
    Start,
    Stop,
    Text,
    Thinking,
    ToolCall,
    ToolInput,
    Used,
)
from headgate.core.usage import Usage
from headgate.dialects.bedrock_converse.words import (
    DIALECT,
    IMAGES,
    REASONS,
    STOP_WORDS,
    arguments_of,
    safe_id,
    write_usage,
)
from headgate.dialects.event_stream import write_event
from headgate.dialects.signatures import UNSIGNED, proof_for

_AT_STOP = frozenset({"additionalModelResponseFields"})
"""What of `Stop.native` stands in `messageStop`; the rest of this API's own stands in `metadata`."""
_NATIVE = _AT_STOP | {"metrics", "trace", "performanceConfig", "serviceTier"}
_FORMATS = {media_type: form for form, media_type in IMAGES.items()}
_encode = msgspec.json.Encoder().encode


class _Writer:
    """What the streamed and the whole form share."""

    def __init__(self, lost: list[Loss]) -> None:
        self._lost = lost
        self._named: set[str] = set()
        self._usage: Usage | None = None
        self._refused = False
        self._called = False
        self._word: str | None = None
        self._began = time.monotonic()

    def lose(self, path: str, why: str) -> None:
        """Once for each path."""
        if path not in self._named:
            self._named.add(path)
            self._lost.append(Loss(path=f"reply.{path}", why=why))

    def _mine(self, event: Event) -> bool:
        """Whether there is a place for it here; names what goes."""
        if event.choice:
            self.lose(f"choices[{event.choice}]", "the Converse API gives one answer")
            return False
        if isinstance(event, Refusal):
            self._refused = True
        match event:
            case Text(logprobs=[_, *_]) | Refusal(logprobs=[_, *_]):
                self.lose("choices[0].logprobs", "the Converse API has no log probabilities")
            case ToolCall(custom=custom):
                self._called = True
                if custom:
                    self.lose("content.input", "free-form input, said as an object with the one field `input`")
            case Start(native=native):
                for key in native:
                    self.lose(key, "the Converse API has no such field")
            case Native(dialect=dialect, name="stopReason", value=value) if dialect == DIALECT:
                self._word = value
                return False
            case Thinking() | Citation() | Native() | Image():
                return self._fits(event)
        return not (isinstance(event, Text | Refusal) and not event.text)

    def _fits(self, event: Thinking | Citation | Native | Image) -> bool:
        match event:
            case Thinking(redacted=str() as data, signer=signer) if signer not in (
                DIALECT,
                "anthropic_messages",
            ) or not _base64(data):
                self.lose("redactedContent", "thinking that another vendor keeps to itself")
                return False
            case Citation(dialect=dialect) if dialect != DIALECT:
                self.lose("annotations", "citations in another vendor's form")
                return False
            case Native(dialect=dialect, name=name) if dialect != DIALECT:
                self.lose(name, f"only {dialect} knows it")
                return False
            case Image(media_type=media_type) if media_type not in _FORMATS:
                self.lose("image", f"the Converse API has no images of the type {media_type}")
                return False
        return True

    def _stop_word(self, stop: Stop) -> str:
        own = REASONS.get(stop.vendor or "") == stop.reason
        word = self._word or (stop.vendor if own else None) or STOP_WORDS.get(stop.reason, "end_turn")
        if word == "end_turn" and stop.vendor != word:
            word = "content_filtered" if self._refused else "tool_use" if self._called else word
        for key in (key for key in stop.native if key not in _NATIVE):
            self.lose(f"choices[0].{key}", "the Converse API has no such field")
        return word

    def _metrics(self, stop: Stop) -> dict[str, Any]:
        """The vendor's own, else the time since this reply began to be written."""
        found = stop.native.get("metrics")
        return found if isinstance(found, dict) else {"latencyMs": round((time.monotonic() - self._began) * 1000)}

    def _extras(self, stop: Stop, at_stop: bool) -> dict[str, Any]:
        found = {key: value for key, value in stop.native.items() if key in _NATIVE and (key in _AT_STOP) == at_stop}
        if at_stop and stop.sequence is not None and not found:
            # where a client of this API looks for it, having asked for it by `additionalModelResponseFieldPaths`
            found["additionalModelResponseFields"] = {"stop_sequence": stop.sequence}
        return found

    def _unread_arguments(self) -> None:
        self.lose("content.input", "the model's arguments are not a JSON object")


def _base64(data: str) -> bool:
    try:
        base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _kind_of(event: Event) -> str:
    match event:
        case Text() | Refusal():
            return "text"
        case Thinking(redacted=str()):
            return "redacted"
        case Thinking():
            return "thinking"
        case ToolCall() | ToolInput():
            return "tool"
        case Citation():
            return "citation"
        case Native(name="content_block"):
            return "native"
        case Image():
            return "image"
    return "event"


class _Open:
    """A block that has begun and not ended."""

    __slots__ = ("arguments", "custom", "index", "kind", "signed")

    def __init__(self, index: int, kind: str) -> None:
        self.index = index
        self.kind = kind
        self.arguments: list[str] = []
        self.custom = False
        self.signed = False


class StreamWriter(_Writer):
    """Messages of an event stream as the API sends them."""

    def __init__(self, lost: list[Loss]) -> None:
        super().__init__(lost)
        self._begun = False
        self._over = False
        self._count = 0
        self._open: dict[int, _Open] = {}
        """By the number the event gives its block."""

    def feed(self, events: Sequence[Event]) -> bytes:
        out: list[bytes] = []
        for event in events:
            if not self._over and self._mine(event):
                self._take(event, out)
        return b"".join(out)

    def end(self) -> bytes:
        """Nothing: the last Stop has written the end; a reply that broke off has none."""
        return b""

    def _take(self, event: Event, out: list[bytes]) -> None:
        match event:
            case Used(usage=usage):
                self._usage = usage
            case Failed() | Stop(reason="cut"):
                self._over = True
            case Stop():
                self._begin(out)
                self._finish(event, out)
            case Start():
                self._begin(out)
            case _:
                self._begin(out)
                self._piece(event, out)

    def _begin(self, out: list[bytes]) -> None:
        if not self._begun:
            self._begun = True
            out.append(_frame("messageStart", {"role": "assistant"}))

    def _piece(self, event: Event, out: list[bytes]) -> None:
        if isinstance(event, ToolCall) and event.signature:
            thoughts = [number for number, block in self._open.items() if block.kind == "thinking" and not block.signed]
            self._piece(_proof_of(event, thoughts[-1] if thoughts else event.block), out)
        kind = _kind_of(event)
        if kind == "event":
            assert isinstance(event, Native)
            if event.name == "delta":
                self.lose("delta", "a piece of content that nobody knows")
            else:
                out.append(_frame(event.name, event.value))
            return
        block = self._open.get(event.block)
        if kind == "citation":
            kind = "text"
        if block is None or block.kind != kind:
            if isinstance(event, ToolInput):
                return  # white space after a call that was complete
            block = self._begin_block(event, kind, out)
        self._delta(event, block, out)

    def _begin_block(self, event: Event, kind: str, out: list[bytes]) -> _Open:
        for number, other in list(self._open.items()):
            if other.kind != "tool" or number == event.block or self._complete(other):
                self._close(number, out)
        block = self._open[event.block] = _Open(self._count, kind)
        self._count += 1
        if isinstance(event, ToolCall):
            block.custom = event.custom
            call = {"toolUseId": safe_id(event.id) if event.id else f"call_{event.block}", "name": event.name}
            out.append(_frame("contentBlockStart", {"start": {"toolUse": call}, "contentBlockIndex": block.index}))
        return block

    def _complete(self, block: _Open) -> bool:
        text = "".join(block.arguments)
        return bool(text.strip()) and not block.custom and arguments_of(text) is not None

    def _delta(self, event: Event, block: _Open, out: list[bytes]) -> None:
        match event:
            case Text(text=text) | Refusal(text=text):
                out.append(_piece_of(block, {"text": text}))
            case ToolInput(json=json):
                block.arguments.append(json)
                if json and not block.custom:
                    out.append(_piece_of(block, {"toolUse": {"input": json}}))
            case Thinking(redacted=str() as data):
                out.append(_piece_of(block, {"reasoningContent": {"redactedContent": data}}))
                block.signed = True
                self._close(event.block, out)
            case Thinking():
                if event.text:
                    out.append(_piece_of(block, {"reasoningContent": {"text": event.text}}))
                if event.signature:
                    block.signed = True
                    out.append(_piece_of(block, {"reasoningContent": {"signature": proof_for(event, DIALECT)}}))
            case Citation(value=value):
                out.append(_piece_of(block, {"citation": value}))
            case Image():
                self._image(event, block, out)
            case Native(value=value):
                self._native(event.block, value, block, out)

    def _image(self, event: Image, block: _Open, out: list[bytes]) -> None:
        start = {"image": {"format": _FORMATS[event.media_type]}}
        out.append(_frame("contentBlockStart", {"start": start, "contentBlockIndex": block.index}))
        out.append(_piece_of(block, {"image": {"source": {"bytes": event.base64}}}))
        self._close(event.block, out)

    def _native(self, number: int, value: Any, block: _Open, out: list[bytes]) -> None:
        """A call of a tool that Amazon runs, or its result; what else comes whole cannot be streamed."""
        match value:
            case {"toolUse": {"toolUseId": _, "name": _, **rest} as call}:
                start = {"toolUse": {key: item for key, item in call.items() if key != "input"}}
                delta: Any = {"toolUse": {"input": _encode(rest.get("input", {})).decode()}}
            case {"toolResult": {"toolUseId": _, **rest} as result}:
                start = {"toolResult": {key: item for key, item in result.items() if key != "content"}}
                delta = {"toolResult": rest.get("content", [])}
            case _:
                self.lose("content_block", "a kind of content that a stream has no form for")
                del self._open[number]
                self._count -= 1
                return
        out.append(_frame("contentBlockStart", {"start": start, "contentBlockIndex": block.index}))
        out.append(_piece_of(block, delta))
        self._close(number, out)

    def _close(self, number: int, out: list[bytes]) -> None:
        block = self._open.pop(number)
        if block.kind == "tool":
            text = "".join(block.arguments)
            if block.custom:
                out.append(_piece_of(block, {"toolUse": {"input": _encode({"input": text}).decode()}}))
            elif arguments_of(text) is None:
                self._unread_arguments()
        elif block.kind == "thinking" and not block.signed:
            out.append(_piece_of(block, {"reasoningContent": {"signature": UNSIGNED}}))
        out.append(_frame("contentBlockStop", {"contentBlockIndex": block.index}))

    def _finish(self, stop: Stop, out: list[bytes]) -> None:
        for number in list(self._open):
            self._close(number, out)
        out.append(_frame("messageStop", {"stopReason": self._stop_word(stop), **self._extras(stop, True)}))
        known = {"usage": write_usage(self._usage), "metrics": self._metrics(stop)}
        out.append(_frame("metadata", {**self._extras(stop, False), **known}))
        self._over = True


def _frame(name: str, value: Any) -> bytes:
    return write_event(name, _encode(value))


def _proof_of(call: ToolCall, block: int) -> Thinking:
    """The proof of a call as that of the thinking before it, for a call has no field for one here."""
    return Thinking(signature=call.signature, signer=call.signer, block=block)


def _signature(block: dict[str, Any]) -> str:
    """Of a block of thinking."""
    return str(block["reasoningContent"]["reasoningText"]["signature"])


def _piece_of(block: _Open, delta: dict[str, Any]) -> bytes:
    return _frame("contentBlockDelta", {"contentBlockIndex": block.index, "delta": delta})


class WholeWriter(_Writer):
    """One reply, given by `end`."""

    def __init__(self, lost: list[Loss]) -> None:
        super().__init__(lost)
        self._blocks: dict[tuple[int, str], dict[str, Any]] = {}
        self._inputs: dict[tuple[int, str], list[str]] = {}
        self._customs: set[tuple[int, str]] = set()
        self._stop: Stop | None = None

    def feed(self, events: Sequence[Event]) -> bytes:
        for event in events:
            if self._mine(event):
                self._take(event)
        return b""

    def end(self) -> bytes:
        """b"" when the reply has no end: what there is of it is no reply."""
        stop = self._stop
        if stop is None:
            return b""
        content = [self._finished(key) for key in self._blocks]
        reply = {
            "output": {"message": {"role": "assistant", "content": content}},
            "stopReason": self._stop_word(stop),
            "usage": write_usage(self._usage),
            **self._extras(stop, True),
            **self._extras(stop, False),
            "metrics": self._metrics(stop),
        }
        return _encode(reply)

    def _take(self, event: Event) -> None:
        match event:
            case Used(usage=usage):
                self._usage = usage
            case Stop(reason=reason) if reason != "cut":
                self._stop = event
            case Stop() | Failed() | Start():
                pass
            case _:
                kind = _kind_of(event)
                self._piece(event, (event.block, "text" if kind == "citation" else kind))

    def _piece(self, event: Event, key: tuple[int, str]) -> None:
        match event:
            case ToolCall():
                self._call(event, key)
            case ToolInput(json=json):
                if key in self._inputs:
                    self._inputs[key].append(json)
            case Text(text=text) | Refusal(text=text):
                self._blocks.setdefault(key, {"text": ""})["text"] += text
            case Thinking(redacted=str() as data):
                self._blocks[key] = {"reasoningContent": {"redactedContent": data}}
            case Thinking():
                said = self._blocks.setdefault(
                    key, {"reasoningContent": {"reasoningText": {"text": "", "signature": ""}}}
                )
                said["reasoningContent"]["reasoningText"]["text"] += event.text
                said["reasoningContent"]["reasoningText"]["signature"] += proof_for(event, DIALECT)
            case Citation(value=value):
                self._blocks.setdefault(key, {"text": ""}).setdefault("citations", []).append(value)
            case Image():
                source = {"format": _FORMATS[event.media_type], "source": {"bytes": event.base64}}
                self._blocks[key] = {"image": source}
            case Native(name="content_block", value=value):
                self._blocks[key] = value
            case Native(name=name):
                self.lose(name, "an event of a stream, which a whole reply has no place for")

    def _call(self, event: ToolCall, key: tuple[int, str]) -> None:
        if event.signature:
            last = next(reversed(self._blocks), (0, ""))
            thought = last[1] == "thinking" and not _signature(self._blocks[last])
            block = last[0] if thought else event.block
            self._piece(_proof_of(event, block), (block, "thinking"))
        id = safe_id(event.id) if event.id else f"call_{event.block}"
        self._blocks[key] = {"toolUse": {"toolUseId": id, "name": event.name, "input": {}}}
        self._inputs[key] = []
        if event.custom:
            self._customs.add(key)

    def _finished(self, key: tuple[int, str]) -> dict[str, Any]:
        block = self._blocks[key]
        if key[1] == "thinking" and not _signature(block):
            block["reasoningContent"]["reasoningText"]["signature"] = UNSIGNED
        if key[1] == "text" and "citations" in block:
            return {"citationsContent": {"content": [{"text": block["text"]}], "citations": block["citations"]}}
        if key in self._inputs:
            text = "".join(self._inputs[key])
            given: Any = {"input": text} if key in self._customs else arguments_of(text)
            if given is None:
                self._unread_arguments()
                given = {"invalid_json": text}
            block["toolUse"]["input"] = given
        return block
