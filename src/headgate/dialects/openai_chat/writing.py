"""Writes replies of OpenAI's Chat Completions API from events; a part of the dialect `openai_chat`.

Reasoning goes out as `reasoning_content`, the field DeepSeek began with and most clients read. Formats:
https://platform.openai.com/docs/api-reference/chat/object and …/chat-streaming
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
    Image,
    Native,
    Refusal,
    Start,
    Stop,
    StopReason,
    Text,
    Thinking,
    ToolCall,
    ToolInput,
    Used,
)
from headgate.core.usage import Usage
from headgate.dialects.openai_chat.reading import TOP_NATIVES
from headgate.dialects.openai_chat.requests import GOOGLE, NAME
from headgate.dialects.openai_errors import write_error
from headgate.dialects.openai_usage import write_usage

_encode = msgspec.json.Encoder().encode
_TIERS = frozenset({"auto", "default", "flex", "scale", "priority", "fast"})
_OPEN = b',"logprobs":null,"finish_reason":null}]'


_FINISH: dict[StopReason, str] = {
    "stop": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "context": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
    "pause": "stop",
    "cut": "stop",
}
_ROLE = b'{"role":"assistant","content":"","refusal":null}'
_ROLE_ONLY = b'{"role":"assistant","content":null}'
_OWN_FINISH = frozenset({"stop", "length", "tool_calls", "function_call", "content_filter"})


def _completion_id(id: str) -> str:
    return id if id.startswith("chatcmpl") else f"chatcmpl-{id}"


def as_images(event: Image) -> Native:
    """A picture in the field OpenRouter has for it: https://openrouter.ai/docs/features/multimodal/image-generation"""
    url = f"data:{event.media_type};base64,{event.base64}"
    value = [{"type": "image_url", "image_url": {"url": url}}]
    return Native(dialect=NAME, name="images", value=value, choice=event.choice, block=event.block)


class _Written:
    """What has been written of a choice."""

    __slots__ = (
        "annotations", "calls", "cited", "content", "finish", "length", "native", "refusal", "scores", "scores_refusal",
        "start", "text_block", "thinking",
    )  # fmt: skip

    def __init__(self) -> None:
        self.content: list[str] = []
        self.thinking: list[str] = []
        self.refusal: list[str] = []
        self.scores: list[Any] = []
        self.scores_refusal: list[Any] = []
        self.calls: dict[int, _WrittenCall] = {}
        self.annotations: list[dict[str, Any]] = []
        self.cited: list[tuple[dict[str, Any], int]] = []
        """Citations of the open text, and where that text began: its end is not known yet."""
        self.native: dict[str, Any] = {}
        self.length = 0
        self.start = 0
        self.text_block = -1
        self.finish: str | None = None


def _extra(proof: str) -> dict[str, Any]:
    """Google's proof as its own OpenAI face gives it."""
    return {"google": {"thought_signature": proof}}


class _WrittenCall:
    """A tool call as it was said; `place` is its index among the calls of its choice."""

    __slots__ = ("begun", "custom", "id", "input", "more", "name", "place")

    def __init__(self, call: ToolCall, place: int) -> None:
        self.id = call.id
        self.name = call.name
        self.custom = call.custom
        self.place = place
        proof = call.signature if call.signer == GOOGLE else None
        self.more = {"extra_content": _extra(proof)} if proof else {}
        self.begun = False
        self.input: list[str] = []


class Writer:
    """What both writers share: following the events, and what cannot be said."""

    def __init__(self, request: Mapping[str, Any], lost: list[Loss]) -> None:
        self._lost = lost
        self._told: set[str] = set()
        self._choices: dict[int, _Written] = {}
        self._start = Start()
        self._usage: Usage | None = None
        self._failed: GatewayError | None = None
        self._stopped = False
        self._top: dict[str, Any] = {}
        self._legacy = bool(request.get("functions")) and not request.get("tools")

    def _choice(self, index: int) -> _Written:
        state = self._choices.get(index)
        if state is None:
            state = self._choices[index] = _Written()
        return state

    def _fields(self, start: Start, object: str) -> dict[str, Any]:
        """What every chunk and the whole reply begin with."""
        fields = {"id": _completion_id(start.id), "object": object, "created": start.created, "model": start.model}
        if start.native.get("service_tier") in _TIERS:
            fields["service_tier"] = start.native["service_tier"]
        return fields

    def _call(self, state: _Written, event: ToolCall) -> _WrittenCall | None:
        """The call, noted; None for a second one where the client knows only `function_call`."""
        if self._legacy and state.calls:
            self._lose("tool_calls", "`functions` allows one call; send `tools` to get all")
            return None
        if event.signature and event.signer != GOOGLE:
            self._lose("tool_call.signature", "Chat Completions has no field for it")
        call = state.calls[event.block] = _WrittenCall(event, len(state.calls))
        return call

    def _text(self, state: _Written, event: Text) -> None:
        if state.text_block != event.block:
            self._cite(state)
            state.text_block = event.block
            state.start = state.length
        state.length += len(event.text)

    def _citation(self, state: _Written, event: Citation) -> None:
        """Sources with an address become `url_citation`, for the whole piece of text they stand at."""
        value = event.value
        if event.dialect == NAME:
            state.cited.append((value, -1))
            return
        url = value.get("url") or value.get("source") or value.get("uri")
        if not isinstance(url, str) or not url.startswith(("http://", "https://")):
            self._lose("citations", "only citations of web pages have a form in Chat Completions")
            return
        if event.block != state.text_block:
            self._cite(state)
            state.text_block = event.block
            state.start = state.length
        title = value.get("title")
        state.cited.append(({"url": url, "title": title if isinstance(title, str) else ""}, state.start))

    def _cite(self, state: _Written) -> list[dict[str, Any]]:
        """The annotations of the text that has just ended."""
        done = []
        for value, start in state.cited:
            if start < 0:
                done.append(value)
            else:
                span = {"start_index": start, "end_index": state.length, **value}
                done.append({"type": "url_citation", "url_citation": span})
        state.cited.clear()
        state.annotations += done
        return done

    def _finish(self, event: Stop) -> str:
        if event.vendor in _OWN_FINISH:
            return event.vendor or "stop"
        if event.sequence is not None:
            self._lose("stop_sequence", "Chat Completions does not say which sequence was met")
        for key in event.native:
            self._lose(key, "Chat Completions has no such field")
        if event.reason == "pause":
            self._lose("stop_reason", "said as stop: Chat Completions has no pause")
        if event.reason == "tool_use" and self._legacy:
            return "function_call"
        return _FINISH[event.reason]

    def _thinking(self, event: Thinking) -> None:
        if event.signature is not None and event.signer != GOOGLE:
            self._lose("thinking.signature", "Chat Completions has no field for it")
        if event.redacted is not None:
            self._lose("redacted_thinking", "Chat Completions has no field for it")

    def _lose_native(self, event: Native) -> None:
        """What only another dialect knows: a block of content by its type, a call's further fields by their names."""
        kind = event.value.get("type") if isinstance(event.value, dict) else None
        names = [event.name]
        if event.name == "content_block" and isinstance(kind, str):
            names = [f"content.{kind}"]
        elif event.name == "tool_use" and isinstance(event.value, dict):
            names = [f"content.tool_use.{key}" for key in event.value]
        for name in names:
            self._lose(name, f"only {event.dialect} knows it")

    def _lose(self, path: str, why: str) -> None:
        if path not in self._told:
            self._told.add(path)
            self._lost.append(Loss(f"reply.{path}", why))


class StreamWriter(Writer):
    """Events → `chat.completion.chunk` events, built as bytes around a head that is made once."""

    def __init__(self, request: Mapping[str, Any], lost: list[Loss]) -> None:
        super().__init__(request, lost)
        options = request.get("stream_options")
        self._ask = isinstance(options, Mapping) and options.get("include_usage") is True
        self._null = b',"usage":null}\n\n' if self._ask else b"}\n\n"
        self._tail = _OPEN + self._null
        self._base = b""
        self._heads: dict[int, bytes] = {}

    def feed(self, events: Sequence[Event]) -> bytes:
        out: list[bytes] = []
        for event in events:
            kind = type(event)
            if kind is Text:
                self._say_text(event, out)  # type: ignore[arg-type]
            elif kind is ToolInput:
                self._say_input(event, out)  # type: ignore[arg-type]
            elif isinstance(event, Text):  # another dialect's kind of it
                self._say_text(event, out)
            else:
                self._say(event, out)
        return b"".join(out)

    def end(self) -> bytes:
        """The usage, where the client asked for it, and `[DONE]`; nothing when the reply was cut."""
        if not self._stopped:
            return b""
        usage = b""
        if self._ask and self._usage is not None:
            usage = self._base + b'],"usage":' + write_usage(self._usage) + b"}\n\n"
        return usage + b"data: [DONE]\n\n"

    def _say(self, event: Event, out: list[bytes]) -> None:
        match event:
            case Start():
                self._begin(event)
            case Thinking():
                self._say_thinking(event, out)
            case Refusal():
                tail = self._scored("refusal", event.logprobs) if event.logprobs else self._tail
                self._delta(event.choice, b'{"refusal":' + _encode(event.text) + b"}", out, tail)
            case ToolCall():
                self._say_call(event, out)
            case Citation():
                self._say_citation(event, out)
            case Used():
                self._usage = event.usage
            case Image() | Native():
                self._say_native(event if isinstance(event, Native) else as_images(event), out)
            case Stop():
                if event.reason != "cut":
                    self._say_stop(event, out)
            case Failed():
                out.append(write_error(event.error, "", streaming=True))

    def _begin(self, start: Start) -> None:
        fields = self._fields(start, "chat.completion.chunk")
        self._base = b"data: " + _encode(fields)[:-1] + b',"choices":['

    def _head(self, index: int, first: bytes, out: list[bytes]) -> bytes:
        """What stands before a delta; the first one of a choice is preceded by its role."""
        head = self._heads.get(index)
        if head is None:
            if not self._base:
                self._begin(Start())
            head = self._heads[index] = self._base + b'{"index":%d,"delta":' % index
            out.append(head + first + self._tail)
        return head

    def _delta(self, index: int, delta: bytes, out: list[bytes], tail: bytes | None = None) -> None:
        head = self._heads.get(index) or self._head(index, _ROLE, out)
        out.append(head + delta + (tail or self._tail))

    def _scored(self, kind: str, scores: list[dict[str, Any]]) -> bytes:
        logprobs = {"content": None, "refusal": None} | {kind: scores}
        return b',"logprobs":' + _encode(logprobs) + b',"finish_reason":null}]' + self._null

    def _say_text(self, event: Text, out: list[bytes]) -> None:
        state = self._choices.get(event.choice) or self._choice(event.choice)
        if state.text_block != event.block:
            self._flush(event.choice, state, out)
        self._text(state, event)
        tail = self._scored("content", event.logprobs) if event.logprobs else self._tail
        head = self._heads.get(event.choice) or self._head(event.choice, _ROLE, out)
        out.append(head + b'{"content":' + _encode(event.text) + b"}" + tail)

    def _say_call(self, event: ToolCall, out: list[bytes]) -> None:
        state = self._choice(event.choice)
        self._flush(event.choice, state, out)
        call = self._call(state, event)
        if call is None:
            return
        head = self._head(event.choice, _ROLE_ONLY, out)
        if self._legacy:
            delta: dict[str, Any] = {"function_call": {"name": call.name, "arguments": ""}}
        else:
            kind, text = ("custom", "input") if call.custom else ("function", "arguments")
            entry = {"index": call.place, "id": call.id, "type": kind, kind: {"name": call.name, text: ""}, **call.more}
            delta = {"tool_calls": [entry]}
        out.append(head + _encode(delta) + self._tail)

    def _say_input(self, event: ToolInput, out: list[bytes]) -> None:
        state = self._choice(event.choice)
        call = state.calls.get(event.block)
        if call is None:
            return
        if not call.begun and event.json:
            call.begun = True
        if self._legacy:
            delta = b'{"function_call":{"arguments":%b}}'
        elif call.custom:
            delta = b'{"tool_calls":[{"index":%d,"custom":{"input":%%b}}]}' % call.place
        else:
            delta = b'{"tool_calls":[{"index":%d,"function":{"arguments":%%b}}]}' % call.place
        self._delta(event.choice, delta % _encode(event.json), out)

    def _say_thinking(self, event: Thinking, out: list[bytes]) -> None:
        self._thinking(event)
        if event.text:
            self._delta(event.choice, b'{"reasoning_content":' + _encode(event.text) + b"}", out)
        if event.signature and event.signer == GOOGLE:
            self._delta(event.choice, b'{"extra_content":' + _encode(_extra(event.signature)) + b"}", out)

    def _say_native(self, event: Native, out: list[bytes]) -> None:
        if event.dialect != NAME:
            self._lose_native(event)
        elif event.name in TOP_NATIVES:
            extra = b',"%b":%b' % (event.name.encode(), _encode(event.value))
            self._delta(event.choice, b"{}", out, _OPEN + extra + self._null)
        else:
            self._delta(event.choice, _encode({event.name: event.value}), out)

    def _say_citation(self, event: Citation, out: list[bytes]) -> None:
        state = self._choice(event.choice)
        if event.block != state.text_block:  # a source may come before the text it stands at
            self._flush(event.choice, state, out)
        self._citation(state, event)

    def _flush(self, index: int, state: _Written, out: list[bytes]) -> None:
        if state.cited:
            place, own = len(state.annotations), state.cited[0][1] < 0
            cited = self._cite(state)
            if not own:  # OpenAI's SDK joins the lists of a stream's chunks by `index`, and fails without it
                cited = [{"index": place + number, **entry} for number, entry in enumerate(cited)]
            self._delta(index, _encode({"annotations": cited}), out)

    def _say_stop(self, event: Stop, out: list[bytes]) -> None:
        state = self._choice(event.choice)
        self._flush(event.choice, state, out)
        for block, call in state.calls.items():
            if not (call.begun or call.custom):  # no arguments at all: the text must be JSON nonetheless
                self._say_input(ToolInput(json="{}", choice=event.choice, block=block), out)
        finish = self._finish(event).encode()
        tail = b',"logprobs":null,"finish_reason":"%b"}]' % finish + self._null
        self._delta(event.choice, b"{}", out, tail)
        self._stopped = True


class WholeWriter(Writer):
    """Events → one `chat.completion`."""

    def feed(self, events: Sequence[Event]) -> bytes:
        for event in events:
            self._hear(event)
        return b""

    def end(self) -> bytes:
        """The whole reply. Raises what failed, ProviderCut when it broke off."""
        if self._failed is not None:
            raise self._failed
        if not self._stopped:
            raise ProviderCut("the provider's reply broke off before its end")
        fields = self._fields(self._start, "chat.completion")
        choices = [self._written(index, self._choices[index]) for index in sorted(self._choices)]
        body = _encode({**fields, **self._top})[:-1] + b',"choices":' + _encode(choices)
        if self._usage is not None:
            body += b',"usage":' + write_usage(self._usage)
        return body + b"}"

    def _hear(self, event: Event) -> None:
        match event:
            case Start():
                self._start = event
            case Used():
                self._usage = event.usage
            case Failed():
                self._failed = event.error
            case Stop():
                if event.reason != "cut":
                    self._choice(event.choice).finish = self._finish(event)
                    self._stopped = True
            case _:
                self._hear_content(self._choice(event.choice), event)

    def _hear_content(self, state: _Written, event: Event) -> None:
        match event:
            case Text():
                self._text(state, event)
                state.content.append(event.text)
                state.scores += event.logprobs or ()
            case Thinking():
                self._thinking(event)
                state.thinking.append(event.text)
                if event.signature and event.signer == GOOGLE:
                    state.native["extra_content"] = _extra(event.signature)
            case Refusal():
                state.refusal.append(event.text)
                state.scores_refusal += event.logprobs or ()
            case ToolCall():
                self._call(state, event)
            case ToolInput(block=block, json=text):
                if block in state.calls:
                    state.calls[block].input.append(text)
            case Citation():
                self._citation(state, event)
            case Image():
                self._hear_native(state, as_images(event))
            case Native():
                self._hear_native(state, event)

    def _hear_native(self, state: _Written, event: Native) -> None:
        if event.dialect != NAME:
            self._lose_native(event)
            return
        into = self._top if event.name in TOP_NATIVES else state.native
        old = into.get(event.name)
        both_lists = isinstance(old, list) and isinstance(event.value, list)
        into[event.name] = old + event.value if both_lists else event.value

    def _written(self, index: int, state: _Written) -> dict[str, Any]:
        self._cite(state)
        message: dict[str, Any] = {"role": "assistant", "content": None, "refusal": None}
        if state.content or not (state.calls or state.refusal or state.native):
            message["content"] = "".join(state.content)
        if state.refusal:
            message["refusal"] = "".join(state.refusal)
        if any(state.thinking):
            message["reasoning_content"] = "".join(state.thinking)
        message["annotations"] = state.annotations
        calls = [_whole_call(call) for call in state.calls.values()]
        if calls and self._legacy:
            message["function_call"] = calls[0]["function"]
        elif calls:
            message["tool_calls"] = calls
        native = dict(state.native)
        if "content" in native:  # parts without a word of the core's
            text = message["content"]
            native["content"] = ([{"type": "text", "text": text}] if text else []) + native["content"]
        logprobs = None
        if state.scores or state.scores_refusal:
            logprobs = {"content": state.scores or None, "refusal": state.scores_refusal or None}
        finish = state.finish or "stop"
        return {"index": index, "message": {**message, **native}, "logprobs": logprobs, "finish_reason": finish}


def _whole_call(call: _WrittenCall) -> dict[str, Any]:
    text = "".join(call.input)
    if call.custom:
        return {"id": call.id, "type": "custom", "custom": {"name": call.name, "input": text}, **call.more}
    function = {"name": call.name, "arguments": text or "{}"}
    return {"id": call.id, "type": "function", "function": function, **call.more}
