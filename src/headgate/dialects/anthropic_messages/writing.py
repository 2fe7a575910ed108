"""Writes events as replies of the Messages API; a part of `anthropic_messages`.

- Only one block may be open here. While a tool call's arguments are not complete, events of other blocks wait; text
  that goes on after another block began gets a block of its own.
- `message_start` carries the usage known by then (nothing of an OpenAI upstream), `message_delta` all of it.
- Arguments that are not a JSON object: streamed as they came, whole as {"invalid_json": the text}; named as lost.
- Thinking without a signature gets one that this gateway knows again, another vendor's is wrapped (`signatures`); a
  call's own stands in a block of thinking before it.
- A refusal is text with `stop_reason` refusal; a tool call that ended in "stop" is `tool_use`; other choices than the
  first are lost.
- The reply's id is `msg_` and the vendor's own; ids of tool calls stay where they fit the API's pattern.
"""

from __future__ import annotations

import re
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
from headgate.dialects.anthropic_messages.words import (
    DIALECT,
    STOP_WORDS,
    arguments_of,
    safe_id,
    write_usage,
)
from headgate.dialects.signatures import UNSIGNED, proof_for

_NATIVE = frozenset({"container", "context_management", "diagnostics", "stop_details"})
"""What of Stop.native this API has itself."""
_OUTSIDE = frozenset({"context_management"})
"""Stands beside the `delta` of message_delta, not in it."""
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")
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
        self._extras: dict[int, dict[str, Any]] = {}

    def lose(self, path: str, why: str) -> None:
        """Once for each path."""
        if path not in self._named:
            self._named.add(path)
            self._lost.append(Loss(path=f"reply.{path}", why=why))

    def _mine(self, event: Event) -> bool:
        if event.choice:
            self.lose(f"choices[{event.choice}]", "the Messages API gives one answer")
            return False
        match event:
            case Text(logprobs=[_, *_]) | Refusal(logprobs=[_, *_]):
                self.lose("choices[0].logprobs", "the Messages API has no log probabilities")
            case ToolCall(custom=custom):
                self._called = True
                if custom:
                    self.lose("content.input", "free-form input, said as an object with the one field `input`")
            case Citation(dialect=dialect) if dialect != DIALECT:
                self.lose(
                    "choices[0].message.annotations",
                    "the Messages API has no form for them: its citations quote their source",
                )
                return False
            case Native(dialect=dialect, name=name) if dialect != DIALECT:
                self.lose(name, f"only {dialect} knows it")
                return False
            case Native(name="tool_use", value=value, block=block):
                self._extras[block] = value
                return False
            case Native(name="stop_reason", value=value):
                self._word = value
                return False
            case Text(text="") | Refusal(text=""):
                return False
            case Thinking() | Image():
                return self._sayable(event)
        if isinstance(event, Refusal):
            self._refused = True
        return True

    def _sayable(self, event: Thinking | Image) -> bool:
        if isinstance(event, Image):
            self.lose("image", "the Messages API has no pictures in an answer")
            return False
        if event.redacted is not None and event.signer != DIALECT:
            self.lose("redacted_thinking", "thinking that another vendor keeps to itself")
            return False
        return True

    def _start(self, event: Start) -> dict[str, Any]:
        for key in event.native:
            self.lose(key, "the Messages API has no such field")
        id = event.id if event.id.startswith("msg_") else f"msg_{_UNSAFE.sub('_', event.id)}"
        return {"id": id, "type": "message", "role": "assistant", "model": event.model, "content": []}

    def _call(self, event: ToolCall) -> dict[str, Any]:
        id = safe_id(event.id) if event.id else f"toolu_{event.block}"
        extras = self._extras.get(event.block, {})
        return {"type": "tool_use", "id": id, "name": event.name, "input": {}, **extras}

    def _ending(self, stop: Stop) -> dict[str, Any]:
        native = stop.native
        word = self._word or STOP_WORDS.get(stop.reason, "end_turn")
        if word == "end_turn" and stop.vendor != word:
            word = "refusal" if self._refused else "tool_use" if self._called else word
        for key in (key for key in native if key not in _NATIVE):
            self.lose(f"choices[0].{key}", "the Messages API has no such field")
        known = {key: native[key] for key in native if key in _NATIVE}
        return {"stop_reason": word, "stop_sequence": stop.sequence, **known}

    def _check(self, arguments: str) -> dict[str, Any] | None:
        found = arguments_of(arguments)
        if found is None:
            self._unread_arguments()
        return found

    def _unread_arguments(self) -> None:
        self.lose("content.input", "the model's arguments are not a JSON object")


class StreamWriter(_Writer):
    """Event frames as the API sends them."""

    def __init__(self, lost: list[Loss]) -> None:
        super().__init__(lost)
        self._message: dict[str, Any] | None = None
        self._begun = False
        self._over = False
        self._index = -1
        self._open: int | None = None
        self._kind = ""
        self._head = b""
        self._custom = False
        self._signed = False
        self._arguments: list[str] = []
        self._complete = False
        self._changed = False
        self._waiting: dict[int, list[Event]] = {}

    def feed(self, events: Sequence[Event]) -> bytes:
        out: list[bytes] = []
        for event in events:
            # the common case first: more text of the open block
            if type(event) is Text and event.block == self._open and self._kind == "text" and not event.logprobs:
                if event.choice == 0 and event.text:
                    out += (self._head, _encode(event.text), b"}}\n\n")
                elif event.choice:
                    self._mine(event)
            elif not self._over and self._mine(event):
                self._take(event, out)
        if self._message is not None and not self._begun:
            self._begin(out)
        return b"".join(out)

    def end(self) -> bytes:
        """Nothing: the last Stop has written the end; a reply that broke off has none."""
        return b""

    def _take(self, event: Event, out: list[bytes]) -> None:
        match event:
            case Start():
                self._message = self._start(event)
            case Used(usage=usage):
                self._usage = usage
            case Failed() | Stop(reason="cut"):
                self._over = True
            case Stop():
                self._finish(event, out)
            case _:
                if not self._begun:
                    self._begin(out)
                self._piece(event, out)

    def _begin(self, out: list[bytes]) -> None:
        self._begun = True
        message = self._message or self._start(Start())
        message |= {"stop_reason": None, "stop_sequence": None, "usage": write_usage(self._usage)}
        out.append(_frame("message_start", {"type": "message_start", "message": message}))

    def _piece(self, event: Event, out: list[bytes]) -> None:
        if isinstance(event, ToolCall) and event.signature:
            self._call_proof(event, out)
        block = event.block
        kind = _kind_of(event)
        if kind == "event":
            assert isinstance(event, Native)
            out.append(_frame(event.name, event.value))
        elif block != self._open and not self._may_close():
            self._waiting.setdefault(block, []).append(event)
        else:
            if block != self._open or (kind != self._kind and kind != "citation"):
                self._close(out)
                self._begin_block(event, "text" if kind == "citation" else kind, out)
            self._delta(event, out)
            if self._waiting and self._may_close():
                self._drain(out)

    def _call_proof(self, call: ToolCall, out: list[bytes]) -> None:
        """The proof of a call as that of the thinking before it, for a call has no field for one here."""
        thought = self._kind == "thinking" and not self._signed and self._open is not None
        block = self._open if thought and self._open is not None else call.block
        self._piece(Thinking(signature=call.signature, signer=call.signer, block=block), out)

    def _begin_block(self, event: Event, kind: str, out: list[bytes]) -> None:
        if isinstance(event, ToolInput):  # after its call was closed: only white space can be left
            if event.json.strip():
                self._unread_arguments()
            return
        self._index += 1
        self._kind = kind
        content: Any
        match event:
            case ToolCall():
                content = self._call(event)
                self._arguments = []
                self._complete = self._changed = False
                self._custom = event.custom
            case Thinking(redacted=str() as data):
                content = {"type": "redacted_thinking", "data": data}
            case Thinking():
                content = {"type": "thinking", "thinking": "", "signature": ""}
                self._signed = False
            case Native(value=value):
                content = value
            case _:
                content = {"type": "text", "text": ""}
        start = {"type": "content_block_start", "index": self._index, "content_block": content}
        out.append(_frame("content_block_start", start))
        self._open = event.block
        shape = {"text": ("text_delta", "text"), "tool_use": ("input_json_delta", "partial_json")}.get(kind)
        if shape is not None:
            self._head = self._delta_head(*shape)

    def _delta_head(self, kind: str, field: str) -> bytes:
        return (
            f'event: content_block_delta\ndata: {{"type":"content_block_delta","index":{self._index},'
            f'"delta":{{"type":"{kind}","{field}":'
        ).encode()

    def _delta(self, event: Event, out: list[bytes]) -> None:
        match event:
            case Text(text=text) | Refusal(text=text) if text:
                out += (self._head, _encode(text), b"}}\n\n")
            case ToolInput(json=json) if self._kind == "tool_use":
                self._arguments.append(json)
                if written := json.rstrip():
                    self._complete, self._changed = False, written[-1] == "}"
                if not self._custom:
                    out += (self._head, _encode(json), b"}}\n\n")
            case Thinking(redacted=None, text=text, signature=signature):
                if text:
                    out += (self._delta_head("thinking_delta", "thinking"), _encode(text), b"}}\n\n")
                if signature:
                    self._signed = True
                    proof = _encode(proof_for(event, DIALECT))
                    out += (self._delta_head("signature_delta", "signature"), proof, b"}}\n\n")
            case Citation(value=value):
                out += (self._delta_head("citations_delta", "citation"), _encode(value), b"}}\n\n")
            case Native() | Thinking(redacted=str()):
                self._close(out)

    def _may_close(self) -> bool:
        """Whether the open block may end. Another call's begin is no sign of it: calls may interleave."""
        if self._kind != "tool_use" or self._custom:
            return True
        if self._changed:  # asked again only where the arguments grew to what may be their end
            self._changed = False
            self._complete = arguments_of("".join(self._arguments)) is not None
        return self._complete

    def _close(self, out: list[bytes]) -> None:
        if self._open is None:
            return
        if self._kind == "tool_use":
            arguments = "".join(self._arguments)
            if self._custom:
                out += (self._head, _encode(_encode({"input": arguments}).decode()), b"}}\n\n")
                self._custom = False
            else:
                self._check(arguments)
        elif self._kind == "thinking" and not self._signed:
            out += (self._delta_head("signature_delta", "signature"), _encode(UNSIGNED), b"}}\n\n")
        stop = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n' % self._index
        out.append(stop)
        self._open = None
        self._kind = ""

    def _drain(self, out: list[bytes], *, last: bool = False) -> None:
        """Write what waited, block after block; an incomplete call holds the others up again, except at the end."""
        while self._waiting and (last or self._open is None or self._may_close()):
            self._close(out)
            block = next(iter(self._waiting))
            for event in self._waiting.pop(block):
                self._write_waited(event, out)

    def _write_waited(self, event: Event, out: list[bytes]) -> None:
        kind = _kind_of(event)
        if event.block != self._open or (kind != self._kind and kind != "citation"):
            self._close(out)
            self._begin_block(event, "text" if kind == "citation" else kind, out)
        self._delta(event, out)

    def _finish(self, stop: Stop, out: list[bytes]) -> None:
        if not self._begun:
            self._begin(out)
        self._drain(out, last=True)
        self._close(out)
        delta = self._ending(stop)
        outside = {key: delta.pop(key) for key in _OUTSIDE if key in delta}
        event = {"type": "message_delta", "delta": delta, **outside, "usage": write_usage(self._usage)}
        out.append(_frame("message_delta", event))
        out.append(b'event: message_stop\ndata: {"type":"message_stop"}\n\n')
        self._over = True


def _kind_of(event: Event) -> str:
    match event:
        case Text() | Refusal():
            return "text"
        case Thinking(redacted=str()):
            return "redacted"
        case Thinking():
            return "thinking"
        case ToolCall() | ToolInput():
            return "tool_use"
        case Citation():
            return "citation"
        case Native(name="content_block"):
            return "native"
    return "event"


def _frame(name: str, value: Any) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + _encode(value) + b"\n\n"


class WholeWriter(_Writer):
    """One message, given by `end`."""

    def __init__(self, lost: list[Loss]) -> None:
        super().__init__(lost)
        self._message: dict[str, Any] | None = None
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
        if self._stop is None:
            return b""
        message = self._message or self._start(Start())
        message["content"] = [self._finished(key) for key in self._blocks]
        message |= self._ending(self._stop)
        message["usage"] = write_usage(self._usage)
        return _encode(message)

    def _take(self, event: Event) -> None:
        match event:
            case Start():
                self._message = self._start(event)
            case Used(usage=usage):
                self._usage = usage
            case Stop(reason=reason) if reason != "cut":
                self._stop = event
            case Stop() | Failed():
                pass
            case _:
                kind = _kind_of(event)
                self._piece(event, (event.block, "text" if kind == "citation" else kind))

    def _piece(self, event: Event, key: tuple[int, str]) -> None:
        match event:
            case ToolCall():
                if event.signature:
                    self._call_proof(event)
                self._blocks[key] = self._call(event)
                self._inputs[key] = []
                if event.custom:
                    self._customs.add(key)
            case ToolInput(json=json):
                if key in self._inputs:
                    self._inputs[key].append(json)
            case Text(text=text) | Refusal(text=text):
                self._blocks.setdefault(key, {"type": "text", "text": ""})["text"] += text
            case Thinking(redacted=str() as data):
                self._blocks[key] = {"type": "redacted_thinking", "data": data}
            case Thinking():
                block = self._blocks.setdefault(key, {"type": "thinking", "thinking": "", "signature": ""})
                block["thinking"] += event.text
                block["signature"] += proof_for(event, DIALECT)
            case Citation(value=value):
                block = self._blocks.setdefault(key, {"type": "text", "text": ""})
                block.setdefault("citations", []).append(value)
            case Native(name="content_block", value=value):
                self._blocks[key] = value
            case Native(name=name):
                self.lose(name, "an event of a stream, which a whole reply has no place for")

    def _call_proof(self, call: ToolCall) -> None:
        """The proof of a call as that of the thinking before it, for a call has no field for one here."""
        last = next(reversed(self._blocks), (0, ""))
        thought = last[1] == "thinking" and not self._blocks[last]["signature"]
        block = last[0] if thought else call.block
        self._piece(Thinking(signature=call.signature, signer=call.signer, block=block), (block, "thinking"))

    def _finished(self, key: tuple[int, str]) -> dict[str, Any]:
        block = self._blocks[key]
        if key[1] == "thinking" and not block["signature"]:
            block["signature"] = UNSIGNED
        if key in self._inputs:
            text = "".join(self._inputs[key])
            if key in self._customs:
                block["input"] = {"input": text}
            else:
                found = self._check(text)
                block["input"] = {"invalid_json": text} if found is None else found
        return block
