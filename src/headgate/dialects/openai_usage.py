"""Token counts as OpenAI's chat and completions APIs say them, shared by those that speak so.

https://platform.openai.com/docs/api-reference/chat/object#chat/object-usage
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any, TypeGuard

import msgspec

from headgate.core.usage import Usage

_encode = msgspec.json.Encoder().encode


def number(value: Any) -> int:
    """A count as a vendor gives it; 0 for what is none."""
    if type(value) is int:
        return value if value > 0 else 0
    return int(value) if isinstance(value, float) and 0 < value < inf else 0


_INPUTS = {"cache_write": "cache_write_tokens", "input_audio": "audio_tokens", "input_image": "image_tokens"}
_OUTPUTS = {"reasoning": "reasoning_tokens", "output_audio": "audio_tokens", "output_image": "image_tokens"}


RARE = frozenset(
    {
        "service_tier", "market_cost", "prompt_cache_hit_tokens", "num_cached_tokens", "cached_tokens",
        "server_tool_use_details", "server_tool_use", "num_sources_used",
    }
)  # fmt: skip
"""What only some hosts say."""


def read_usage(raw: dict[str, Any], tier: Any = None) -> Usage:
    """OpenAI's `usage`, whose totals include the details, as disjoint classes; `tier` is the reply's `service_tier`,
    which Mistral has in the usage.

    Hosts that count some class on top of a total show it in `total_tokens`: xAI's reasoning, Mistral's audio; Vercel's
    gateway, which reports a `market_cost`, charges reasoning on top of all totals. Where
    details exceed their total nonetheless (xAI's cached tokens on Azure), they are cut down to it, in the order below.
    """
    prompt, completion = number(raw.get("prompt_tokens")), number(raw.get("completion_tokens"))
    ins, outs = raw.get("prompt_tokens_details"), raw.get("completion_tokens_details")
    if raw.get("total_tokens") == prompt + completion and RARE.isdisjoint(raw) and not (_counts(ins) or _counts(outs)):
        return Usage(input=prompt, output=completion, tier=tier if tier and type(tier) is str else None, reported=raw)
    tier = tier or raw.get("service_tier")
    usage = Usage(input=prompt, output=completion, tier=tier if type(tier) is str else None, reported=raw)
    total = raw.get("total_tokens")
    excess = number(total) - prompt - completion if total else 0
    reasoning = outs.get("reasoning_tokens") if type(outs) is dict else None
    audio = ins.get("audio_tokens") if type(ins) is dict else None
    if reasoning and excess <= 0 and "market_cost" in raw:  # Vercel's gateway charges it on top, and in no total
        usage.output += number(reasoning)
    elif excess > 0 and excess == number(reasoning):
        usage.output += excess
    elif excess > 0 and excess == number(audio):
        usage.input += excess
    elif excess > 0 and prompt and not (ins or outs):  # gateways before Gemini count its thoughts in the total alone
        usage.reasoning = excess
    cached = (
        (ins.get("cached_tokens") if type(ins) is dict else None)
        or raw.get("prompt_cache_hit_tokens")  # DeepSeek
        or raw.get("num_cached_tokens")  # Mistral
        or raw.get("cached_tokens")  # Moonshot, Together
    )
    if cached:
        usage.cache_read = min(number(cached), usage.input)
        usage.input -= usage.cache_read
    if _counts(ins):
        take(usage, "input", ins, _INPUTS)
    if _counts(outs):
        take(usage, "output", outs, _OUTPUTS)
    tools = raw.get("server_tool_use_details") or raw.get("server_tool_use")  # OpenRouter
    if type(tools) is dict:
        usage.server_tools = {key: number(value) for key, value in tools.items() if number(value)}
    if sources := number(raw.get("num_sources_used")):  # xAI's live search
        usage.server_tools = {**usage.server_tools, "num_sources_used": sources}
    return usage


def _counts(details: Any) -> TypeGuard[dict[str, Any]]:
    """Whether anything is told there."""
    return type(details) is dict and any(details.values())


def take(usage: Usage, whole: str, details: dict[str, Any], classes: Mapping[str, str]) -> None:
    """Move what the details count from the class `whole` into classes of their own, as far as it goes."""
    for name, theirs in classes.items():
        value = details.get(theirs)
        if value:
            count = min(number(value), getattr(usage, whole))
            setattr(usage, name, count)
            setattr(usage, whole, getattr(usage, whole) - count)


def write_usage(usage: Usage) -> bytes:
    """Usage as OpenAI counts it; what a host of this dialect reported goes out as it came."""
    if "prompt_tokens" in usage.reported:
        return _encode(usage.reported)
    ins = {"cached_tokens": usage.cache_read, "audio_tokens": usage.input_audio}
    written = usage.cache_write + usage.cache_write_1h
    if written:
        ins["cache_write_tokens"] = written
    if usage.input_image:
        ins["image_tokens"] = usage.input_image
    outs = {"reasoning_tokens": usage.reasoning, "audio_tokens": usage.output_audio}
    if usage.output_image:
        outs["image_tokens"] = usage.output_image
    return _encode(
        {
            "prompt_tokens": usage.prompt,
            "completion_tokens": usage.completion,
            "total_tokens": usage.prompt + usage.completion,
            "prompt_tokens_details": ins,
            "completion_tokens_details": {**outs, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0},
        }
    )
