"""OpenAI's legacy Completions API: https://platform.openai.com/docs/api-reference/completions.

Its clients reach chat providers, its providers only clients of its own: a conversation is no prompt.

- The prompt crosses as one user message, which a chat model answers instead of going on with it; that is named.
- `echo` is done here: the prompt stands before the answer. `logprobs` are said in this API's form.
- Refused on a crossing: several prompts, prompts as tokens, `suffix`, `best_of` above `n`, log probabilities of the
  prompt itself (`echo` with `logprobs`).
- Without `max_tokens` this API stops after 16 tokens, a chat provider at the end of its answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from headgate.core.chat import ChatRequest, Loss, Message, Text
from headgate.core.dialect import Account, Reader, Relay, Writer
from headgate.core.errors import GatewayError, InvalidRequest, ProviderCut, ProviderNonsense, Unsupported
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
    Thinking,
    Used,
)
from headgate.core.events import Text as Said
from headgate.core.events import ToolCall as Called
from headgate.core.request import Operation
from headgate.core.usage import Usage
from headgate.dialects.dialect import decode as decode_strictly
from headgate.dialects.dialect import patch
from headgate.dialects.fields import optional, others, string, wrong
from headgate.dialects.framing import (
    EVENT_STREAM,
    JSON,
    SSE,
    Cutter,
    EventStream,
    is_event_stream,
    may_be_error,
    passed,
    read_frame,
)
from headgate.dialects.openai_errors import inside, read_error, write_error
from headgate.dialects.openai_usage import number, read_usage, write_usage

__all__ = [
    "content_type",
    "foreign",
    "in_url",
    "name",
    "operation",
    "paths",
    "read_error",
    "read_request",
    "reader",
    "relay",
    "reply_headers",
    "request_headers",
    "stream_types",
    "takes",
    "upstream_path",
    "wanted",
    "write_error",
    "write_request",
    "writer",
]

name = "openai_completions"
operation: Operation = "chat"
paths = ["/v1/completions"]
upstream_path = "/completions"
in_url = False
takes: Literal["json"] = "json"
stream_types = (EVENT_STREAM,)
request_headers = frozenset({b"idempotency-key", b"openai-beta"})
reply_headers = frozenset({b"openai-model", b"openai-processing-ms", b"openai-version"})

# fmt: off
_REQUEST = frozenset({
    "model", "prompt", "suffix", "echo", "best_of", "logprobs", "max_tokens", "temperature", "top_p", "n", "stop",
    "seed", "stream", "stream_options", "frequency_penalty", "presence_penalty", "user",
})
# fmt: on
_SAME = ("max_tokens", "temperature", "top_p", "n", "seed", "frequency_penalty", "presence_penalty", "user")
_OWN = "or use a model of a provider that speaks the Completions API"
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class OwnRequest(ChatRequest, kw_only=True):
    """A request said in the Completions API; `own` are the fields that have no word in the core."""

    own: dict[str, Any] = {}
    stop_plain: bool = False
    options: dict[str, Any] = {}


def content_type(stream: bool, fields: Mapping[str, Any]) -> bytes:
    return SSE if stream else JSON


def foreign(body: bytes) -> bool:
    """Never: nothing of a reply is sent back here."""
    return False


def wanted(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """A stream's usage, which comes only when asked for; the relay takes it out again."""
    if fields.get("stream") is not True or _asks_usage(fields):
        return {}
    options = fields.get("stream_options")
    return {"stream_options": {**(options if isinstance(options, Mapping) else {}), "include_usage": True}}


def _asks_usage(fields: Mapping[str, Any]) -> bool:
    options = fields.get("stream_options")
    return isinstance(options, Mapping) and options.get("include_usage") is True


# --- requests


def read_request(fields: Mapping[str, Any]) -> ChatRequest:
    """The decoded JSON body → the request; a null stands for an absent field."""
    prompt = fields.get("prompt")
    text = prompt[0] if isinstance(prompt, list) and len(prompt) == 1 else prompt
    request = OwnRequest(
        dialect=name,
        model=string(fields.get("model"), "model"),
        messages=[Message(role="user", parts=[Text(text=text)], plain=True)] if isinstance(text, str) else [],
        stream=bool(optional(fields, "stream", bool)),
        max_tokens=optional(fields, "max_tokens", int),
        temperature=optional(fields, "temperature", float),
        top_p=optional(fields, "top_p", float),
        n=optional(fields, "n", int),
        seed=optional(fields, "seed", int),
        frequency_penalty=optional(fields, "frequency_penalty", float),
        presence_penalty=optional(fields, "presence_penalty", float),
        user=optional(fields, "user", str),
        native=others(fields, _REQUEST),
    )
    request.told = [Loss("prompt", "sent as a user's message: the model answers it and does not go on with it")]
    for key in ("prompt", "suffix", "echo", "best_of", "logprobs"):
        if fields.get(key) is not None:
            request.own[key] = fields[key]
    _read_stop(request, fields)
    _read_bound(request, fields)
    return request


def _read_stop(request: OwnRequest, fields: Mapping[str, Any]) -> None:
    stop = fields.get("stop")
    if isinstance(stop, str):
        request.stop, request.stop_plain = [stop], True
    elif isinstance(stop, list):
        request.stop = [string(one, f"stop[{place}]") for place, one in enumerate(stop)]
    elif stop is not None:
        raise wrong("stop", "a string or an array of strings", stop)
    options = fields.get("stream_options")
    if isinstance(options, Mapping):
        request.stream_usage = optional(options, "include_usage", bool, "stream_options.")
        request.options = others(options, frozenset({"include_usage"}))
    elif options is not None:
        raise wrong("stream_options", "an object", options)


def _read_bound(request: OwnRequest, fields: Mapping[str, Any]) -> None:
    bound: dict[str, str] = {}
    prompt = fields.get("prompt")
    if not isinstance(prompt, str | list | None):
        raise wrong("prompt", "a string, an array of strings or of tokens", prompt)
    if not request.messages:
        several = isinstance(prompt, list) and bool(prompt) and all(isinstance(one, str) for one in prompt)
        kind = "send one request for each prompt" if several else "send the prompt as text"
        bound["prompt"] = f"a chat provider takes one prompt of text; {kind}, {_OWN}"
    if optional(fields, "suffix", str):
        bound["suffix"] = f"a chat provider cannot fill in before a suffix; leave it out, {_OWN}"
    best = optional(fields, "best_of", int)
    if best is not None and best > (request.n or 1):
        bound["best_of"] = f"a chat provider does not choose the best of several answers; leave it out, {_OWN}"
    logprobs, echo = optional(fields, "logprobs", int), optional(fields, "echo", bool)
    if logprobs is not None:
        request.logprobs, request.top_logprobs = True, logprobs
        if echo:
            bound["echo"] = f"a chat provider gives no log probabilities of the prompt; leave out `echo`, {_OWN}"
    request.bound = bound


def write_request(request: ChatRequest, lost: list[Loss]) -> bytes:
    """A request of this API as it came. Raises Unsupported for those of others, and for what a stage has made a
    conversation."""
    if request.dialect != name or any(message.role == "assistant" for message in request.messages):
        raise Unsupported(
            "the provider completes prompts and takes no conversation; send a prompt to /v1/completions, or use a "
            "model of a provider with a chat API",
            param="messages",
        )
    own = request if isinstance(request, OwnRequest) else None
    fields: dict[str, Any] = {"model": request.model, **(own.own if own else {})}
    prompt = _prompt(request, fields.get("prompt"))
    if prompt is not None:
        fields["prompt"] = prompt
    for key in _SAME:
        if getattr(request, key) is not None:
            fields[key] = getattr(request, key)
    if request.stop:
        fields["stop"] = request.stop[0] if own and own.stop_plain and len(request.stop) == 1 else request.stop
    if request.stream:
        fields["stream"] = True
    usage = {} if request.stream_usage is None else {"include_usage": request.stream_usage}
    if own and (own.options or usage):
        fields["stream_options"] = {**own.options, **usage}
    return _encode({**fields, **request.native})


def _prompt(request: ChatRequest, own: Any) -> Any:
    """As it came, or as a stage has changed it; a system prompt that the gateway puts before it is text like it."""
    system, said = "", own
    for message in request.messages:
        texts = [part.text for part in message.parts if isinstance(part, Text)]
        if message.role in ("system", "developer"):
            system += "".join(f"{text}\n\n" for text in texts)
        elif own != texts:
            said = "".join(texts)
    if not system:
        return said
    if isinstance(said, list) and all(isinstance(one, str) for one in said):
        return [system + one for one in said]
    if not isinstance(said, str | None):
        raise Unsupported("no system prompt can be put before a prompt of tokens; send it as text", param="prompt")
    return system + (said or "")


# --- replies, read


class _Choice(msgspec.Struct, gc=False):
    index: int = 0
    text: Any = None
    logprobs: Any = None
    finish_reason: str | None = None
    stop_reason: Any = None


class _Chunk(msgspec.Struct, gc=False):
    """A chunk or a whole reply: what is read of it."""

    choices: list[_Choice] | None = None
    usage: Any = None
    id: Any = None
    model: Any = None
    created: Any = None
    error: Any = None


class OwnStart(Start, tag="own_completion_start", frozen=True):
    """The begin of a reply of this API: its id is as it was, and what was to be echoed stands in it."""


class OwnText(Said, tag="own_completion", frozen=True):
    """Text with its log probabilities as this API has them."""

    scores: Any = None


_decode_chunk = msgspec.json.Decoder(_Chunk).decode
_STOPS: dict[str, StopReason] = {"stop": "stop", "length": "length", "content_filter": "refusal", "eos": "stop"}


def _read_chunk(data: bytes) -> _Chunk:
    try:
        return _decode_chunk(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _nonsense(data, str(error)) from None


def _nonsense(data: bytes, why: str) -> ProviderNonsense:
    start = data[:80].decode("utf-8", "replace")
    return ProviderNonsense(f"The provider's reply is not a completion ({why}); it begins with {start!r}.")


def _read_whole(body: bytes) -> _Chunk:
    chunk = _read_chunk(body)
    if chunk.error and not chunk.choices:
        raise inside(_decode(body), body)
    if not chunk.choices or any(not isinstance(choice.text, str) for choice in chunk.choices):
        raise _nonsense(body, "no choices with text")
    return chunk


def _check_start(rest: bytes) -> None:
    """Raises when a stream begins like anything else, or with the error a JSON body holds."""
    if is_event_stream(rest):
        return
    if not may_be_error(rest):
        raise _nonsense(rest, "not an event stream")
    if rest.rstrip()[-1:] == b"}":
        try:
            value = _decode(rest)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return  # not all of it is here
        if value.get("error"):
            raise inside(value, rest)


def _scores(given: Any) -> list[dict[str, Any]] | None:
    """Log probabilities as the core has them: an entry for each token."""
    if not isinstance(given, dict) or not isinstance(given.get("tokens"), list):
        return None
    chances, tops = given.get("token_logprobs"), given.get("top_logprobs")
    entries = []
    for place, token in enumerate(given["tokens"]):
        chance = chances[place] if isinstance(chances, list) and place < len(chances) else None
        top = tops[place] if isinstance(tops, list) and place < len(tops) else None
        found = top.items() if isinstance(top, dict) else ()
        likely = [{"token": key, "bytes": None, "logprob": value} for key, value in found]
        entries.append({"token": str(token), "bytes": None, "logprob": chance, "top_logprobs": likely})
    return entries


class _Reader:
    """Bytes of a reply → events."""

    def __init__(self, stream: bool) -> None:
        self._stream = EventStream() if stream else None
        self._body = bytearray()
        self._started = False
        self._done = False
        self._finished: dict[int, Stop | None] = {}

    def feed(self, data: bytes) -> list[Event]:
        if self._stream is None:
            self._body += data
            return []
        events: list[Event] = []
        for _, payload in self._stream.feed(data):
            if self._done:
                break
            if payload[:6] == b"[DONE]":
                if not self._finished:
                    raise _nonsense(payload, "no choices")
                self._close(events)
            else:
                self._chunk(_read_chunk(payload), payload, events)
        if not (self._started or self._done or is_event_stream(self._stream.head)):
            _check_start(self._stream.rest)
        return events

    def end(self) -> list[Event]:
        events: list[Event] = []
        if self._done:
            return events
        whole = self._stream is None or (not self._started and self._stream.rest[:1] == b"{")
        if whole:
            body = bytes(self._body) if self._stream is None else self._stream.rest
            self._chunk(_read_whole(body), body, events)
            self._close(events)
        elif self._finished and None not in self._finished.values():
            self._close(events)
        else:
            self._done = True
            events.append(Stop(reason="cut"))
        return events

    def _chunk(self, chunk: _Chunk, data: bytes, events: list[Event]) -> None:
        if chunk.error:
            self._done = True
            events.append(Failed(error=inside(_decode(data), data)))
            return
        if not self._started and (chunk.choices or chunk.id):
            self._started = True
            id = chunk.id if isinstance(chunk.id, str) else ""
            model = chunk.model if isinstance(chunk.model, str) else ""
            events.append(OwnStart(id=id, model=model, created=number(chunk.created)))
        for choice in chunk.choices or ():
            self._finished.setdefault(choice.index, None)
            text = choice.text if isinstance(choice.text, str) else ""
            scores = _scores(choice.logprobs)
            if scores:
                events.append(OwnText(text=text, logprobs=scores, choice=choice.index, scores=choice.logprobs))
            elif text:
                events.append(Said(text=text, choice=choice.index))
            if choice.finish_reason:
                met = choice.stop_reason if isinstance(choice.stop_reason, str) else None  # vLLM
                reason = _STOPS.get(choice.finish_reason, "stop")
                self._finished[choice.index] = Stop(
                    reason=reason, vendor=choice.finish_reason, sequence=met, choice=choice.index
                )
        if isinstance(chunk.usage, dict):
            events.append(Used(usage=read_usage(chunk.usage)))
        elif chunk.choices is None and not self._started:
            raise _nonsense(data, "no choices")

    def _close(self, events: list[Event]) -> None:
        self._done = True
        events += [self._finished[index] or Stop(reason="stop", choice=index) for index in sorted(self._finished)]


def reader(stream: bool) -> Reader:
    return _Reader(stream)


# --- replies, written


class _Written:
    """What has been written of a choice; `length` is in characters, the prompt's where it is echoed with them."""

    __slots__ = ("finish", "length", "scores", "text")

    def __init__(self) -> None:
        self.text: list[str] = []
        self.length = 0
        self.scores: dict[str, list[Any]] | None = None
        self.finish: str | None = None


class _Writer:
    """What both writers share."""

    def __init__(self, request: Mapping[str, Any], lost: list[Loss]) -> None:
        self._lost = lost
        self._told: set[str] = set()
        self._start = Start()
        self._usage: Usage | None = None
        self._failed: GatewayError | None = None
        self._stopped = False
        self._choices: dict[int, _Written] = {}
        prompt = request.get("prompt")
        prompt = prompt[0] if isinstance(prompt, list) and len(prompt) == 1 else prompt
        self._echo = prompt if request.get("echo") is True and isinstance(prompt, str) else ""

    def _choice(self, index: int) -> _Written:
        state = self._choices.get(index)
        if state is None:
            state = self._choices[index] = _Written()
        return state

    def _take(self, event: Event) -> tuple[str, Any] | None:
        """The text and the log probabilities that an event adds to its choice; None for none."""
        match event:
            case Start():
                self._start = event
            case Used():
                self._usage = event.usage
            case Failed():
                self._failed = event.error
            case Said() | Refusal():
                return self._say(event)
            case Stop():
                if event.reason != "cut":
                    self._stopped = True
                    self._choice(event.choice).finish = _finish(event)
            case Thinking() | Called() | Citation() | Image() | Native():
                kind = {Thinking: "thinking", Called: "tool_calls", Citation: "citations", Image: "image"}
                path = next((word for cls, word in kind.items() if isinstance(event, cls)), "")
                self._lose(path or getattr(event, "name", ""), "the Completions API gives text only")
        return None

    def _say(self, event: Said | Refusal) -> tuple[str, Any]:
        state = self._choice(event.choice)
        # a provider of this API echoes itself
        lead = self._echo if not (state.text or self._own()) else ""
        text = lead + event.text
        scores = event.scores if isinstance(event, OwnText) else _said_scores(event.logprobs, state.length + len(lead))
        state.text.append(text)
        state.length += len(text)
        return text, scores

    def _own(self) -> bool:
        return isinstance(self._start, OwnStart)

    def _head(self) -> dict[str, Any]:
        start = self._start
        id = start.id if self._own() or start.id.startswith("cmpl-") else f"cmpl-{start.id}"
        return {"id": id, "object": "text_completion", "created": start.created, "model": start.model}

    def _lose(self, path: str, why: str) -> None:
        if path not in self._told:
            self._told.add(path)
            self._lost.append(Loss(f"reply.{path}", why))


def _finish(stop: Stop) -> str:
    if stop.vendor in ("stop", "length", "content_filter"):
        return stop.vendor
    return {"length": "length", "context": "length", "refusal": "content_filter"}.get(stop.reason, "stop")


def _said_scores(entries: list[dict[str, Any]] | None, offset: int) -> dict[str, list[Any]] | None:
    """The core's entries as this API's four lists."""
    if not entries:
        return None
    said: dict[str, list[Any]] = {"tokens": [], "token_logprobs": [], "top_logprobs": [], "text_offset": []}
    for entry in entries:
        token = str(entry.get("token", ""))
        tops = entry.get("top_logprobs")
        said["tokens"].append(token)
        said["token_logprobs"].append(entry.get("logprob"))
        likely = [top for top in tops if isinstance(top, dict)] if isinstance(tops, list) else []
        said["top_logprobs"].append({str(top.get("token")): top.get("logprob") for top in likely})
        said["text_offset"].append(offset)
        offset += len(token)
    return said


class _StreamWriter(_Writer):
    def __init__(self, request: Mapping[str, Any], lost: list[Loss]) -> None:
        super().__init__(request, lost)
        self._ask = _asks_usage(request)

    def feed(self, events: Sequence[Event]) -> bytes:
        out: list[bytes] = []
        for event in events:
            said = self._take(event)
            if said is not None:
                out.append(self._frame(event.choice, said[0], said[1], None))
            elif isinstance(event, Stop) and event.reason != "cut":
                state = self._choice(event.choice)
                text = self._echo if not (state.text or self._own()) else ""
                out.append(self._frame(event.choice, text, None, state.finish))
        return b"".join(out)

    def end(self) -> bytes:
        """The usage, where the client asked for it, and `[DONE]`; nothing when the reply was cut."""
        if not self._stopped:
            return b""
        usage = b""
        if self._ask and self._usage is not None:
            head = _encode({**self._head(), "choices": []})[:-1]
            usage = b"data: " + head + b',"usage":' + write_usage(self._usage) + b"}\n\n"
        return usage + b"data: [DONE]\n\n"

    def _frame(self, index: int, text: str, scores: Any, finish: str | None) -> bytes:
        choice = {"text": text, "index": index, "logprobs": scores, "finish_reason": finish}
        asked = {"usage": None} if self._ask else {}
        return b"data: " + _encode({**self._head(), "choices": [choice], **asked}) + b"\n\n"


class _WholeWriter(_Writer):
    def feed(self, events: Sequence[Event]) -> bytes:
        for event in events:
            said = self._take(event)
            if said is not None and said[1]:
                state = self._choice(event.choice)
                kept = state.scores = state.scores or {}
                for key, values in said[1].items():
                    kept.setdefault(key, []).extend(values if isinstance(values, list) else [values])
        return b""

    def end(self) -> bytes:
        """The whole reply. Raises what failed, ProviderCut when it broke off."""
        if self._failed is not None:
            raise self._failed
        if not self._stopped:
            raise ProviderCut("the provider's reply broke off before its end")
        choices = []
        for index in sorted(self._choices):
            state = self._choices[index]
            text = "".join(state.text) or ("" if self._own() else self._echo)
            finish = state.finish or "stop"
            choices.append({"text": text, "index": index, "logprobs": state.scores, "finish_reason": finish})
        body = _encode({**self._head(), "choices": choices})
        if self._usage is not None:
            body = body[:-1] + b',"usage":' + write_usage(self._usage) + b"}"
        return body


def writer(stream: bool, request: Mapping[str, Any], lost: list[Loss]) -> Writer:
    return _StreamWriter(request, lost) if stream else _WholeWriter(request, lost)


# --- replies, passed on


class _Account(Account):
    def _hear(self, chunk: _Chunk) -> None:
        if self.id is None and isinstance(chunk.id, str) and chunk.id:
            self.id = chunk.id
        for choice in chunk.choices or ():
            self.started = self.started or bool(choice.text)
            if choice.finish_reason and choice.index == 0:
                self.finish = choice.finish_reason
        if isinstance(chunk.usage, dict):
            self.usage = read_usage(chunk.usage)


class _WholeRelay(_Account):
    def feed(self, data: bytes) -> bytes:
        """Raises ProviderNonsense for what is no reply, ProviderRefused for an error with status 200."""
        if self.complete:
            return b""
        self._hear(_read_whole(data))
        self.started = self.complete = True
        return data

    def end(self) -> bytes:
        return b""


class _StreamRelay(_Account):
    """Every frame is read: this API is not what streams are fast for."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        super().__init__()
        self._strip = not _asks_usage(request)
        self._cutter = Cutter()
        self._seen: dict[int, bool] = {}
        self._begun = False

    def feed(self, data: bytes) -> bytes:
        if self.complete:
            return b""
        data = self._cutter.feed(data)
        if not data:
            if not (self._begun or is_event_stream(self._cutter.head)):
                _check_start(self._cutter.rest)
            return data
        return passed(data, self._inspect, self)

    def end(self) -> bytes:
        """Raises ProviderNonsense or ProviderRefused when what came was no stream at all."""
        if self.complete:
            return b""
        rest = self._cutter.rest.strip()
        if not self._begun and rest:
            _check_start(rest)
            if rest[:1] == b"{":
                raise _nonsense(rest, "a stream was asked for")
        if self._seen and all(self._seen.values()) and not self.failed:
            self.complete = True
            return b"data: [DONE]\n\n"
        return b""

    def _inspect(self, frame: bytes) -> bytes:
        event = read_frame(frame)
        if event is None:
            if not (self._begun or is_event_stream(frame)):
                raise _nonsense(frame, "not an event stream")
            return frame
        payload = event[1]
        if payload[:6] == b"[DONE]":
            if not self._seen and self.failed is None:
                raise _nonsense(payload, "no choices")
            self.complete = True
            return frame
        try:
            chunk = _read_chunk(payload)
        except ProviderNonsense:
            if not self._begun:
                raise
            return frame  # unknown to us, perhaps not to the client
        if not self._begun and chunk.choices is None and not (chunk.error or chunk.usage):
            raise _nonsense(payload, "no choices")
        self._begun = True
        self._hear(chunk)
        for choice in chunk.choices or ():
            self._seen[choice.index] = bool(choice.finish_reason) or self._seen.get(choice.index, False)
        if chunk.error:
            self.failed = inside(_decode(payload), payload)
        return self._stripped(frame, payload, chunk) if self._strip else frame

    def _stripped(self, frame: bytes, payload: bytes, chunk: _Chunk) -> bytes:
        """The frame without the usage that only the gateway asked for."""
        if isinstance(chunk.usage, dict) and not chunk.choices and not chunk.error:
            return b""
        if payload.find(b'"usage"') < 0:
            return frame
        try:
            fields = decode_strictly(payload)
        except InvalidRequest:
            return frame
        if fields.get("usage", 0) is not None:
            return frame
        return frame.replace(payload, patch(payload, {"usage": None}, fields))


def relay(stream: bool, request: Mapping[str, Any]) -> Relay:
    return _StreamRelay(request) if stream else _WholeRelay()
