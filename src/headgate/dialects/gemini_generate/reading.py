"""Reads replies of the Gemini API into events; a part of `gemini_generate`.

Format: https://ai.google.dev/api/generate-content#generatecontentresponse. A stream's pieces and a whole reply have
one shape, so both are read by the same code. The end of a stream is the end of the connection, after each candidate has
said why it finished; some hosts say "STOP" in every piece.

Parts the core has no word for are given whole, as `Native` named "part"; what a candidate has beside its content and
what the prompt's check said are in `Stop.native`, under Google's names.
"""

from __future__ import annotations

import calendar
import re
from itertools import pairwise
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
    StopReason,
    Text,
    Thinking,
    ToolCall,
    ToolInput,
    Used,
)
from headgate.core.usage import Usage
from headgate.dialects.framing import EventStream, fields, is_event_stream, may_be_error
from headgate.dialects.gemini_generate.arrays import Elements
from headgate.dialects.gemini_generate.errors import refused
from headgate.dialects.gemini_generate.words import (
    DIALECT,
    FINISHES,
    Fields,
    camel,
    finish_word,
    made_id,
    open_signature,
    read_usage,
)

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode
_CANDIDATE = frozenset({"content", "index", "finishReason", "logprobsResult", "citationMetadata"})
_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)")
_STEP = re.compile(r"""\.([^.\[\]]+)|\[(\d{1,9})\]|\[['"]([^'"]*)['"]\]""")


def nonsense(data: bytes, why: str) -> ProviderNonsense:
    """The error for bytes that are no reply of this API, with their beginning."""
    start = data[:80].decode("utf-8", "replace")
    return ProviderNonsense(f"The provider's reply is not one of the Gemini API ({why}); it begins with {start!r}.")


def read_piece(data: bytes) -> Fields:
    """A piece of a stream or a whole reply. Raises ProviderNonsense."""
    try:
        value = _decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise nonsense(data, str(error)) from None
    if not isinstance(value, dict):
        raise nonsense(data, "not an object")
    return value


def candidates_of(piece: Fields) -> list[Fields]:
    found = piece.get("candidates")
    return [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []


def block_reason(piece: Fields) -> str | None:
    """Why the prompt was refused, if it was."""
    feedback = piece.get("promptFeedback")
    found = feedback.get("blockReason") if isinstance(feedback, dict) else None
    return finish_word(found) if not isinstance(found, int) else "BLOCKED" if found else None


def is_reply(piece: Fields) -> bool:
    """Whether there is anything of a reply in it."""
    return "candidates" in piece or "promptFeedback" in piece or "usageMetadata" in piece or "responseId" in piece


def usage_of(piece: Fields, before: Usage | None) -> Usage | None:
    """The usage so far. The searches that were made for a candidate are counted too."""
    found = piece.get("usageMetadata")
    usage = read_usage(found) if isinstance(found, dict) and found else before
    searches = sum(_searches(candidate) for candidate in candidates_of(piece))
    told = searches or (before.server_tools.get("google_search", 0) if before is not None else 0)
    if told and usage is not None and usage.server_tools.get("google_search") != told:
        usage = msgspec.structs.replace(usage, server_tools={"google_search": told})
    return usage


def _searches(candidate: Fields) -> int:
    grounding = candidate.get("groundingMetadata")
    queries = grounding.get("webSearchQueries") if isinstance(grounding, dict) else None
    return len(queries) if isinstance(queries, list) else 0


def check_start(rest: bytes) -> None:
    """Bytes that begin neither an event stream nor an array: waited for while they may be an error, refused else.

    Raises ProviderRefused for an error, ProviderNonsense for anything else.
    """
    if not may_be_error(rest):
        raise nonsense(rest, "not a stream")
    if rest.rstrip()[-1:] != b"}":
        return
    try:
        value = _decode(rest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    if isinstance(value, dict) and value.get("error"):
        raise refused(value, rest)


class _Open:
    """What is known of a candidate so far."""

    __slots__ = ("block", "blocks", "call", "called", "cited", "finish", "kind", "native", "text")

    def __init__(self) -> None:
        self.block = 0
        self.blocks = 0
        self.kind = ""
        self.text = 0
        self.finish: str | None = None
        self.native: Fields = {}
        self.call: _Growing | None = None
        self.called = False
        self.cited: set[str] = set()

    def piece(self, kind: str) -> int:
        """The block of a piece of this kind: the open one, or a new one where another kind was open."""
        if self.kind != kind or kind == "":
            self.kind = kind
            self.block = self.blocks
            self.blocks += 1
            if kind == "text":
                self.text = self.block
        return self.block


class _Growing:
    """A call whose arguments come piece by piece (`partialArgs`, on Vertex AI where they were asked for so)."""

    __slots__ = ("args", "block")

    def __init__(self, block: int) -> None:
        self.block = block
        self.args: Fields = {}

    def take(self, pieces: Any) -> None:
        """Put each piece where its path says; a string that goes on is added to."""
        for piece in pieces if isinstance(pieces, list) else ():
            if isinstance(piece, dict) and isinstance(piece.get("jsonPath"), str):
                steps = [name or quoted or int(index) for name, index, quoted in _STEP.findall(piece["jsonPath"])]
                if steps and isinstance(steps[0], str):
                    self._put(steps, _value(piece))

    def _put(self, steps: list[Any], value: Any) -> None:
        holder: Any = self.args
        for step, following in pairwise(steps):
            inner = _at(holder, step)
            if not isinstance(inner, dict | list):
                inner = [] if isinstance(following, int) else {}
                _set(holder, step, inner)
            holder = inner
        before = _at(holder, steps[-1])
        both = isinstance(before, str) and isinstance(value, str)
        _set(holder, steps[-1], before + value if both else value)


def _value(piece: Fields) -> Any:
    for key in ("stringValue", "numberValue", "boolValue"):
        if key in piece:
            return piece[key]
    return "" if piece.get("willContinue") else None


def _at(holder: Any, step: Any) -> Any:
    if isinstance(holder, dict):
        return holder.get(str(step))
    return holder[step] if isinstance(step, int) and step < len(holder) else None


def _set(holder: Any, step: Any, value: Any) -> None:
    if isinstance(holder, dict):
        holder[str(step)] = value
    elif isinstance(step, int) and step < len(holder):
        holder[step] = value
    else:
        holder.append(value)


class Reader:
    """Bytes of a reply → events."""

    def __init__(self, stream: bool) -> None:
        self._stream = stream
        self._body = bytearray()
        self._cut: EventStream | Elements | None = None
        self._open: dict[int, _Open] = {}
        self._started = False
        self._done = False
        self._blocked: str | None = None
        self._feedback: Fields = {}
        self._usage: Usage | None = None
        self._id = ""
        self._calls = 0

    def feed(self, data: bytes) -> list[Event]:
        """Raises ProviderNonsense, or ProviderRefused for an error where a stream should have begun."""
        events: list[Event] = []
        if self._done:
            return events
        if not self._stream:
            self._body += data
            return events
        if self._cut is None:
            data = self._begin(data)
        if isinstance(self._cut, EventStream):
            for _, payload in self._cut.feed(data):
                if not self._done:
                    self._piece(read_piece(payload), payload, events)
        elif self._cut is not None:
            for element in self._cut.feed(data):
                payload = element.lstrip(b"[, \t\r\n")
                if not self._done:
                    self._piece(read_piece(payload), payload, events)
            if self._cut.closed and not self._done:
                self._finish(events)
        return events

    def _begin(self, data: bytes) -> bytes:
        """Whether it is an event stream or an array tells its first byte; the bytes to go on with."""
        self._body += data
        held = bytes(self._body)
        if held.lstrip()[:1] == b"[":
            self._cut = Elements()
        elif not held.strip():
            return b""
        elif is_event_stream(held):
            self._cut = EventStream()
        else:
            check_start(held)
            return b""
        self._body.clear()
        return held

    def end(self) -> list[Event]:
        events: list[Event] = []
        if self._done:
            return events
        if self._stream and not (self._cut is None and self._body.lstrip()[:1] == b"{"):
            self._last_frame(events)
            if not self._done:
                self._finish(events)
            return events
        body = bytes(self._body)  # of a stream too, where a host does not stream
        piece = read_whole(body)
        self._piece(piece, body, events)
        self._finish(events)
        return events

    def _last_frame(self, events: list[Event]) -> None:
        """A stream's last event may lack the blank line after it, and an error be written without an event."""
        if not isinstance(self._cut, EventStream):
            return
        rest = self._cut.rest
        payload = rest if rest[:1] == b"{" else (fields(rest)[1] or b"")
        if payload:
            try:
                piece = read_piece(payload)
            except ProviderNonsense:
                return  # cut in its middle
            self._piece(piece, payload, events)

    def _piece(self, piece: Fields, data: bytes, events: list[Event]) -> None:
        if piece.get("error"):
            self._done = True
            events.append(Failed(error=refused(piece, data)))
            return
        if not (is_reply(piece) or self._started):
            raise nonsense(data, "no candidates")
        if not self._started:
            self._start(piece, events)
        feedback = piece.get("promptFeedback")
        if isinstance(feedback, dict) and feedback:
            self._feedback = feedback
            self._blocked = block_reason(piece) or self._blocked
        for candidate in candidates_of(piece):
            index = candidate.get("index")
            index = index if type(index) is int and index >= 0 else 0
            state = self._open.get(index)
            if state is None:
                state = self._open[index] = _Open()
            self._candidate(index, state, candidate, events)
        usage = usage_of(piece, self._usage)
        if usage is not None and usage is not self._usage:
            self._usage = usage
            events.append(Used(usage=usage))

    def _start(self, piece: Fields, events: list[Event]) -> None:
        self._started = True
        self._id = _word(piece.get("responseId"))
        created = _seconds(piece.get("createTime"))
        events.append(Start(id=self._id, model=_word(piece.get("modelVersion")), created=created))

    def _candidate(self, index: int, state: _Open, candidate: Fields, events: list[Event]) -> None:
        begun = len(events)
        content = candidate.get("content")
        parts = content.get("parts") if isinstance(content, dict) else None
        for part in parts if isinstance(parts, list) else ():
            if isinstance(part, dict):
                self._part(index, state, camel(part), events)
        if isinstance(candidate.get("logprobsResult"), dict):
            _score(index, state, candidate["logprobsResult"], events, begun)
        _cite(index, state, candidate, events)
        finish = finish_word(candidate.get("finishReason"))
        if finish is not None:
            state.finish = finish
        state.native.update((key, value) for key, value in candidate.items() if key not in _CANDIDATE and value)

    def _part(self, index: int, state: _Open, part: Fields, events: list[Event]) -> None:
        text, call, data = part.get("text"), part.get("functionCall"), part.get("inlineData")
        signer, proof = _proof(part)
        if isinstance(call, dict):
            self._call(index, state, camel(call), signer, proof, events)
        elif isinstance(text, str):
            if part.get("thought") is True:
                block = state.piece("thinking")
                if text or proof:
                    events.append(
                        Thinking(text=text, signature=proof, signer=signer if proof else "", choice=index, block=block)
                    )
                return
            if text:
                events.append(Text(text=text, choice=index, block=state.piece("text")))
            if proof:
                events.append(Thinking(signature=proof, signer=signer, choice=index, block=state.piece("proof")))
        elif isinstance(data, dict) and _word(data.get("mimeType")).startswith("image/") and data.get("data"):
            picture = Image(
                base64=_word(data["data"]), media_type=data["mimeType"], choice=index, block=state.piece("")
            )
            events.append(picture)
            if proof:
                events.append(Thinking(signature=proof, signer=signer, choice=index, block=state.piece("proof")))
        elif part:
            events.append(Native(dialect=DIALECT, name="part", value=part, choice=index, block=state.piece("")))

    def _call(
        self, index: int, state: _Open, call: Fields, signer: str, proof: str | None, events: list[Event]
    ) -> None:
        name = _word(call.get("name"))
        growing = state.call
        if growing is not None and not name:
            growing.take(call.get("partialArgs"))
            if not call.get("willContinue"):
                _complete(index, state, events)
            return
        _complete(index, state, events)
        if not name:
            return
        block = state.piece("")
        id = _word(call.get("id")) or made_id(self._id or "0", self._calls)
        self._calls += 1
        state.called = True
        events.append(
            ToolCall(id=id, name=name, signature=proof, signer=signer if proof else "", choice=index, block=block)
        )
        if call.get("willContinue"):
            state.call = _Growing(block)
            state.call.take(call.get("partialArgs"))
            return
        args = call.get("args")
        given = _encode(args).decode() if isinstance(args, dict) else "{}"
        events.append(ToolInput(json=given, choice=index, block=block))

    def _finish(self, events: list[Event]) -> None:
        """The end of the bytes: of the reply too, if every candidate has finished or the prompt was refused."""
        self._done = True
        told = bool(self._open) and (not self._stream or all(state.finish for state in self._open.values()))
        if not (told or self._blocked) or (isinstance(self._cut, Elements) and not self._cut.closed):
            events.append(Stop(reason="cut"))
            return
        stops: list[Event] = []
        for index in sorted(self._open) or [0]:
            state = self._open.get(index) or _Open()
            _complete(index, state, events)
            native = dict(state.native)
            if index == 0 and self._feedback:
                native["promptFeedback"] = self._feedback
            blocked = self._blocked if state.finish is None else None
            word = state.finish or blocked
            reason: StopReason = "refusal" if blocked else FINISHES.get(word or "", "stop")
            if reason == "stop" and state.called and word in (None, "STOP"):
                reason = "tool_use"
            elif state.finish is not None and state.finish not in FINISHES:
                events.append(Native(dialect=DIALECT, name="finishReason", value=state.finish, choice=index))
            stops.append(Stop(reason=reason, vendor=word, native=native, choice=index))
        events += stops


def _complete(index: int, state: _Open, events: list[Event]) -> None:
    """The arguments of a call that came piece by piece, which are whole now."""
    if state.call is not None:
        given = _encode(state.call.args).decode()
        events.append(ToolInput(json=given, choice=index, block=state.call.block))
        state.call = None


def _proof(part: Fields) -> tuple[str, str | None]:
    found = part.get("thoughtSignature")
    if not isinstance(found, str) or not found:
        return "", None
    signer, proof = open_signature(found)
    return signer, proof or None


def _score(index: int, state: _Open, result: Fields, events: list[Event], begun: int) -> None:
    """Log probabilities of this piece's tokens, in the core's form, at its last text."""
    scores = _scores(result)
    if not scores:
        return
    for place in range(len(events) - 1, begun - 1, -1):
        event = events[place]
        if isinstance(event, Text) and event.choice == index:
            events[place] = msgspec.structs.replace(event, logprobs=scores)
            return
    events.append(Text(text="", logprobs=scores, choice=index, block=state.piece("text")))


def _scores(result: Fields) -> list[Fields]:
    chosen, top = result.get("chosenCandidates"), result.get("topCandidates")
    others = top if isinstance(top, list) else []
    scores = []
    for place, entry in enumerate(chosen if isinstance(chosen, list) else ()):
        if not isinstance(entry, dict):
            continue
        score = _token(entry)
        beside = others[place].get("candidates") if place < len(others) and isinstance(others[place], dict) else None
        listed = [_token(one) for one in beside if isinstance(one, dict)] if isinstance(beside, list) else []
        scores.append({**score, "top_logprobs": listed})
    return scores


def _token(entry: Fields) -> Fields:
    token, value = _word(entry.get("token")), entry.get("logProbability")
    number = float(value) if isinstance(value, int | float) else 0.0
    more = {"token_id": entry["tokenId"]} if type(entry.get("tokenId")) is int else {}
    return {"token": token, "logprob": number, "bytes": list(token.encode("utf-8", "surrogatepass")), **more}


def _cite(index: int, state: _Open, candidate: Fields, events: list[Event]) -> None:
    """Sources: what the text repeats, and the pages it rests on. The latter are in `groundingMetadata` as well, which
    is in `Stop.native` whole."""
    found = candidate.get("citationMetadata")
    listed = found.get("citations") if isinstance(found, dict) else None
    for value in listed if isinstance(listed, list) else ():
        if isinstance(value, dict) and (key := _encode(value).decode()) not in state.cited:
            state.cited.add(key)
            events.append(Citation(dialect=DIALECT, value=value, choice=index, block=state.text))
    grounding = candidate.get("groundingMetadata")
    chunks = grounding.get("groundingChunks") if isinstance(grounding, dict) else None
    for chunk in chunks if isinstance(chunks, list) else ():
        web = chunk.get("web") if isinstance(chunk, dict) else None
        if isinstance(web, dict) and isinstance(web.get("uri"), str) and web["uri"] not in state.cited:
            state.cited.add(web["uri"])
            value = {"uri": web["uri"], "title": _word(web.get("title")), "grounding": True}
            events.append(Citation(dialect=DIALECT, value=value, choice=index, block=state.text))


def read_whole(body: bytes) -> Fields:
    """A whole reply. Raises ProviderNonsense where it is none, ProviderRefused where it holds an error instead."""
    piece = read_piece(body)
    if piece.get("error"):
        raise refused(piece, body)
    if not is_reply(piece):
        raise nonsense(body, "no candidates")
    found = candidates_of(piece)
    if not block_reason(piece) and not (found and all(is_whole(candidate) for candidate in found)):
        raise nonsense(body, "no candidate that has finished")
    return piece


def is_whole(candidate: Fields) -> bool:
    """Whether a candidate of a whole reply says why it finished, or at least something."""
    content = candidate.get("content")
    parts = content.get("parts") if isinstance(content, dict) else None
    return finish_word(candidate.get("finishReason")) is not None or bool(parts and isinstance(parts, list))


def _word(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _seconds(value: Any) -> int:
    """An RFC 3339 time in UTC as Unix seconds; 0 for what is none."""
    found = _TIME.match(value) if isinstance(value, str) else None
    if found is None:
        return 0
    year, *rest = (int(group) for group in found.groups())
    month, day = rest[:2]
    if not (1970 <= year < 3000 and 1 <= month <= 12 and 1 <= day <= 31):
        return 0
    return calendar.timegm((year, *rest))
