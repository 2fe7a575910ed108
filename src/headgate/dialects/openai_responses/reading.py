"""Reads replies of OpenAI's Responses API into events; a part of the dialect `openai_responses`.

Format: https://platform.openai.com/docs/api-reference/responses-streaming. A whole response gives the events of the
same response streamed. Of each piece what has come is kept, so that an event which says it whole (`…done`, a finished
item, the finished response) gives what its deltas left out: some hosts send no deltas, or no items.

- The texts of a reasoning item's parts are one piece of thinking, an empty line between them; `encrypted_content` is
  its signature. Its content counts where there is some, else its summary.
- Items of built-in tools are `Native` under their type: the finished item, and before it the events of its progress.
- A picture is an `Image` which remembers its item.
- The response's begin is told with its first piece: until then the provider may fail and another one be asked.
"""

from __future__ import annotations

from typing import Any

import msgspec

from headgate.core.errors import ProviderNonsense
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
from headgate.dialects.framing import EventStream, is_event_stream, may_be_error
from headgate.dialects.openai_errors import refused
from headgate.dialects.openai_responses.words import INCOMPLETE, NAME, read_usage, refused_inside, unwrap_kind
from headgate.dialects.openai_usage import number

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_QUIET = frozenset({"keepalive", "ping"})
_CALL = frozenset({"type", "id", "call_id", "name", "arguments", "input", "status"})
ENDS = frozenset({"response.completed", "response.incomplete", "response.failed"})


class OwnStart(Start, tag="own_start", frozen=True):
    """The begin of a response, whose id is as this API has it."""


class OwnThinking(Thinking, tag="own_thinking", frozen=True):
    """Thinking of this API; `raw` where it is the reasoning itself and not a summary, `item` the item's id."""

    item: str = ""
    raw: bool = False


class OwnText(Text, tag="own_text", frozen=True):
    """The first text of a message item; `item` is its id."""

    item: str = ""


class OwnCall(ToolCall, tag="own_call", frozen=True):
    """A call; `item` is the item's id, which is not the call's."""

    item: str = ""


class OwnImage(Image, tag="own_image", frozen=True):
    """A picture the model had made; `item` is the whole item of the call."""

    item: dict[str, Any]


class StreamEvent(msgspec.Struct, gc=False):
    """What is read of any event of a stream; objects are left undecoded until they are needed."""

    type: str = ""
    delta: Any = None
    output_index: int = 0
    content_index: int = 0
    summary_index: int = 0
    logprobs: Any = None
    text: Any = None
    arguments: Any = None
    input: Any = None
    item: msgspec.Raw = msgspec.Raw()
    response: msgspec.Raw = msgspec.Raw()
    annotation: Any = None


decode_event = msgspec.json.Decoder(StreamEvent).decode


class _Piece:
    """A piece of content: its block, and what has been given of it."""

    __slots__ = ("block", "cited", "given")

    def __init__(self, block: int) -> None:
        self.block = block
        self.given = ""
        self.cited = 0


class _Item:
    """An output item: its kind and its pieces, by their place in it (reasoning: by kind and place)."""

    __slots__ = ("begun", "block", "done", "id", "kind", "pieces", "place", "raw")

    def __init__(self, kind: str, id: str) -> None:
        self.kind = kind
        self.id = id
        self.pieces: dict[int, _Piece] = {}
        self.block = -1
        self.begun = False
        self.done = False
        self.raw: bool | None = None
        self.place = 0


class _Output:
    """The items of a response as they come in, and the events they give."""

    def __init__(self) -> None:
        self.items: dict[int, _Item] = {}
        self.blocks = 0
        self.called = False

    def block(self) -> int:
        self.blocks += 1
        return self.blocks - 1

    def begin(self, place: int, item: dict[str, Any], events: list[Event]) -> _Item:
        """An item that is new."""
        found = self.items[place] = _Item(_word(item, "type") or "message", _word(item, "id"))
        if found.kind == "message" and isinstance(item.get("phase"), str):
            events.append(Native(dialect=NAME, name="phase", value=item["phase"], block=self.blocks))
        return found

    def item(self, place: int, kind: str, events: list[Event]) -> _Item:
        """The item a delta belongs to; hosts that announce none begin with a delta."""
        return self.items.get(place) or self.begin(place, {"type": kind}, events)

    def text(self, item: _Item, place: int, text: str, scores: Any, events: list[Event]) -> None:
        piece = item.pieces.get(place)
        scores = _scores(scores)
        if piece is not None:
            piece.given += text
            events.append(Text(text=text, logprobs=scores, block=piece.block))
            return
        piece = item.pieces[place] = _Piece(self.block())
        piece.given = text
        if item.begun or not item.id:
            events.append(Text(text=text, logprobs=scores, block=piece.block))
        else:
            events.append(OwnText(text=text, logprobs=scores, block=piece.block, item=item.id))
        item.begun = True

    def refusal(self, item: _Item, place: int, text: str, events: list[Event]) -> None:
        piece = item.pieces.get(place)
        if piece is None:
            piece = item.pieces[place] = _Piece(self.block())
        piece.given += text
        events.append(Refusal(text=text, block=piece.block))

    def cite(self, item: _Item, place: int, annotation: Any, events: list[Event]) -> None:
        if not isinstance(annotation, dict):
            return
        if place not in item.pieces:
            self.text(item, place, "", None, events)
        piece = item.pieces[place]
        piece.cited += 1
        events.append(Citation(dialect=NAME, value=annotation, block=piece.block))

    def think(self, item: _Item, place: int, text: str, raw: bool, events: list[Event]) -> None:
        if item.raw is None:
            item.raw, item.place = raw, place
        elif item.raw is not raw:
            return  # its content counts, or what came first of the two
        if item.block < 0:
            item.block = self.block()
        piece = item.pieces.get(place)
        if piece is None:
            piece = item.pieces[place] = _Piece(item.block)
            text = text if place == item.place else "\n\n" + text
        piece.given += text
        events.append(OwnThinking(text=text, block=item.block, item=item.id, raw=raw))

    def call(self, item: _Item, fields: dict[str, Any], events: list[Event]) -> None:
        """A call begins as soon as its name is known."""
        if item.begun:
            return
        item.begun = self.called = True
        item.block = self.block()
        item.pieces[0] = _Piece(item.block)
        more = {key: value for key, value in fields.items() if key not in _CALL and value is not None}
        if more:
            events.append(Native(dialect=NAME, name=item.kind, value=more, block=item.block))
        id = _word(fields, "call_id") or item.id
        custom = item.kind == "custom_tool_call"
        events.append(OwnCall(id=id, name=_word(fields, "name"), custom=custom, block=item.block, item=item.id))

    def arguments(self, item: _Item, text: Any, events: list[Event], *, whole: bool = False) -> None:
        if text is None or not item.begun:
            return
        text = text if isinstance(text, str) else _encode(text).decode()
        piece = item.pieces[0]
        if whole:
            text = _rest(piece.given, text)
        if text:
            piece.given += text
            events.append(ToolInput(json=text, block=piece.block))

    def finish(self, place: int, fields: dict[str, Any], events: list[Event]) -> None:
        """A finished item: all that has not been given of it."""
        item = self.items.get(place) or self.begin(place, fields, events)
        if item.done:
            return
        item.done = True
        if item.kind == "message":
            self._finish_message(item, fields, events)
        elif item.kind == "reasoning":
            self._finish_reasoning(item, fields, events)
        elif item.kind in ("function_call", "custom_tool_call"):
            self.call(item, fields, events)
            custom = item.kind == "custom_tool_call"
            self.arguments(item, fields.get("input" if custom else "arguments"), events, whole=True)
        elif item.kind == "image_generation_call" and isinstance(fields.get("result"), str):
            media = f"image/{fields.get('output_format') or 'png'}"
            item.block = self.block() if item.block < 0 else item.block
            events.append(OwnImage(base64=fields["result"], media_type=media, block=item.block, item=fields))
        else:
            self.native(item, fields, events)

    def native(self, item: _Item, value: dict[str, Any], events: list[Event]) -> None:
        if item.block < 0:
            item.block = self.block()
        events.append(Native(dialect=NAME, name=item.kind, value=value, block=item.block))

    def _finish_message(self, item: _Item, fields: dict[str, Any], events: list[Event]) -> None:
        content = fields.get("content")
        for place, part in enumerate(content if isinstance(content, list) else ()):
            if not isinstance(part, dict):
                raise ProviderNonsense("the provider's response holds content that is no object")
            given = item.pieces[place].given if place in item.pieces else None
            if part.get("type") == "refusal":
                rest = _rest(given or "", _word(part, "refusal"))
                if rest or given is None:
                    self.refusal(item, place, rest, events)
            elif isinstance(part.get("text"), str):
                rest = _rest(given or "", part["text"])
                if rest or given is None:
                    self.text(item, place, rest, part.get("logprobs"), events)
                cited = part.get("annotations")
                for annotation in (cited if isinstance(cited, list) else [])[item.pieces[place].cited :]:
                    self.cite(item, place, annotation, events)
            elif given is None:
                events.append(Native(dialect=NAME, name=_word(part, "type"), value=part, block=self.block()))

    def _finish_reasoning(self, item: _Item, fields: dict[str, Any], events: list[Event]) -> None:
        raw = bool(fields.get("content"))
        entries = fields.get("content" if raw else "summary")
        for place, entry in enumerate(entries if isinstance(entries, list) else ()):
            text = _word(entry, "text") if isinstance(entry, dict) else ""
            piece = item.pieces.get(place)
            lead = "\n\n" if piece is not None and place != item.place else ""
            rest = text if piece is None else _rest(piece.given.removeprefix(lead), text)
            if rest:
                self.think(item, place, rest, raw, events)
        sealed = fields.get("encrypted_content")
        kind, signer, proof = unwrap_kind(sealed) if isinstance(sealed, str) else ("", NAME, "")
        if not proof and item.block >= 0:
            return
        if item.block < 0:
            item.block = self.block()
        if kind == "redacted":  # by another gateway like this one
            events.append(OwnThinking(redacted=proof, signer=signer, block=item.block, item=item.id))
        else:
            events.append(
                OwnThinking(signature=proof or None, signer=signer if proof else "", block=item.block, item=item.id)
            )


def _rest(given: str, whole: str) -> str:
    """What the whole has beyond what was given; nothing where they differ: what was said cannot be taken back."""
    return whole[len(given) :] if whole.startswith(given) else ""


def _scores(logprobs: Any) -> list[dict[str, Any]] | None:
    if not isinstance(logprobs, list) or not logprobs or not all(isinstance(entry, dict) for entry in logprobs):
        return None
    return [{"bytes": None, "top_logprobs": [], **entry} for entry in logprobs]


def _word(fields: dict[str, Any], key: str) -> str:
    value = fields.get(key)
    return value if isinstance(value, str) else ""


class _Reader:
    """What both readers share: the response's begin and its end."""

    def __init__(self) -> None:
        self._output = _Output()
        self._start: Start | None = None
        self._begun = False
        self._over = False

    def _begin(self, events: list[Event]) -> None:
        """Tell the response's begin, before its first piece."""
        if not self._begun:
            self._begun = True
            events.append(self._start or Start())

    def _note(self, response: dict[str, Any]) -> None:
        if self._start is None or not self._start.id:
            tier = response.get("service_tier")
            native = {"service_tier": tier} if isinstance(tier, str) and tier not in ("default", "auto") else {}
            self._start = OwnStart(
                id=_word(response, "id"),
                model=_word(response, "model"),
                created=number(response.get("created_at")),
                native=native,
            )

    def _finish(self, response: dict[str, Any], events: list[Event]) -> None:
        """The finished response: what has not been given of it, the usage and the end."""
        self._over = True
        self._note(response)
        self._begin(events)
        output = response.get("output")
        for place, item in enumerate(output if isinstance(output, list) else ()):
            if not isinstance(item, dict):
                raise ProviderNonsense("the provider's response holds an output item that is no object")
            self._output.finish(place, item, events)
        usage = response.get("usage")
        if isinstance(usage, dict):
            events.append(Used(usage=read_usage(usage, response)))
        word = finish_of(response)
        if word in INCOMPLETE or response.get("status") == "incomplete":
            events.append(Stop(reason=INCOMPLETE.get(word, "length"), vendor=word))
        elif word in ("queued", "in_progress"):
            events.append(Stop(reason="pause", vendor=word))
        else:
            events.append(Stop(reason="tool_use" if self._output.called else "stop", vendor=word))


def finish_of(response: dict[str, Any]) -> str:
    """The vendor's own word for why a response ended: of an incomplete one its reason, else its status."""
    details = response.get("incomplete_details")
    reason = details.get("reason") if isinstance(details, dict) else None
    return reason if isinstance(reason, str) else _word(response, "status") or "completed"


class WholeReader(_Reader):
    """One whole response."""

    def __init__(self) -> None:
        super().__init__()
        self._body = b""

    def feed(self, data: bytes) -> list[Event]:
        self._body += data
        return []

    def end(self) -> list[Event]:
        """Raises ProviderNonsense for anything but a response, ProviderRefused for one that failed."""
        events: list[Event] = []
        self._finish(read_whole(self._body), events)
        return events


class StreamReader(_Reader):
    """One streamed response."""

    def __init__(self) -> None:
        super().__init__()
        self._stream = EventStream()

    def feed(self, data: bytes) -> list[Event]:
        """Raises ProviderNonsense when an event is not what the API promises."""
        events: list[Event] = []
        for _, payload in self._stream.feed(data):
            if self._over:
                break
            if payload[:6] != b"[DONE]":
                try:
                    self._event(decode_event(payload), payload, events)
                except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                    raise nonsense(payload, str(error)) from None
        if not (self._begun or self._start or events or is_event_stream(head := self._stream.head)) and (
            head.lstrip()[:1] != b"{" or data.rstrip()[-1:] == b"}"  # JSON is looked at where it may be whole
        ):
            check_start(self._stream.rest)
        return events

    def end(self) -> list[Event]:
        if self._over:
            return []
        self._over = True
        if not self._begun and self._stream.rest.lstrip()[:1] == b"{":  # a host that does not stream
            events: list[Event] = []
            self._finish(read_whole(self._stream.rest), events)
            return events
        return [Stop(reason="cut")]

    def _event(self, event: StreamEvent, payload: bytes, events: list[Event]) -> None:
        kind = event.type
        if kind in ("response.created", "response.in_progress", "response.queued"):
            response = _object(event.response)
            self._note(response)
        elif kind == "response.failed":
            self._over = True
            events.append(Failed(error=refused_inside(_object(event.response).get("error"), payload)))
        elif kind == "error" or (not kind and b'"error"' in payload):
            self._over = True
            fields = _decode(payload)
            events.append(Failed(error=refused_inside(fields.get("error") or fields, payload)))
        elif kind in ENDS:
            self._finish(_object(event.response), events)
        elif kind not in _QUIET:
            self._begin(events)
            self._content(kind, event, payload, events)

    def _content(self, kind: str, event: StreamEvent, payload: bytes, events: list[Event]) -> None:
        output, place = self._output, event.output_index
        match kind:
            case "response.output_text.delta":
                item = output.items.get(place) or output.item(place, "message", events)
                output.text(item, event.content_index, _text(event.delta), event.logprobs, events)
            case "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta":
                output.arguments(output.item(place, "function_call", events), event.delta, events)
            case "response.reasoning_summary_text.delta":
                item = output.item(place, "reasoning", events)
                output.think(item, event.summary_index, _text(event.delta), False, events)
            case "response.reasoning_text.delta":
                item = output.item(place, "reasoning", events)
                output.think(item, event.content_index, _text(event.delta), True, events)
            case "response.refusal.delta":
                output.refusal(output.item(place, "message", events), event.content_index, _text(event.delta), events)
            case "response.output_item.added":
                self._added(place, event, payload, events)
            case "response.output_item.done":
                output.finish(place, _object(event.item), events)
            case "response.output_text.annotation.added":
                output.cite(output.item(place, "message", events), event.content_index, event.annotation, events)
            case _:
                self._told(kind, event, payload, events)

    def _added(self, place: int, event: StreamEvent, payload: bytes, events: list[Event]) -> None:
        if not event.item:
            return
        fields = _object(event.item)
        item = self._output.begin(place, fields, events)
        if item.kind in ("function_call", "custom_tool_call"):
            self._output.call(item, fields, events)
        elif item.kind not in ("message", "reasoning"):
            self._output.native(item, _decode(payload), events)

    def _told(self, kind: str, event: StreamEvent, payload: bytes, events: list[Event]) -> None:
        """Events that say a piece whole, and those of built-in tools."""
        output, place = self._output, event.output_index
        item = output.items.get(place)
        match kind:
            case "response.output_text.done" if isinstance(event.text, str):
                item = item or output.item(place, "message", events)
                given = item.pieces.get(event.content_index)
                rest = _rest(given.given if given else "", event.text)
                if rest or given is None:
                    output.text(item, event.content_index, rest, event.logprobs, events)
            case "response.function_call_arguments.done" | "response.custom_tool_call_input.done" if item:
                output.arguments(item, event.arguments or event.input, events, whole=True)
            case _ if kind.startswith(_SAID):
                pass  # said whole by the item's end too
            case _ if item is not None and item.kind not in ("message", "reasoning"):
                output.native(item, _decode(payload), events)
            case _:
                events.append(Native(dialect=NAME, name=kind or "event", value=_decode(payload)))


_SAID = (
    "response.content_part.",
    "response.output_text.done",
    "response.refusal.done",
    "response.reasoning_",
    "response.function_call_arguments.done",
    "response.custom_tool_call_input.done",
)


def _text(delta: Any) -> str:
    return delta if isinstance(delta, str) else ""


def _object(raw: msgspec.Raw) -> dict[str, Any]:
    value = _decode(raw) if raw else None
    if not isinstance(value, dict):
        raise ProviderNonsense("the provider sent an event of a response without its object")
    return value


def nonsense(data: bytes, why: str) -> ProviderNonsense:
    """The error for bytes that are no reply of this API, with their beginning."""
    start = data[:80].decode("utf-8", "replace")
    return ProviderNonsense(f"The provider's reply is not a response ({why}); it begins with {start!r}.")


def check_start(rest: bytes) -> None:
    """Raises ProviderNonsense, or the error a JSON body holds, when a stream begins like anything else."""
    if is_event_stream(rest):
        return
    if not may_be_error(rest):
        raise nonsense(rest, "not an event stream")
    if rest.rstrip()[-1:] != b"}":
        return  # not all of it is here
    try:
        value = _decode(rest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    if isinstance(value, dict) and value.get("error") and not value.get("output"):
        raise refused_inside(value["error"], rest)


def read_whole(body: bytes) -> dict[str, Any]:
    """A whole response. Raises ProviderNonsense where it is none, ProviderRefused where it failed."""
    try:
        value = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise nonsense(body, str(error)) from None
    if not isinstance(value, dict):
        raise nonsense(body, "not an object")
    if value.get("status") == "failed" or (value.get("error") and not value.get("output")):
        raise refused_inside(value.get("error"), body) if value.get("error") else refused(502, value, body)
    if not isinstance(value.get("output"), list):
        raise nonsense(body, "no output")
    return value
