"""Writes events as replies of OpenAI's Responses API; a part of the dialect `openai_responses`.

Formats: https://platform.openai.com/docs/api-reference/responses/object and …/responses-streaming

- The text of an answer is one message item, a piece each; a call or thinking ends it. Calls may be open side by side
  and end when their arguments are complete and something else begins, or with the answer.
- Thinking is a reasoning item with a summary, the form clients show; what hosts of this API gave as reasoning itself
  stays so. Its `encrypted_content` is this API's own proof, another vendor's in a wrapping, or a mark of none.
- Calls of functions that stand for the client's custom tools or its local shell become calls of those.
- A reply that ends for want of tokens or by a filter is `incomplete`. Nothing is stored: `store` is what the client
  asked of a provider of this API, else false.
"""

from __future__ import annotations

import re
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
    Text,
    Thinking,
    ToolCall,
    ToolInput,
    Used,
)
from headgate.core.usage import Usage
from headgate.dialects.openai_responses.items import Call, Message, Reasoning, offered
from headgate.dialects.openai_responses.reading import OwnCall, OwnImage, OwnStart, OwnText, OwnThinking
from headgate.dialects.openai_responses.words import INCOMPLETE, NAME, wrap_as, write_tools, write_usage

_encode = msgspec.json.Encoder().encode
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")
_TIERS = frozenset({"auto", "default", "flex", "scale", "priority", "fast", "ultrafast"})
_REASONS = {"length": "max_output_tokens", "context": "max_output_tokens", "refusal": "content_filter"}
_ECHOED: dict[str, Any] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "store": False,
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": None,
    "truncation": "disabled",
    "user": None,
    "metadata": {},
}
"""Fields of a response that say again what was asked, and what they are where nothing was."""


def response_id(start: Start) -> str:
    if isinstance(start, OwnStart) or start.id.startswith("resp_"):
        return start.id
    return f"resp_{_UNSAFE.sub('_', start.id)}"


class Writer:
    """What both writers share: the items of the response, in the order they began."""

    def __init__(self, request: Mapping[str, Any], lost: list[Loss]) -> None:
        self._request = request
        self._lost = lost
        self._told: set[str] = set()
        self._offered = offered(request)
        self._start: Start | None = None
        self._base = ""
        self._usage: Usage | None = None
        self._failed: GatewayError | None = None
        self._stop: Stop | None = None
        self._output: list[dict[str, Any]] = []
        self._message: Message | None = None
        self._reasoning: Reasoning | None = None
        self._calls: dict[int, Call] = {}
        self._natives: dict[int, int] = {}
        self._phase: str | None = None
        self._extras: dict[int, dict[str, Any]] = {}

    # what a form of the reply does with it

    def tell(self, kind: str, fields: dict[str, Any]) -> None:
        """An event of the stream; a whole reply has none."""

    # events

    def _take(self, event: Event) -> None:
        if event.choice:
            self._lose(f"choices[{event.choice}]", "the Responses API gives one answer")
            return
        match event:
            case Start():
                self._begin(event)
            case Used():
                self._usage = event.usage
            case Failed():
                self._failed = event.error
            case Stop():
                if event.reason != "cut":
                    self._end(event)
            case _:
                self._piece(event)

    def _piece(self, event: Event) -> None:
        if self._start is None:
            self._begin(Start())
        match event:
            case Text():
                item = event.item if isinstance(event, OwnText) else ""
                self._said(event.block, "output_text", item).add(self, event.text, event.logprobs)
            case Refusal():
                self._said(event.block, "refusal", "").add(self, event.text, event.logprobs)
            case Thinking():
                self._think(event)
            case ToolCall():
                self._call(event)
            case ToolInput():
                call = self._calls.get(event.block)
                if call is not None:
                    call.add(self, event.json)
            case Citation():
                self._cite(event)
            case Image():
                self._image(event)
            case Native():
                self._native(event)

    def _begin(self, start: Start) -> None:
        self._start = start
        id = response_id(start)
        self._base = _UNSAFE.sub("", id.removeprefix("resp_"))[-40:] or "0"
        for key in start.native:
            if key != "service_tier":
                self._lose(key, "the Responses API has no such field")
        response = self.response("in_progress")
        self.tell("response.created", {"response": response})
        self.tell("response.in_progress", {"response": response})

    def place(self, item: dict[str, Any]) -> int:
        """A new item's place in the output; it is announced by the caller."""
        self._output.append(item)
        return len(self._output) - 1

    def name(self, prefix: str, own: str = "") -> str:
        """The id of an item: its own, or one made of the response's."""
        return own or f"{prefix}_{self._base}_{len(self._output)}"

    def _said(self, block: int, kind: str, own: str) -> Message:
        """The message item that is open, or a new one, with the piece of this block open in it."""
        if self._message is None or (own and own != self._message.id):
            self._close_open()
            self._message = Message(self, own, self._phase)
            self._phase = None
        self._message.turn_to(self, block, kind)
        return self._message

    def _close_open(self, status: str = "completed") -> None:
        """Something else begins: the message and the thinking end, and the calls that are complete."""
        if self._message is not None:
            self._message.close(self, status)
            self._message = None
        if self._reasoning is not None:
            self._reasoning.close(self)
            self._reasoning = None
        for call in self._calls.values():
            if not call.closed and call.complete():
                call.close(self)

    def _think(self, event: Thinking) -> None:
        item = event.item if isinstance(event, OwnThinking) else ""
        if self._reasoning is None or self._reasoning.block != event.block:
            self._close_open()
            self._reasoning = Reasoning(self, event.block, item, own=isinstance(event, OwnThinking))
        thinking = self._reasoning
        if event.text:
            thinking.add(self, event.text, raw=isinstance(event, OwnThinking) and event.raw)
        proof = event.signature or event.redacted
        if proof and not event.signer:
            self._lose("thinking.signature", "it does not say whose it is, so it could not be sent back")
        elif event.redacted:
            thinking.sealed = wrap_as("redacted", event.signer, event.redacted)
        elif event.signature:
            thinking.prove(event.signer, event.signature)

    def _call(self, event: ToolCall) -> None:
        if event.signature and event.signer:
            self._close_open()
            proof = Reasoning(self, -1, "", own=True)
            proof.sealed = wrap_as("call", event.signer, event.signature)
            proof.close(self)
        elif event.signature:
            self._lose("tool_call.signature", "it does not say whose it is, so it could not be sent back")
        self._close_open()
        own = event.item if isinstance(event, OwnCall) else ""
        more = self._extras.pop(event.block, {})
        tool = self._offered.get(event.name)
        kind = "custom" if event.custom else tool.kind if tool else "function"
        if tool and tool.namespace is not None:
            event, more = msgspec.structs.replace(event, name=tool.name), {**more, "namespace": tool.namespace}
        self._calls[event.block] = Call(self, event, kind, own, more)

    def _cite(self, event: Citation) -> None:
        """A source of this API as it is; any other with an address, for the piece of text it stands at."""
        value = event.value
        inner = value.get("url_citation")
        if event.dialect == NAME:
            annotation, whole = value, True
        elif isinstance(inner, dict):
            annotation, whole = {"type": "url_citation", **inner}, True
        else:
            url = value.get("url") or value.get("uri") or value.get("source")
            if not isinstance(url, str) or not url.startswith(("http://", "https://")):
                self._lose("citations", "only citations of web pages have a form in the Responses API")
                return
            title = value.get("title")
            annotation = {"type": "url_citation", "url": url, "title": title if isinstance(title, str) else ""}
            whole = False
        if self._message is None or self._message.block != event.block:
            self._said(event.block, "output_text", "")
        assert self._message is not None
        self._message.cite(self, annotation, whole=whole)

    def _image(self, event: Image) -> None:
        """A picture is the result of a call that makes one."""
        if isinstance(event, OwnImage):
            self._finished(event.block, event.item)
            return
        format = event.media_type.removeprefix("image/")
        item = {"id": self.name("ig"), "type": "image_generation_call", "status": "completed", "result": event.base64}
        self._finished(event.block, {**item, "output_format": format})

    def _finished(self, block: int, item: dict[str, Any]) -> None:
        """A whole item, announced before where it was not."""
        if block not in self._natives:
            self._announce(block, item)
        place = self._natives.pop(block)
        self._output[place] = item
        self.tell("response.output_item.done", {"output_index": place, "item": item})

    def _native(self, event: Native) -> None:
        value = event.value
        if event.dialect != NAME:
            kind = value.get("type") if isinstance(value, dict) else None
            named = event.name == "content_block" and isinstance(kind, str)
            self._lose(f"content.{kind}" if named else event.name, f"only {event.dialect} knows it")
        elif event.name == "phase":
            self._phase = value
        elif event.name in ("function_call", "custom_tool_call"):
            self._extras[event.block] = value
        elif isinstance(value, dict):
            self._native_item(event, value)

    def _native_item(self, event: Native, value: dict[str, Any]) -> None:
        """An item of a built-in tool, or an event of its progress."""
        kind = str(value.get("type"))
        progress = kind.startswith("response.") or "output_index" in value
        if kind == event.name and not progress:
            self._finished(event.block, value)
        elif kind == "response.output_item.added" and isinstance(value.get("item"), dict):
            self._announce(event.block, value["item"])
        elif progress and event.block in self._natives:
            told = {key: inner for key, inner in value.items() if key not in ("type", "sequence_number")}
            self.tell(kind, {**told, "output_index": self._natives[event.block]})
        else:
            told = {key: inner for key, inner in value.items() if key not in ("type", "sequence_number")}
            self.tell(kind, told)

    def _announce(self, block: int, item: dict[str, Any]) -> None:
        self._close_open()
        place = self.place(item)
        self._natives[block] = place
        self.tell("response.output_item.added", {"output_index": place, "item": item})

    def _end(self, stop: Stop) -> None:
        if self._start is None:
            self._begin(Start())
        self._stop = stop
        reason = self._incomplete(stop)
        status = "completed" if reason is None else "incomplete"
        self._close_open(status)
        for call in self._calls.values():
            if not call.closed:
                call.close(self, status)
        if stop.sequence is not None:
            self._lose("stop_sequence", "the Responses API does not say which sequence was met")
        if stop.reason == "pause" and stop.vendor not in INCOMPLETE:
            self._lose("stop_reason", "said as completed: the Responses API has no pause")
        for key in stop.native:
            self._lose(key, "the Responses API has no such field")
        self.tell(f"response.{status}", {"response": self.response(status, reason)})

    @staticmethod
    def _incomplete(stop: Stop) -> str | None:
        """Why the response is incomplete; None where it is not."""
        return stop.vendor if stop.vendor in INCOMPLETE else _REASONS.get(stop.reason)

    def response(self, status: str, reason: str | None = None) -> dict[str, Any]:
        """The response as it stands."""
        start = self._start or Start()
        request = self._request
        echoed = {key: default if request.get(key) is None else request[key] for key, default in _ECHOED.items()}
        fields: dict[str, Any] = {
            "id": response_id(start),
            "object": "response",
            "created_at": start.created,
            "status": status,
            "completed_at": start.created if status == "completed" else None,
            "error": None,
            "incomplete_details": None if reason is None else {"reason": reason},
            "model": start.model,
            "output": [] if status == "in_progress" else self._output,
            "usage": None if self._usage is None or status == "in_progress" else write_usage(self._usage),
            **echoed,
        }
        served = None if self._usage is None else self._usage.tier
        tier = start.native.get("service_tier") or served or request.get("service_tier")
        if tier in _TIERS or (tier and isinstance(start, OwnStart)):
            fields["service_tier"] = tier
        tools = None if self._usage is None or status == "in_progress" else write_tools(self._usage)
        if tools is not None:
            fields["tool_usage"] = tools
        return fields

    def _lose(self, path: str, why: str) -> None:
        if path not in self._told:
            self._told.add(path)
            self._lost.append(Loss(f"reply.{path}", why))


class StreamWriter(Writer):
    """Events → the API's events, each with its number."""

    def __init__(self, request: Mapping[str, Any], lost: list[Loss]) -> None:
        super().__init__(request, lost)
        self._out: list[bytes] = []
        self._number = 0

    def feed(self, events: Sequence[Event]) -> bytes:
        for event in events:
            message = self._message
            # the common case first: more text of the open piece
            if type(event) is Text and message is not None and message.block == event.block and not event.choice:
                message.add(self, event.text, event.logprobs)
            elif self._stop is None:
                self._take(event)
        data = b"".join(self._out)
        self._out.clear()
        return data

    def end(self) -> bytes:
        """Nothing: the last Stop has written the end; a reply that broke off has none."""
        return b""

    def tell(self, kind: str, fields: dict[str, Any]) -> None:
        said = {"type": kind, **fields, "sequence_number": self._number}
        self._number += 1
        self._out += (b"event: ", kind.encode(), b"\ndata: ", _encode(said), b"\n\n")


class WholeWriter(Writer):
    """Events → one response."""

    def feed(self, events: Sequence[Event]) -> bytes:
        for event in events:
            if self._stop is None:
                self._take(event)
        return b""

    def end(self) -> bytes:
        """The whole response. Raises what failed, ProviderCut when it broke off."""
        if self._failed is not None:
            raise self._failed
        if self._stop is None:
            raise ProviderCut("the provider's reply broke off before its end")
        reason = self._incomplete(self._stop)
        return _encode(self.response("completed" if reason is None else "incomplete", reason))
