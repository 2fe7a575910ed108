"""Words, counts and checks of Cohere's v2 chat that its readers and writers share; a part of `cohere_chat`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from headgate.core.events import StopReason
from headgate.core.usage import Usage

DIALECT = "cohere_chat"
MOST = 1e15
"""Above this a count is none."""

REASONS: dict[str, StopReason] = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop_sequence",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "tool_use",
    "TIMEOUT": "length",  # what there is of the answer is good, and not all of it
}
"""https://docs.cohere.com/reference/chat#response.body.finish_reason; ERROR is no reason but a failure."""
FINISHES: dict[StopReason, str] = {
    "stop": "COMPLETE",
    "stop_sequence": "STOP_SEQUENCE",
    "length": "MAX_TOKENS",
    "context": "MAX_TOKENS",
    "tool_use": "TOOL_CALL",
    "refusal": "COMPLETE",
    "pause": "COMPLETE",
    "cut": "ERROR",
}


def member(value: Any, key: str) -> Mapping[str, Any]:
    """An object inside another one, empty where there is none."""
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def _count(found: Mapping[str, Any], key: str) -> int:
    value = found.get(key)
    return int(value) if isinstance(value, int | float) and 0 < value < MOST else 0


def read_usage(found: dict[str, Any]) -> Usage:
    """A `usage` object → disjoint classes of what is paid for.

    `tokens` counts all that went through the model, Cohere's own preamble and template included; `billed_units` what
    is on the bill (https://docs.cohere.com/docs/how-does-cohere-pricing-work), so it counts where it is given.
    `cached_tokens` is a part of `tokens`: beside billed units it stays in `reported`.
    """
    tokens, billed = member(found, "tokens"), member(found, "billed_units")
    counted = billed if billed.keys() & {"input_tokens", "output_tokens"} else tokens
    usage = Usage(input=_count(counted, "input_tokens"), output=_count(counted, "output_tokens"), reported=found)
    usage.input_image = min(_count(tokens, "image_tokens"), usage.input)
    usage.input -= usage.input_image
    usage.reasoning = min(_count(tokens, "reasoning_tokens"), usage.output)
    usage.output -= usage.reasoning
    if counted is tokens:
        usage.cache_read = min(_count(found, "cached_tokens"), usage.input)
        usage.input -= usage.cache_read
    searches = _count(billed, "search_units")
    if searches:
        usage.server_tools = {"search_units": searches}
    return usage


def write_usage(usage: Usage | None) -> dict[str, Any]:
    """The `usage` object of a reply; one that came from this API goes back as it came."""
    if usage is None:
        return {}
    if usage.reported.keys() & {"billed_units", "tokens"}:
        return usage.reported
    tokens = {"input_tokens": usage.prompt, "output_tokens": usage.completion}
    found: dict[str, Any] = {"billed_units": dict(tokens), "tokens": tokens}
    if usage.input_image:
        tokens["image_tokens"] = usage.input_image
    if usage.reasoning:
        tokens["reasoning_tokens"] = usage.reasoning
    if usage.cache_read:
        found["cached_tokens"] = usage.cache_read
    return found
