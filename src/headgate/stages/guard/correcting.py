"""A conversation that goes on with a faulty answer, and with what is wrong with it, in whatever API it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from headgate.core.chat import ChatRequest, Message, Part, Refusal, Text, Thinking, Tool, ToolCall, ToolResult
from headgate.core.events import Event, ToolInput
from headgate.core.events import Refusal as RefusalPiece
from headgate.core.events import Text as TextPiece
from headgate.core.events import Thinking as ThinkingPiece
from headgate.core.events import ToolCall as CallBegun
from headgate.core.exchange import Exchange
from headgate.core.guard import Finding, Passage
from headgate.stages.guard.policy import Policy

_decode = msgspec.json.Decoder().decode
SHOWN = 2000
"""Characters of arguments that are no JSON object, which many APIs do not take back, that the model is shown."""
CALLS = "tool_calls"
"""In the path of a passage that is all arguments of a call; which one of them follows."""
NOT_MADE = "This call was not made, as another one was wrong; make it again."


class Fault(NamedTuple):
    """What has a model asked again."""

    policy: Policy
    found: Finding
    passage: Passage


def corrected(parts: list[Part], faults: Sequence[Fault], number: int) -> list[Message] | None:
    """The turns that follow an answer of such parts for the `number`th time; None where nothing can: of several
    answers, or where words are wrong beside calls of tools, which want results first."""
    calls = [part for part in parts if isinstance(part, ToolCall)]
    wrong = {fault.passage.path[1]: fault.found.advice for fault in faults if fault.passage.path[:1] == (CALLS,)}
    if not parts or (calls and not wrong):
        return None
    answer = Message(role="assistant", parts=parts, plain=len(parts) == 1 and isinstance(parts[0], Text))
    if not calls:
        advice = "\n".join(dict.fromkeys(fault.found.advice for fault in faults))
        return [answer, Message(role="user", parts=[Text(text=advice)], plain=True)]
    results: list[Part] = []
    for place, call in enumerate(calls):
        call.id = call.id or f"call_{number}_{place}"
        told = _shown(call) + wrong[place] if place in wrong else NOT_MADE
        results.append(ToolResult(id=call.id, parts=[Text(text=told)], error=True, plain=True))
    return [answer, Message(role="tool", parts=results)]


def as_client(exchange: Exchange, turns: list[Message]) -> list[Message]:
    """The turns as they would stand in the request, had its client sent them: calls and their results are read in the
    shape of each API. Raises GatewayError where it has no words for them."""
    calls = {part.name: None for part in turns[0].parts if isinstance(part, ToolCall)}
    if not calls:
        return turns
    dialect, request = exchange.dialect, exchange.request
    tools = [
        Tool(name=tool.name, description=tool.description, schema=tool.schema)
        for tool in request.tools
        if tool.name in calls and tool.builtin is None
    ]
    first = Message(role="user", parts=[Text(text="-")], plain=True)
    whole = ChatRequest(dialect="", model=request.model, messages=[first, *turns], tools=tools, max_tokens=1)
    body = dialect.write_request(whole, [])
    fields = _decode(body) if isinstance(body, bytes) else {}
    read: Any = dialect.read_request({"model": request.model, **fields})
    return list(read.messages[1:])


def said(events: Sequence[Event]) -> list[Part]:
    """An answer as a turn of the assistant; nothing where there are several answers."""
    parts: dict[tuple[int, type[Part]], Any] = {}
    for event in events:
        if event.choice:
            return []
        if isinstance(event, TextPiece):
            parts.setdefault((event.block, Text), Text(text="")).text += event.text
        elif isinstance(event, RefusalPiece):
            parts.setdefault((event.block, Refusal), Refusal(text="")).text += event.text
        elif isinstance(event, ThinkingPiece):
            thought = parts.setdefault((event.block, Thinking), Thinking())
            thought.text += event.text
            thought.signature = event.signature or thought.signature
            thought.redacted, thought.signer = event.redacted or thought.redacted, event.signer or thought.signer
        elif isinstance(event, CallBegun):
            parts[event.block, ToolCall] = ToolCall(
                id=event.id, name=event.name, arguments="", custom=event.custom, signature=event.signature,
                signer=event.signer,
            )  # fmt: skip
        elif isinstance(event, ToolInput) and (event.block, ToolCall) in parts:
            parts[event.block, ToolCall].arguments += event.json
    return list(parts.values())


def _shown(call: ToolCall) -> str:
    """Have the call be one that any API takes back; gives its arguments as they were, where they were none."""
    if call.custom or _is_object(call.arguments or "{}"):
        return ""
    was, call.arguments = call.arguments[:SHOWN], "{}"
    return f"The arguments were: {was}\n"


def _is_object(text: str) -> bool:
    try:
        return type(_decode(text)) is dict
    except (msgspec.DecodeError, RecursionError, ValueError):
        return False
