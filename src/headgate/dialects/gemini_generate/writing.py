"""Writes events as replies of the Gemini API; a part of `gemini_generate`.

- A stream is a piece for each batch of events, as an event stream or, without `alt=sse`, as the elements of one array;
  the last piece has the reasons and the usage. A call of a tool is given whole, when its arguments are.
- Calls by models of other vendors are marked as made without a signature, and another vendor's proof of thinking is
  wrapped (`signatures`, in base64): clients send both back, and neither reaches Google.
- A refusal is text with the reason SAFETY; a full context window is MAX_TOKENS, a pause STOP, which are named as lost;
  arguments that are not a JSON object are given as {"invalid_json": the text}, and named.
- Citations that have an address are citationMetadata.
"""

from __future__ import annotations

import time
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
from headgate.dialects.gemini_generate.words import (
    DIALECT,
    FINISHES,
    UNSIGNED_CALL,
    Fields,
    arguments_of,
    close_signature,
    write_usage,
)

_encode = msgspec.json.Encoder().encode
_WORDS: dict[StopReason, str] = {"length": "MAX_TOKENS", "context": "MAX_TOKENS", "refusal": "SAFETY"}
"""All others are STOP."""
_NATIVE = frozenset({
    "avgLogprobs", "finishMessage", "groundingAttributions", "groundingMetadata", "promptFeedback", "safetyRatings",
    "tokenCount", "urlContextMetadata",
})  # fmt: skip
"""What of Stop.native this API has itself."""


class _Call:
    """A tool call whose arguments are coming in."""

    __slots__ = ("custom", "event", "input")

    def __init__(self, event: ToolCall) -> None:
        self.event = event
        self.custom = event.custom
        self.input: list[str] = []


class _Written:
    """What is to be written of a candidate next."""

    __slots__ = ("called", "calls", "citations", "finish", "parts", "refused", "scores")

    def __init__(self) -> None:
        self.parts: list[Fields] = []
        self.calls: dict[int, _Call] = {}
        self.citations: list[Fields] = []
        self.scores: list[Fields] = []
        self.finish: str | None = None
        self.refused = False
        self.called = False


class Writer:
    """What the streamed and the whole form share: events become parts."""

    def __init__(self, lost: list[Loss]) -> None:
        self._lost = lost
        self._told: set[str] = set()
        self._start = Start()
        self._usage: Usage | None = None
        self._open: dict[int, _Written] = {}
        self._stops: dict[int, Stop] = {}
        self._failed: GatewayError | None = None

    def _lose(self, path: str, why: str) -> None:
        if path not in self._told:
            self._told.add(path)
            self._lost.append(Loss(f"reply.{path}", why))

    def _hear(self, event: Event) -> None:
        match event:
            case Start():
                self._start = event
                for key in event.native:
                    self._lose(key, "the Gemini API has no such field")
            case Used(usage=usage):
                self._usage = usage
            case Failed(error=error):
                self._failed = error
            case Stop():
                if event.reason != "cut":
                    self._stops[event.choice] = event
            case _:
                state = self._open.get(event.choice)
                if state is None:
                    state = self._open[event.choice] = _Written()
                self._content(state, event)

    def _content(self, state: _Written, event: Event) -> None:
        if state.calls and not isinstance(event, ToolInput):
            self._flush(state, whole=True)
        match event:
            case Text(text=text, logprobs=logprobs) | Refusal(text=text, logprobs=logprobs):
                state.refused = state.refused or isinstance(event, Refusal)
                self._grow(state, {"text": text})
                state.scores += logprobs or ()
            case Thinking():
                self._thinking(state, event)
            case ToolCall():
                state.calls[event.block] = _Call(event)
            case ToolInput(block=block, json=text):
                if block in state.calls:
                    state.calls[block].input.append(text)
            case Image(base64=data, media_type=kind):
                state.parts.append({"inlineData": {"mimeType": kind, "data": data}})
            case Citation():
                self._citation(state, event)
            case Native(dialect=dialect, name="part", value=value) if dialect == DIALECT:
                state.parts.append(value)
            case Native(dialect=dialect, name="finishReason", value=value) if dialect == DIALECT:
                state.finish = value
            case Native():
                self._lose(_name(event), f"only {event.dialect} knows it")

    @staticmethod
    def _grow(state: _Written, part: Fields) -> None:
        """More of the last part, where it is of the same kind."""
        last = state.parts[-1] if state.parts else {}
        if "text" in last and "thoughtSignature" not in last and last.get("thought") == part.get("thought"):
            last["text"] += part["text"]
        elif part["text"]:
            state.parts.append(part)

    def _thinking(self, state: _Written, event: Thinking) -> None:
        if event.redacted is not None:
            self._lose("redacted_thinking", "the Gemini API has no field for it")
            return
        self._grow(state, {"text": event.text, "thought": True})
        if not event.signature:
            return
        proof, own = close_signature(event.signer, event.signature), event.signer in ("", DIALECT)
        last = state.parts[-1] if state.parts else {}
        if "text" in last and "thoughtSignature" not in last and (own or last.get("thought")):
            last["thoughtSignature"] = proof
        else:
            state.parts.append({"text": "", "thoughtSignature": proof} | ({} if own else {"thought": True}))

    def _citation(self, state: _Written, event: Citation) -> None:
        value = event.value
        if event.dialect == DIALECT:
            if not value.get("grounding"):  # those are in groundingMetadata
                state.citations.append(value)
            return
        inner = value.get("url_citation")
        value = inner if isinstance(inner, dict) else value
        url = value.get("url") or value.get("source") or value.get("uri")
        if not isinstance(url, str) or not url.startswith(("http://", "https://")):
            self._lose("citations", "only citations with an address have a form in the Gemini API")
            return
        title = value.get("title")
        state.citations.append({"uri": url} | ({"title": title} if isinstance(title, str) and title else {}))

    def _flush(self, state: _Written, *, whole: bool = False) -> None:
        """Give the calls; where `whole`, only as many as have all of their arguments, in their order."""
        for block, call in list(state.calls.items()):
            text = "".join(call.input)
            given: Fields | None = {"input": text} if call.custom else arguments_of(text)
            if whole and (call.custom or not text.strip() or given is None):
                return  # perhaps not all of it
            if call.custom:
                self._lose("functionCall.args", "free-form input, said as an object with the one field `input`")
            elif given is None:
                self._lose("functionCall.args", "the model's arguments are not a JSON object")
                given = {"invalid_json": text}
            del state.calls[block]
            state.parts.append(self._call(state, call.event, given))

    @staticmethod
    def _call(state: _Written, event: ToolCall, args: Fields | None) -> Fields:
        inner: Fields = {"id": event.id} if event.id else {}
        part: Fields = {"functionCall": {**inner, "name": event.name, "args": args or {}}}
        if event.signature:
            part["thoughtSignature"] = close_signature(event.signer, event.signature)
        elif not state.called:
            part["thoughtSignature"] = UNSIGNED_CALL
        state.called = True
        return part

    def _candidate(self, index: int, state: _Written, stop: Stop | None) -> Fields:
        """A candidate with what has come for it; `stop` ends it."""
        found: Fields = {}
        if state.parts:
            found["content"] = {"parts": state.parts, "role": "model"}
        if stop is not None:
            found["finishReason"] = self._finish(stop, state)
        found["index"] = index
        if state.citations:
            found["citationMetadata"] = {"citations": state.citations}
        if state.scores:
            found["logprobsResult"] = _scores(state.scores)
        if stop is not None:
            for key, value in stop.native.items():
                if key not in _NATIVE:
                    self._lose(f"candidates.{key}", "the Gemini API has no such field")
                elif key != "promptFeedback":
                    found[key] = value
        state.parts, state.citations, state.scores = [], [], []
        return found

    def _finish(self, stop: Stop, state: _Written) -> str:
        if state.finish is not None:
            return state.finish
        if stop.vendor in FINISHES and FINISHES[stop.vendor] == stop.reason:
            return stop.vendor
        if stop.reason in ("context", "pause"):
            self._lose("finishReason", f"the Gemini API has no word for {stop.reason}")
        if stop.sequence is not None:
            self._lose("stop_sequence", "the Gemini API does not say which sequence was met")
        return "SAFETY" if state.refused and stop.reason == "stop" else _WORDS.get(stop.reason, "STOP")

    def _frame(self, candidates: list[Fields], *, last: bool) -> bytes:
        """A piece of a stream, or the whole reply."""
        fields: Fields = {"candidates": candidates}
        if last:
            for stop in self._stops.values():
                if "promptFeedback" in stop.native:
                    fields["promptFeedback"] = stop.native["promptFeedback"]
            if self._usage is not None:
                fields["usageMetadata"] = write_usage(self._usage)
        start = self._start
        if start.model:
            fields["modelVersion"] = start.model
        if start.created:
            fields["createTime"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(start.created))
        if start.id:
            fields["responseId"] = start.id
        return _encode(fields)

    @staticmethod
    def _nothing() -> list[Fields]:
        """The parts of a candidate that has none."""
        return []

    def _ending(self) -> bytes:
        """The last piece: each candidate with its reason. A prompt that was refused has no candidates."""
        candidates = []
        for index, stop in sorted(self._stops.items()):
            state = self._open.get(index) or _Written()
            self._flush(state)
            blocked = stop.vendor is not None and stop.vendor == _blocked(stop) and not state.parts
            if not blocked:
                state.parts = state.parts or self._nothing()
                candidates.append(self._candidate(index, state, stop))
        return self._frame(candidates, last=True)


def _blocked(stop: Stop) -> str | None:
    feedback = stop.native.get("promptFeedback")
    found = feedback.get("blockReason") if isinstance(feedback, dict) else None
    return found if isinstance(found, str) else None


def _name(event: Native) -> str:
    """What of another dialect is lost: a block of content by its type."""
    kind = event.value.get("type") if isinstance(event.value, dict) else None
    return f"content.{kind}" if event.name == "content_block" and isinstance(kind, str) else event.name


def _scores(scores: list[Fields]) -> Fields:
    tops = [{"candidates": [_token(one) for one in entry.get("top_logprobs") or ()]} for entry in scores]
    return {"chosenCandidates": [_token(entry) for entry in scores], "topCandidates": tops}


def _token(entry: Fields) -> Fields:
    found = {"token": entry.get("token", ""), "logProbability": entry.get("logprob", 0)}
    return {**found, "tokenId": entry["token_id"]} if "token_id" in entry else found


class StreamWriter(Writer):
    """Pieces as events, or as elements of one array."""

    def __init__(self, request: Mapping[str, Any], lost: list[Loss]) -> None:
        super().__init__(lost)
        self._sse = request.get("alt") == "sse"
        self._begun = False

    def feed(self, events: Sequence[Event]) -> bytes:
        for event in events:
            self._hear(event)
        if self._stops:
            return b""  # it goes with the end
        candidates = [
            self._candidate(index, state, None)
            for index, state in sorted(self._open.items())
            if state.parts or state.scores or state.citations
        ]
        return self._framed(self._frame(candidates, last=False)) if candidates else b""

    def end(self) -> bytes:
        """The last piece; nothing when the reply was cut."""
        if not self._stops:
            return b""
        last = self._framed(self._ending())
        return last if self._sse else last + b"\n]"

    @staticmethod
    def _nothing() -> list[Fields]:
        """As Google has it: clients look for the content in every piece."""
        return [{"text": ""}]

    def _framed(self, piece: bytes) -> bytes:
        if self._sse:
            return b"data: " + piece + b"\r\n\r\n"
        begun, self._begun = self._begun, True
        return (b",\n" if begun else b"[") + piece


class WholeWriter(Writer):
    """One reply, given by `end`."""

    def feed(self, events: Sequence[Event]) -> bytes:
        for event in events:
            self._hear(event)
        return b""

    def end(self) -> bytes:
        """The whole reply. Raises what failed, ProviderCut when it broke off."""
        if self._failed is not None:
            raise self._failed
        if not self._stops:
            raise ProviderCut("the provider's reply broke off before its end")
        return self._ending()
