"""Reads replies of OpenAI's Chat Completions API into events; a part of the dialect `openai_chat`.

Formats: https://platform.openai.com/docs/api-reference/chat/object and …/chat-streaming. A chunk and a whole reply
have the same shape but for `delta` and `message`, so both are read by the same code.
`system_fingerprint`, `obfuscation` and the service tier "default" tell nothing of the answer and are not read.
"""

from __future__ import annotations

from typing import Any

import msgspec

from headgate.core.errors import ProviderNonsense
from headgate.core.events import (
    Citation,
    Event,
    Failed,
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
from headgate.dialects.framing import LIMIT, EventStream, is_event_stream, may_be_error
from headgate.dialects.openai_chat.requests import GOOGLE, NAME, google_proof, thought
from headgate.dialects.openai_errors import inside
from headgate.dialects.openai_usage import number, read_usage


class _Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: Any = None
    input: Any = None


class _Call(msgspec.Struct, gc=False):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None
    custom: _Function | None = None
    extra_content: Any = None


class Delta(msgspec.Struct, gc=False):
    """A `delta` or a `message`; `Any` where hosts differ in type."""

    content: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None
    function_call: _Function | None = None
    annotations: Any = None
    audio: Any = None
    images: Any = None
    reasoning_details: Any = None
    executed_tools: Any = None
    extra_content: Any = None


class _Choice(msgspec.Struct, gc=False):
    index: int = 0
    delta: Delta | None = None
    message: Delta | None = None
    finish_reason: str | None = None
    logprobs: Any = None


class Chunk(msgspec.Struct, gc=False):
    """A chunk or a whole reply: what is read of it."""

    choices: list[_Choice] | None = None
    usage: Any = None
    id: Any = None
    model: Any = None
    created: Any = None
    service_tier: Any = None
    error: Any = None
    object: Any = None
    x_groq: Any = None
    citations: Any = None
    search_results: Any = None
    moderation: Any = None


DELTA_NATIVES = ("audio", "images", "reasoning_details", "executed_tools")
"""Fields of a delta or message without a word of the core's own: images and the raw reasoning of OpenRouter, Groq's."""
TOP_NATIVES = ("citations", "search_results", "moderation")
"""The same, beside `choices`: Perplexity's sources, OpenAI's moderation."""

_STOPS: dict[str, StopReason] = {
    "stop": "stop",
    "eos": "stop",  # Together
    "length": "length",
    "max_tokens": "length",
    "model_length": "context",  # Mistral
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
_decode_chunk = msgspec.json.Decoder(Chunk).decode
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def read_chunk(data: bytes) -> Chunk:
    """One chunk or whole reply. Raises ProviderNonsense."""
    try:
        chunk = _decode_chunk(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise nonsense(data, str(error)) from None
    if chunk.object == "error":  # Mistral and vLLM: the error's fields stand beside it
        chunk.error = chunk.error or True
    return chunk


def nonsense(data: bytes, why: str) -> ProviderNonsense:
    """The error for bytes that are no reply of this API, with their beginning."""
    start = data[:80].decode("utf-8", "replace")
    return ProviderNonsense(f"The provider's reply is not a chat completion ({why}); it begins with {start!r}.")


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _scores(logprobs: Any, kind: str) -> list[dict[str, Any]] | None:
    """The entries of the tokens; None where there are none, or something else."""
    found = logprobs.get(kind) if type(logprobs) is dict else None
    if type(found) is not list or not found:
        return None
    return found if all(type(entry) is dict for entry in found) else None


class _OpenCall:
    """A tool call whose deltas are coming in."""

    __slots__ = ("begun", "block", "custom", "held", "id", "name")

    def __init__(self, id: str, name: str, block: int, custom: bool) -> None:
        self.id = id
        self.name = name
        self.block = block
        self.custom = custom
        self.begun = False
        self.held = ""


class _Open:
    """What is known of a choice so far."""

    __slots__ = ("block", "blocks", "calls", "finish", "kind", "last", "text")

    def __init__(self) -> None:
        self.block = 0
        self.blocks = 0
        self.kind = ""
        self.text = 0
        self.calls: dict[int, _OpenCall] = {}
        self.last: _OpenCall | None = None
        self.finish: str | None = None

    def piece(self, kind: str) -> int:
        """The block of a piece of this kind: the open one, or a new one where another kind was open."""
        if self.kind != kind:
            self.kind = kind
            self.block = self.blocks
            self.blocks += 1
            if kind == "text":
                self.text = self.block
        return self.block


class Reader:
    """Bytes of a reply → events. Chunks that cannot be decoded raise ProviderNonsense."""

    __slots__ = ("_body", "_choices", "_done", "_id", "_native", "_started", "_stream")

    def __init__(self, stream: bool) -> None:
        self._stream = EventStream() if stream else None
        self._body = bytearray()
        self._choices: dict[int, _Open] = {}
        self._started = False
        self._done = False
        self._native: dict[str, Any] = {}
        self._id = ""

    def feed(self, data: bytes) -> list[Event]:
        if self._stream is None:
            self._body += data
            return []
        events: list[Event] = []
        for _, payload in self._stream.feed(data):
            if self._done:
                break
            if payload[:6] == b"[DONE]":
                if not self._choices:
                    raise nonsense(payload, "no choices")
                self._close(events)
            else:
                self._chunk(read_chunk(payload), payload, events)
        if not (self._started or self._done or events or is_event_stream(head := self._stream.head)) and (
            head.lstrip()[:1] != b"{" or data.rstrip()[-1:] == b"}"  # JSON is looked at where it may be whole
        ):
            check_start(self._stream.rest)
        return events

    def end(self) -> list[Event]:
        events: list[Event] = []
        if self._done:
            return events
        if self._stream is None:
            self._whole(bytes(self._body), events)
        elif not self._started and self._stream.rest[:1] == b"{":  # a host that does not stream
            self._whole(self._stream.rest, events)
        elif self.over or (self._choices and self._stream.rest.strip() in (b"data: [DONE]", b"data:[DONE]")):
            self._close(events)
        else:
            self._done = True
            events.append(Stop(reason="cut"))
        return events

    @property
    def over(self) -> bool:
        """Every choice seen has said why it stopped: nothing is missing but the mark at the end."""
        return bool(self._choices) and all(choice.finish is not None for choice in self._choices.values())

    def _whole(self, body: bytes, events: list[Event]) -> None:
        self._chunk(read_whole(body), body, events)
        self._close(events)

    def _chunk(self, chunk: Chunk, data: bytes, events: list[Event]) -> None:
        choices = chunk.choices
        if not self._started and (choices or chunk.id):
            self._start(chunk, events)
        if choices:
            for choice in choices:
                state = self._choices.get(choice.index)
                if state is None:
                    state = self._choices[choice.index] = _Open()
                # Perplexity sends both: https://docs.perplexity.ai/api-reference/chat-completions-post. The whole
                # reply is the message, a stream's piece the delta, beside a message of all that came before it.
                delta = (choice.delta or choice.message) if self._stream else (choice.message or choice.delta)
                if delta is not None:
                    self._delta(choice.index, state, delta, choice.logprobs, events)
                if choice.finish_reason:
                    state.finish = choice.finish_reason
        for name in TOP_NATIVES:
            value = getattr(chunk, name)
            if value and self._native.get(name) != value:  # Perplexity repeats them in every chunk
                self._native[name] = value
                events.append(Native(dialect=NAME, name=name, value=value))
        usage = chunk.usage or _object(chunk.x_groq).get("usage")
        if usage and isinstance(usage, dict):
            events.append(Used(usage=read_usage(usage, chunk.service_tier)))
        if chunk.error:
            self._done = True
            events.append(Failed(error=inside(_decode(data), data)))
        elif choices is None and not (usage or self._started):
            raise nonsense(data, "no choices")

    def _start(self, chunk: Chunk, events: list[Event]) -> None:
        self._started = True
        self._id = chunk.id if isinstance(chunk.id, str) else ""
        tier = chunk.service_tier
        native = {"service_tier": tier} if type(tier) is str and tier != "default" else {}
        model = chunk.model if isinstance(chunk.model, str) else ""
        events.append(Start(id=self._id, model=model, created=number(chunk.created), native=native))

    def _delta(self, index: int, state: _Open, delta: Delta, logprobs: Any, events: list[Event]) -> None:
        """The order is that of a whole message: reasoning, text, refusal, tool calls, and what goes with them."""
        content = delta.content
        scores = _scores(logprobs, "content") if logprobs else None
        thought = delta.reasoning_content or delta.reasoning
        if thought and type(thought) is str:
            events.append(Thinking(text=thought, choice=index, block=state.piece("thinking")))
        if type(content) is str:
            if content or scores:
                events.append(Text(text=content, logprobs=scores or None, choice=index, block=state.piece("text")))
        elif content or scores:
            self._parts(index, state, content, scores, events)
        if delta.refusal or type(logprobs) is dict:
            scores = _scores(logprobs, "refusal")
            if delta.refusal or scores:
                block = state.piece("refusal")
                events.append(Refusal(text=delta.refusal or "", logprobs=scores, choice=index, block=block))
        if delta.extra_content and (proof := google_proof(delta.extra_content)):
            events.append(Thinking(signature=proof, signer=GOOGLE, choice=index, block=state.piece("proof")))
        single = delta.function_call  # empty at Snowflake, where nothing is called
        if delta.tool_calls or (single is not None and (single.name or single.arguments)):
            for call in delta.tool_calls or (_Call(index=-1, function=single),):
                self._call(index, state, call, events)
        if delta.audio or delta.images or delta.reasoning_details or delta.executed_tools or delta.annotations:
            self._rest(index, state, delta, events)

    @staticmethod
    def _rest(index: int, state: _Open, delta: Delta, events: list[Event]) -> None:
        """What is native, and sources: they belong to the text."""
        for name in DELTA_NATIVES:
            value = getattr(delta, name)
            if value and (type(value) is not dict or any(value.values())):
                events.append(Native(dialect=NAME, name=name, value=value, choice=index, block=state.block))
        sources = delta.annotations if type(delta.annotations) is list else []
        events += [
            Citation(dialect=NAME, value=value, choice=index, block=state.text)
            for value in sources
            if type(value) is dict
        ]

    def _parts(self, index: int, state: _Open, content: Any, scores: Any, events: list[Event]) -> None:
        """Content as a list: Mistral's thinking and text, https://docs.mistral.ai/capabilities/reasoning/; or as the
        JSON that was asked for: https://developers.cloudflare.com/workers-ai/features/json-mode/."""
        if type(content) is dict:
            events.append(Text(text=_encode(content).decode(), choice=index, block=state.piece("text")))
        for part in content if type(content) is list else ():
            if type(part) is not dict:
                continue
            kind = part.get("type")
            if kind == "text" and type(part.get("text")) is str:
                events.append(Text(text=part["text"], choice=index, block=state.piece("text")))
            elif kind == "thinking" and type(part.get("thinking")) in (list, str):
                text = thought(part["thinking"])
                if text:
                    events.append(Thinking(text=text, choice=index, block=state.piece("thinking")))
            else:
                events.append(Native(dialect=NAME, name="content", value=[part], choice=index, block=state.block))
        if scores:
            events.append(Text(text="", logprobs=scores, choice=index, block=state.piece("text")))

    def _call(self, index: int, state: _Open, call: _Call, events: list[Event]) -> None:
        function = call.function or call.custom or _Function()
        open = self._which(state, call, function, index)
        text = function.arguments if function.input is None else function.input
        if text is None:
            text = ""
        elif type(text) is not str:  # an object instead of its text
            text = _encode(text).decode()
        if not open.begun:
            open.name = open.name or function.name or ""
            if not open.name:
                open.held += text
                return
            self._begin(index, open, events, google_proof(call.extra_content))
            text = open.held + text
        if text:
            events.append(ToolInput(json=text, choice=index, block=open.block))

    @staticmethod
    def _begin(index: int, open: _OpenCall, events: list[Event], proof: str | None = None) -> None:
        open.begun = True
        call = ToolCall(id=open.id, name=open.name, custom=open.custom, choice=index, block=open.block)
        if proof is not None:
            call = msgspec.structs.replace(call, signature=proof, signer=GOOGLE)
        events.append(call)

    def _which(self, state: _Open, call: _Call, function: _Function, index: int) -> _OpenCall:
        """The call a delta belongs to. Some hosts give no index, or one index to all calls, or no id."""
        place = call.index
        if place is not None:
            found = state.calls.get(place)
            if found is not None and call.id and call.id != found.id and function.name:
                found = None
        elif call.id:
            found = next((open for open in state.calls.values() if open.id == call.id), None)
        else:
            found = None if function.name else state.last
        if found is None:
            if place is None:
                place = len(state.calls)
                while place in state.calls:
                    place += 1
            id = call.id or f"{self._id or 'call'}_{index}_{'function' if place < 0 else place}"
            state.kind = "tool"
            found = _OpenCall(id, function.name or "", state.blocks, call.function is None and call.custom is not None)
            state.blocks += 1
            state.calls[place] = found
        state.last = found
        return found

    def _close(self, events: list[Event]) -> None:
        self._done = True
        for index in sorted(self._choices):
            state = self._choices[index]
            for open in state.calls.values():
                if not open.begun:
                    self._begin(index, open, events)
                    if open.held:
                        events.append(ToolInput(json=open.held, choice=index, block=open.block))
        for index in sorted(self._choices):
            state = self._choices[index]
            reason = _STOPS.get(state.finish or "stop", "stop")
            if reason == "stop" and state.calls:  # a call that was forced by tool_choice ends in "stop" at OpenAI
                reason = "tool_use"
            events.append(Stop(reason=reason, vendor=state.finish, choice=index))


def check_start(rest: bytes, limit: int = LIMIT) -> None:
    """Raises ProviderNonsense, or the error a JSON body holds, when a stream begins like anything else.

    JSON of up to `limit` bytes is waited for.
    """
    if is_event_stream(rest):
        return
    if not may_be_error(rest, limit):
        raise nonsense(rest, "not an event stream")
    if rest.rstrip()[-1:] != b"}":
        return  # not all of it is here
    try:
        value = _decode(rest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    if _object(value).get("error"):
        raise inside(value, rest)


def read_whole(body: bytes) -> Chunk:
    """A whole reply. Raises ProviderNonsense where it is none, ProviderRefused where it holds an error instead."""
    chunk = read_chunk(body)
    if not chunk.choices:
        if chunk.error:
            raise inside(_decode(body), body)
        raise nonsense(body, "no choices")
    # Azure leaves the message out where its filter took the answer:
    # https://learn.microsoft.com/en-us/azure/ai-foundry/openai/concepts/content-filter
    if any(choice.message is None and choice.finish_reason != "content_filter" for choice in chunk.choices):
        raise nonsense(body, "a choice without a message")
    return chunk
