"""Writes events as replies of Ollama, of both its ways to ask; a part of `ollama_chat`.

- A call of a tool is one piece here: it is said when its arguments are complete, in the order in which calls began.
- Arguments that are no JSON object are said as {"invalid_json": the text}, which is named as lost.
- A reply that a filter stopped ends in "stop", for there is no other word; so does one that calls tools.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from headgate.core.chat import Loss
from headgate.core.errors import GatewayError, ProviderCut
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
from headgate.dialects.ollama_chat.errors import write_error
from headgate.dialects.ollama_chat.words import GENERATE, REASONS, moment_of, object_of, write_usage

_encode = msgspec.json.Encoder().encode
_WORDS = {"length": "length", "context": "length"}
_LONGER = b'},"done":false}\n'


class _Call:
    """A tool call as it comes in."""

    __slots__ = ("id", "input", "name")

    def __init__(self, event: ToolCall) -> None:
        self.id = event.id
        self.name = event.name
        self.input: list[str] = []


class _Writer:
    """What the streamed and the whole form share: following the events, and what cannot be said."""

    def __init__(self, dialect: str, lost: list[Loss]) -> None:
        self._dialect = dialect
        self._generate = dialect == GENERATE
        self._lost = lost
        self._named: set[str] = set()
        self._start = Start()
        self._usage: Usage | None = None
        self._calls: dict[int, _Call] = {}
        self._failed: GatewayError | None = None
        self._stopped = False

    def lose(self, path: str, why: str) -> None:
        """Once for each path."""
        if path not in self._named:
            self._named.add(path)
            self._lost.append(Loss(f"reply.{path}", why))

    def _head(self) -> dict[str, Any]:
        return {"model": self._start.model, "created_at": moment_of(self._start.created)}

    def _note(self, event: Event) -> bool:
        """Take what is no piece of the answer; whether it was."""
        if event.choice:
            self.lose(f"choices[{event.choice}]", "Ollama gives one answer")
            return True
        match event:
            case Start():
                self._start = event
                for key in event.native:
                    self.lose(key, "Ollama has no such field")
            case Used(usage=usage):
                self._usage = usage
            case Citation():
                self.lose("citations", "Ollama does not cite")
            case Image():
                self.lose("images", "Ollama's chat answers in text")
            case ToolCall():
                self._begin_call(event)
            case ToolInput(json=json):
                if event.block in self._calls:
                    self._calls[event.block].input.append(json)
            case Native(dialect=dialect, name=name, value=value):
                if dialect == self._dialect:
                    return False
                kind = value.get("type") if isinstance(value, dict) else None
                self.lose(f"content.{kind}" if name == "content_block" else name, f"only {dialect} knows it")
            case _:
                return False
        return True

    def _begin_call(self, event: ToolCall) -> None:
        if self._generate:
            self.lose("tool_calls", "only Ollama's chat calls tools")
            return
        if event.custom:
            self.lose("tool_calls.custom", "said as a function: Ollama has no free-form tools")
        if event.signature:
            self.lose("tool_call.signature", "Ollama's calls are not signed")
        self._calls[event.block] = _Call(event)

    def _thought(self, event: Thinking) -> str:
        if event.signature is not None:
            self.lose("thinking.signature", "Ollama's thinking is not signed")
        if event.redacted is not None:
            self.lose("redacted_thinking", "Ollama's thinking is not redacted")
        return event.text

    def _said(self, calls: Sequence[_Call]) -> list[dict[str, Any]]:
        said = []
        for call in calls:
            text = "".join(call.input)
            arguments = object_of(text)
            if arguments is None:
                self.lose("tool_calls.arguments", "the model's arguments are not a JSON object")
                arguments = {"invalid_json": text}
            place = list(self._calls.values()).index(call)
            function = {"index": place, "name": call.name, "arguments": arguments}
            said.append({"id": call.id or f"call_{place}", "function": function})
        return said

    def _ending(self, stop: Stop) -> dict[str, Any]:
        """What the last line says of the end."""
        if stop.sequence is not None:
            self.lose("stop_sequence", "Ollama does not say which sequence was met")
        if stop.reason in ("refusal", "pause"):
            self.lose("done_reason", f"said as stop: Ollama has no word for a {stop.reason}")
        own = stop.vendor in REASONS
        if not own:
            for key in stop.native:
                self.lose(f"choices[0].{key}", "Ollama has no such field")
        word = stop.vendor if own else _WORDS.get(stop.reason, "stop")
        return {"done": True, "done_reason": word, **(stop.native if own else {}), **write_usage(self._usage)}


class StreamWriter(_Writer):
    """Lines, built as bytes around a head that is made once."""

    def __init__(self, dialect: str, lost: list[Loss]) -> None:
        super().__init__(dialect, lost)
        self._text_head = b""
        self._waiting: list[_Call] = []

    def feed(self, events: Sequence[Event]) -> bytes:
        out: list[bytes] = []
        for event in events:
            if not (self._stopped or self._failed):
                self._take(event, out)
        return b"".join(out)

    def end(self) -> bytes:
        """Nothing: the last line has said the end; a reply that broke off has none."""
        return b""

    def _take(self, event: Event, out: list[bytes]) -> None:
        if type(event) is Text and not event.logprobs and not event.choice:  # the common case first
            if event.text:
                self._flush(out)
                out += (
                    self._text_head or self._open(),
                    _encode(event.text),
                    b',"done":false}\n' if self._generate else _LONGER,
                )
            return
        if self._note(event):
            if isinstance(event, ToolCall) and not event.choice and event.block in self._calls:
                self._flush(out)
                self._waiting.append(self._calls[event.block])
            return
        match event:
            case Text(text=text, logprobs=scores) | Refusal(text=text, logprobs=scores):
                self._flush(out)
                self._line({"content": text}, out, {"logprobs": scores} if scores else {})
            case Thinking():
                text = self._thought(event)
                if text:
                    self._flush(out)
                    self._line({"content": "", "thinking": text}, out)
            case Native(name=name, value=value):
                self._line({"content": "", name: value}, out)
            case Failed(error=error):
                self._failed = error
                out.append(write_error(error, "", streaming=True))
            case Stop(reason=reason) if reason != "cut":
                self._flush(out, last=True)
                self._stopped = True
                self._line({"content": ""}, out, self._ending(event))

    def _open(self) -> bytes:
        head = _encode(self._head())[:-1]
        self._text_head = head + (b',"response":' if self._generate else b',"message":{"role":"assistant","content":')
        return self._text_head

    def _line(self, said: dict[str, Any], out: list[bytes], more: dict[str, Any] | None = None) -> None:
        out.append(_encode({**self._head(), **piece(said, self._generate), "done": False, **(more or {})}) + b"\n")

    def _flush(self, out: list[bytes], *, last: bool = False) -> None:
        """Say the calls that wait and are complete, up to the first that is not; at the end, all of them."""
        ready: list[_Call] = []
        while self._waiting and (last or _complete(self._waiting[0])):
            ready.append(self._waiting.pop(0))
        if ready:
            self._line({"content": "", "tool_calls": self._said(ready)}, out)


def _complete(call: _Call) -> bool:
    text = "".join(call.input).strip()
    return text[-1:] == "}" and object_of(text) is not None


def piece(said: dict[str, Any], generate: bool) -> dict[str, Any]:
    """What is said, as a message, or, of generate, beside the other fields."""
    if generate:
        return {"response": said["content"], **{key: value for key, value in said.items() if key != "content"}}
    return {"message": {"role": "assistant", **said}}


class WholeWriter(_Writer):
    """One reply, given by `end`."""

    def __init__(self, dialect: str, lost: list[Loss]) -> None:
        super().__init__(dialect, lost)
        self._texts: list[str] = []
        self._thoughts: list[str] = []
        self._scores: list[dict[str, Any]] = []
        self._natives: dict[str, Any] = {}
        self._last: Stop | None = None

    def feed(self, events: Sequence[Event]) -> bytes:
        for event in events:
            if not self._note(event):
                self._take(event)
        return b""

    def end(self) -> bytes:
        """The whole reply. Raises what failed, ProviderCut when it broke off."""
        if self._failed is not None:
            raise self._failed
        if self._last is None:
            raise ProviderCut("the provider's reply broke off before its end")
        said: dict[str, Any] = {"content": "".join(self._texts)}
        if self._thoughts:
            said["thinking"] = "".join(self._thoughts)
        if self._calls:
            said["tool_calls"] = self._said(list(self._calls.values()))
        fields = {**self._head(), **piece({**said, **self._natives}, self._generate), **self._ending(self._last)}
        if self._scores:
            fields["logprobs"] = self._scores
        return _encode(fields)

    def _take(self, event: Event) -> None:
        match event:
            case Text(text=text, logprobs=scores) | Refusal(text=text, logprobs=scores):
                self._texts.append(text)
                self._scores += scores or ()
            case Thinking():
                text = self._thought(event)
                self._thoughts += [text] if text else []
            case Native(name=name, value=value):
                self._natives[name] = value
            case Failed(error=error):
                self._failed = error
            case Stop(reason=reason):
                self._last = event if reason != "cut" else None
