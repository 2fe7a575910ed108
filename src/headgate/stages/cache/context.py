"""What has to be the same for a question to be one that is like another, and the question itself."""

from __future__ import annotations

from typing import Any

import msgspec

from headgate.core.cached import Per
from headgate.core.chat import ChatRequest, Text
from headgate.core.exchange import Exchange
from headgate.stages.cache.identity import part_key

SAMPLING = ("max_tokens", "temperature", "top_p", "top_k", "frequency_penalty", "presence_penalty", "seed")
TOOLS: dict[str, Any] = {"tools": [], "tool_choice": None, "parallel_tool_calls": None}


def question(request: ChatRequest) -> str:
    """What the user says last; "" where it is not the user who speaks last, or more is said than words."""
    last = request.messages[-1] if request.messages else None
    if last is None or last.role != "user" or last.name is not None or last.native:
        return ""
    texts = []
    for part in last.parts:
        if type(part) is not Text or part.native or part.citations:
            return ""
        texts.append(part.text)
    return "\n".join(texts).strip()


def context(
    exchange: Exchange, meaning: bytes, per: Per, headers: frozenset[bytes], counts: frozenset[str]
) -> bytes | None:
    """A hash of all but the question, of the tenant always; `counts`: which of `system`, `earlier`, `tools` and
    `parameters` tell two apart. None: it names what stands elsewhere."""
    request: ChatRequest = exchange.request
    changed: dict[str, Any] = {
        "messages": [
            message
            for message in request.messages[:-1]
            if ("system" if message.role in ("system", "developer") else "earlier") in counts
        ]
    }
    if "tools" not in counts:
        changed |= TOOLS
    if "parameters" not in counts:
        changed |= dict.fromkeys(SAMPLING)
    return part_key(exchange, msgspec.structs.replace(request, **changed), meaning, per, headers)
