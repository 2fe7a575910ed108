"""Writes events as replies of Cohere's v2 chat; a part of `cohere_chat`.

- A piece of content ends where another piece begins; a tool call where its arguments are complete, else at the end.
- Text of another dialect is content, also before tool calls: that it is a plan shows only when a call follows.
- Citations of web pages become citations of a document with that address; others are named as lost.
- A refusal is text; a reply that a filter stopped ends in COMPLETE, for there is no other word.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from headgate.core.chat import Loss
from headgate.core.errors import GatewayError, ProviderCut
from headgate.core.events import (
    Citation,
    Event,
    Failed,
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
from headgate.dialects.cohere_chat.words import DIALECT, FINISHES, REASONS, write_usage
from headgate.dialects.cohere_errors import write_error

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_TAIL = b"}}}}\n\n"


class _Call:
    """A tool call as it is said; `index` is its place among the calls."""

    __slots__ = ("closed", "id", "index", "input", "name")

    def __init__(self, event: ToolCall, index: int) -> None:
        self.id = event.id or f"call_{index}"
        self.name = event.name
        self.index = index
        self.input: list[str] = []
        self.closed = False

    @property
    def complete(self) -> bool:
        """Whether the arguments are the whole JSON text of a value."""
        text = "".join(self.input)
        if text.rstrip()[-1:] != "}":
            return False
        try:
            _decode(text)
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return False
        return True


def _item(entry: Mapping[str, Any]) -> dict[str, Any]:
    """One of OpenAI's entries as a `logprobs` item; what this dialect's reader put beside it goes back."""
    text, value = entry.get("token"), entry.get("logprob")
    ids, values = entry.get("token_ids"), entry.get("logprobs")
    return {
        "text": text if isinstance(text, str) else "",
        "token_ids": ids if isinstance(ids, list) else [],
        "logprobs": values if isinstance(values, list) else [value],
    }


class _Writer:
    """What the streamed and the whole form share: following the events, and what cannot be said."""

    def __init__(self, lost: list[Loss]) -> None:
        self._lost = lost
        self._named: set[str] = set()
        self._id = ""
        self._usage: Usage | None = None
        self._plans: set[int] = set()
        self._calls: dict[int, _Call] = {}
        self._failed: GatewayError | None = None
        self._stopped = False

    def lose(self, path: str, why: str) -> None:
        """Once for each path."""
        if path not in self._named:
            self._named.add(path)
            self._lost.append(Loss(f"reply.{path}", why))

    def _mine(self, event: Event) -> bool:
        """Whether there is anything to write for it; notes what is no piece of the answer."""
        if event.choice:
            self.lose(f"choices[{event.choice}]", "Cohere gives one answer")
            return False
        match event:
            case Start(id=id):
                self._id = id
                for key in event.native:
                    self.lose(key, "Cohere's chat has no such field")
            case Used(usage=usage):
                self._usage = usage
                return False
            case Native(dialect=dialect, name=name):
                return self._native(event, dialect, name)
            case Thinking(redacted=redacted, signature=signature):
                if signature is not None:
                    self.lose("thinking.signature", "Cohere's thinking is not signed")
                if redacted is not None:
                    self.lose("redacted_thinking", "Cohere's thinking is not redacted")
                    return False
                return signature is None or bool(event.text)
            case ToolCall():
                if event.custom:
                    self.lose("tool_calls.custom", "said as a function: Cohere has no free-form tools")
                if event.signature:
                    self.lose("tool_call.signature", "Cohere's calls are not signed")
        return True

    def _native(self, event: Native, dialect: str, name: str) -> bool:
        if dialect == DIALECT:
            if name == "tool_plan":
                self._plans.add(event.block)
                return False
            return True
        kind = event.value.get("type") if isinstance(event.value, dict) else None
        self.lose(f"content.{kind}" if name == "content_block" else name, f"only {dialect} knows it")
        return False

    def _scores(self, event: Text | Refusal) -> list[dict[str, Any]]:
        """The entries of the tokens as `logprobs` items."""
        if any(entry.get("top_logprobs") for entry in event.logprobs or ()):
            self.lose("logprobs.top_logprobs", "Cohere tells of the tokens it chose only")
        return [_item(entry) for entry in event.logprobs or ()]

    def _citation(self, event: Citation, text: str) -> dict[str, Any] | None:
        """The citation, `text` being that of its block so far."""
        value = event.value
        if event.dialect == DIALECT:
            return value
        inner = value.get("url_citation")
        found = inner if isinstance(inner, Mapping) else value
        url = found.get("url") or found.get("source")
        if not isinstance(url, str) or not url.startswith(("http://", "https://")):
            self.lose("citations", "only citations of web pages have a form in Cohere's chat")
            return None
        start, end = found.get("start_index"), found.get("end_index")
        if not (isinstance(start, int) and isinstance(end, int) and 0 <= start <= end <= len(text)):
            start, end = 0, len(text)
        document = {"url": url} | {
            ours: found[theirs]
            for ours, theirs in (("title", "title"), ("text", "cited_text"))
            if isinstance(found.get(theirs), str)
        }
        source = {"type": "document", "id": url, "document": document}
        return {"start": start, "end": end, "text": text[start:end], "sources": [source], "type": "TEXT_CONTENT"}

    def _finish(self, stop: Stop) -> str:
        if stop.sequence is not None:
            self.lose("stop_sequence", "Cohere does not say which sequence was met")
        if stop.reason in ("refusal", "pause"):
            self.lose("finish_reason", f"said as COMPLETE: Cohere's chat has no word for a {stop.reason}")
        if stop.vendor in REASONS:
            return stop.vendor or "COMPLETE"
        return "TOOL_CALL" if stop.reason == "stop" and self._calls else FINISHES[stop.reason]

    def _lose_stop(self, native: Mapping[str, Any], known: frozenset[str]) -> None:
        for key in native:
            if key not in known:
                self.lose(f"choices[0].{key}", "Cohere's chat has no such field")


class StreamWriter(_Writer):
    """Event frames as the API sends them."""

    def __init__(self, lost: list[Loss]) -> None:
        super().__init__(lost)
        self._begun = False
        self._open: int | None = None
        self._kind = ""
        self._head = b""
        self._contents = 0
        self._cited = 0
        self._pieces: list[str] = []

    def feed(self, events: Sequence[Event]) -> bytes:
        out: list[bytes] = []
        for event in events:
            # the common case first: more text of the open piece
            if type(event) is Text and event.block == self._open and self._kind == "text" and not event.logprobs:
                if event.text and not event.choice:
                    self._pieces.append(event.text)
                    out += (self._head, _encode(event.text), _TAIL)
            elif not (self._stopped or self._failed) and self._mine(event):
                self._take(event, out)
        return b"".join(out)

    def end(self) -> bytes:
        """`[DONE]`; nothing when the reply was cut."""
        return b"data: [DONE]\n\n" if self._stopped else b""

    def _take(self, event: Event, out: list[bytes]) -> None:
        match event:
            case Failed(error=error):
                self._failed = error
                out.append(write_error(error, "", streaming=True))
            case Stop(reason="cut"):
                pass
            case _:
                if not self._begun:
                    self._begin(out)
                self._piece(event, out)

    def _piece(self, event: Event, out: list[bytes]) -> None:
        match event:
            case Text() | Refusal():
                self._text(event, out)
            case Thinking(text=text):
                self._switch(event.block, "thinking", out)
                if text:
                    out += (self._head, _encode(text), _TAIL)
            case ToolCall():
                self._call(event, out)
            case ToolInput(json=json):
                self._input(event.block, json, out)
            case Citation():
                self._cite(event, out)
            case Native(value=value, name=name):
                if isinstance(value, dict) and name != "content":
                    out.append(_frame(name, value))
                else:
                    self.lose(name, "a piece of a whole reply, which a stream has no place for")
            case Stop():
                self._stop(event, out)

    def _begin(self, out: list[bytes]) -> None:
        self._begun = True
        message = {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}
        out.append(_frame("message-start", {"id": self._id, "type": "message-start", "delta": {"message": message}}))

    def _text(self, event: Text | Refusal, out: list[bytes]) -> None:
        if event.block in self._plans:
            self._close(out)
            delta = {"message": {"tool_plan": event.text}}
            out.append(_frame("tool-plan-delta", {"type": "tool-plan-delta", "delta": delta}))
            return
        self._switch(event.block, "text", out)
        self._pieces.append(event.text)
        scores = self._scores(event) if event.logprobs else []
        if scores:
            joined = {
                "text": "".join(item["text"] for item in scores),
                "token_ids": [id for item in scores for id in item["token_ids"]],
                "logprobs": [value for item in scores for value in item["logprobs"]],
            }
            out += (self._head, _encode(event.text), b'}}},"logprobs":', _encode(joined), b"}\n\n")
        elif event.text:
            out += (self._head, _encode(event.text), _TAIL)

    def _switch(self, block: int, kind: str, out: list[bytes]) -> None:
        """Let this piece of content be the open one."""
        if self._open == block and self._kind == kind:
            return
        self._close(out)
        index, self._contents = self._contents, self._contents + 1
        delta = {"message": {"content": {"type": kind, kind: ""}}}
        out.append(_frame("content-start", {"type": "content-start", "index": index, "delta": delta}))
        self._open, self._kind = block, kind
        self._pieces = []
        self._head = (
            f'event: content-delta\ndata: {{"type":"content-delta","index":{index},'
            f'"delta":{{"message":{{"content":{{"{kind}":'
        ).encode()

    def _close(self, out: list[bytes], *, last: bool = False) -> None:
        """End the open piece of content, and calls whose arguments are complete; the last time, all of them."""
        if self._open is not None:
            out.append(_frame("content-end", {"type": "content-end", "index": self._contents - 1}))
            self._open, self._kind = None, ""
        for call in self._calls.values():
            if not call.closed and (last or call.complete):
                if not call.input:
                    out.append(_arguments(call.index, "{}"))
                call.closed = True
                out.append(_frame("tool-call-end", {"type": "tool-call-end", "index": call.index}))

    def _call(self, event: ToolCall, out: list[bytes]) -> None:
        self._close(out)
        call = self._calls[event.block] = _Call(event, len(self._calls))
        said = {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}
        delta = {"message": {"tool_calls": said}}
        out.append(_frame("tool-call-start", {"type": "tool-call-start", "index": call.index, "delta": delta}))

    def _input(self, block: int, json: str, out: list[bytes]) -> None:
        call = self._calls.get(block)
        if call is not None and not call.closed and json:
            call.input.append(json)
            out.append(_arguments(call.index, json))

    def _cite(self, event: Citation, out: list[bytes]) -> None:
        value = self._citation(event, "".join(self._pieces))
        if value is None:
            return
        index, self._cited = self._cited, self._cited + 1
        delta = {"message": {"citations": value}}
        out.append(_frame("citation-start", {"type": "citation-start", "index": index, "delta": delta}))
        out.append(_frame("citation-end", {"type": "citation-end", "index": index}))

    def _stop(self, stop: Stop, out: list[bytes]) -> None:
        self._close(out, last=True)
        self._lose_stop(stop.native, frozenset())
        delta = {"finish_reason": self._finish(stop), "usage": write_usage(self._usage)}
        out.append(_frame("message-end", {"type": "message-end", "delta": delta}))
        self._stopped = True


def _arguments(index: int, text: str) -> bytes:
    delta = {"message": {"tool_calls": {"function": {"arguments": text}}}}
    return _frame("tool-call-delta", {"type": "tool-call-delta", "index": index, "delta": delta})


def _frame(name: str, value: Any) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + _encode(value) + b"\n\n"


class WholeWriter(_Writer):
    """One reply, given by `end`."""

    def __init__(self, lost: list[Loss]) -> None:
        super().__init__(lost)
        self._blocks: dict[tuple[int, str], Any] = {}
        self._plan: list[str] = []
        self._logprobs: list[dict[str, Any]] = []
        self._citations: list[Citation] = []
        self._last: Stop | None = None

    def feed(self, events: Sequence[Event]) -> bytes:
        for event in events:
            if self._mine(event):
                self._take(event)
        return b""

    def end(self) -> bytes:
        """The whole reply. Raises what failed, ProviderCut when it broke off."""
        if self._failed is not None:
            raise self._failed
        if self._last is None:
            raise ProviderCut("the provider's reply broke off before its end")
        native = dict(self._last.native)
        own = native.pop("message", None) if self._last.vendor in REASONS else None
        known = frozenset(native) if self._last.vendor in REASONS else frozenset()
        self._lose_stop(native, known)
        fields = {
            "id": self._id,
            "message": {**self._message(), **(own or {})},
            "finish_reason": self._finish(self._last),
        }
        if self._logprobs:
            fields["logprobs"] = self._logprobs
        return _encode({**fields, "usage": write_usage(self._usage), **{key: native[key] for key in known}})

    def _message(self) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant"}
        if self._plan:
            message["tool_plan"] = "".join(self._plan)
        content = [
            {"type": kind, kind: "".join(pieces)} if kind else pieces for (_, kind), pieces in self._blocks.items()
        ]
        if content or not self._calls:
            message["content"] = content
        if self._calls:
            message["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {"name": call.name, "arguments": "".join(call.input) or "{}"},
                }
                for call in self._calls.values()
            ]
        cited = []
        for event in self._citations:
            value = self._citation(event, "".join(self._blocks.get((event.block, "text"), ())))
            cited += [] if value is None else [value]
        if cited:
            message["citations"] = cited
        return message

    def _take(self, event: Event) -> None:
        match event:
            case Text() | Refusal():
                if event.block in self._plans:
                    self._plan.append(event.text)
                else:
                    self._blocks.setdefault((event.block, "text"), []).append(event.text)
                self._logprobs += self._scores(event) if event.logprobs else ()
            case Thinking(text=text):
                self._blocks.setdefault((event.block, "thinking"), []).append(text)
            case ToolCall():
                self._calls[event.block] = _Call(event, len(self._calls))
            case ToolInput(json=json):
                if event.block in self._calls:
                    self._calls[event.block].input.append(json)
            case Citation():
                self._citations.append(event)
            case Native(value=value, name=name):
                if name == "content":
                    self._blocks[(event.block, "")] = value
                else:
                    self.lose(name, "an event of a stream, which a whole reply has no place for")
            case Failed(error=error):
                self._failed = error
            case Stop(reason=reason):
                self._last = event if reason != "cut" else None
