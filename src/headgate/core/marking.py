"""Where a prompt is worth keeping, for a vendor that keeps none unless it is marked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import msgspec

from headgate.core.chat import SYSTEM, CacheMark, ChatRequest, Message, NativePart, Part, Text, Thinking, ToolResult

Place = Literal["tools", "system", "turns"]
LEAST = 1024
"""Tokens, about, of a prompt that any model keeps; a longer one is needed for some, which pass over a mark in a shorter
one, and charge nothing: https://platform.claude.com/docs/en/build-with-claude/prompt-caching"""
WORDS = ("cache_control", "cachePoint")
"""As vendors say such a mark."""


class Markable(NamedTuple):
    """Where prompts of a model may be marked."""

    places: frozenset[Place]
    hour: bool = True
    """They may be kept for an hour."""


EVERYWHERE = Markable(frozenset({"tools", "system", "turns"}))


def marked(request: ChatRequest, markable: Markable, mark: CacheMark) -> ChatRequest:
    """The request with marks, four at the most, where the client has placed none of its own; else as it is.

    Behind the tools, the system prompt, and, once there has been an answer, the last turn and the one before the last
    answer, up to which the prompt was kept the last time: a vendor looks back for some twenty blocks only, and the turn
    of an agent may have more. A first question is not marked: to keep it costs a quarter more, and nobody may ask on.
    """
    if any(_own(request)):
        return request
    places = markable.places
    if not markable.hour:
        mark = CacheMark()
    tools, messages = request.tools, list(request.messages)
    if "tools" in places and tools and tools[-1].builtin is None:
        tools = [*tools[:-1], msgspec.structs.replace(tools[-1], cache=mark)]
    for place in _turns(messages, places):
        messages[place] = _marked(messages[place], mark)
    return msgspec.structs.replace(request, tools=tools, messages=messages)


def _turns(messages: Sequence[Message], places: frozenset[Place]) -> Iterator[int]:
    """Places of messages at whose ends a mark belongs."""
    instructed = [place for place, each in enumerate(messages) if each.role in SYSTEM]
    if instructed and "system" in places:
        yield instructed[-1]
    answers = [place for place, each in enumerate(messages) if each.role == "assistant"]
    if not answers or "turns" not in places:
        return
    asked = [place for place, each in enumerate(messages) if each.role in ("user", "tool")]
    before = [place for place in asked if place < answers[-1]]
    yield from {*asked[-1:], *before[-1:]}


def _marked(message: Message, mark: CacheMark) -> Message:
    """With a mark at the last of its parts that may have one."""
    for place in range(len(message.parts) - 1, -1, -1):
        part = message.parts[place]
        if not isinstance(part, Thinking | NativePart) and not (isinstance(part, Text) and not part.text):
            parts = [*message.parts[:place], msgspec.structs.replace(part, cache=mark), *message.parts[place + 1 :]]
            return msgspec.structs.replace(message, parts=parts, plain=False)
    return message


def _own(request: ChatRequest) -> Iterator[bool]:
    """Whether the client says something of it."""
    yield request.cache is not None or _says(request.native)
    yield from (tool.cache is not None or _says(tool.native) or _says(tool.builtin) for tool in request.tools)
    for message in request.messages:
        yield _says(message.native)
        yield from map(_says_so, message.parts)


def _says_so(part: Part) -> bool:
    inner = part.parts if isinstance(part, ToolResult) else ()
    value = part.value if isinstance(part, NativePart) else None
    return part.cache is not None or _says(part.native) or _says(value) or any(map(_says_so, inner))


def _says(fields: Mapping[str, Any] | None) -> bool:
    return fields is not None and any(word in fields for word in WORDS)
