"""Words and forms of the Converse API that its readers and writers share; a part of `bedrock_converse`."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import msgspec

from headgate.core.events import StopReason
from headgate.core.usage import Usage

DIALECT = "bedrock_converse"

REASONS: dict[str, StopReason] = {
    "end_turn": "stop",
    "tool_use": "tool_use",
    "max_tokens": "length",
    "stop_sequence": "stop_sequence",
    "model_context_window_exceeded": "context",
    "content_filtered": "refusal",
    "guardrail_intervened": "refusal",
}
"""https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html, `stopReason`."""
STOP_WORDS: dict[StopReason, str] = {
    "stop": "end_turn",
    "stop_sequence": "stop_sequence",
    "length": "max_tokens",
    "context": "model_context_window_exceeded",
    "tool_use": "tool_use",
    "refusal": "content_filtered",
    "pause": "end_turn",
}

IMAGES = {"png": "image/png", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp"}
DOCUMENTS = {
    "pdf": "application/pdf",
    "csv": "text/csv",
    "doc": "application/msword",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xls": "application/vnd.ms-excel",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "html": "text/html",
    "txt": "text/plain",
    "md": "text/markdown",
}
VIDEOS = {
    "mkv": "video/x-matroska",
    "mov": "video/quicktime",
    "mp4": "video/mp4",
    "webm": "video/webm",
    "flv": "video/x-flv",
    "mpeg": "video/mpeg",
    "mpg": "video/mpg",
    "wmv": "video/x-ms-wmv",
    "three_gp": "video/3gpp",
}
AUDIOS = frozenset(
    {
        "mp3",
        "opus",
        "wav",
        "aac",
        "flac",
        "mp4",
        "ogg",
        "mkv",
        "mka",
        "x-aac",
        "m4a",
        "mpeg",
        "mpga",
        "pcm",
        "webm",
    }
)
"""The formats of each kind of content."""

_SAFE_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_decode = msgspec.json.Decoder().decode


def safe_id(id: str) -> str:
    """The id of a tool call in the API's pattern, at most 64 characters; the same for the same id, and no other's."""
    return id if _SAFE_ID.fullmatch(id) else f"x{hashlib.sha256(id.encode('utf-8', 'surrogatepass')).hexdigest()[:48]}"


def arguments_of(text: str) -> dict[str, Any] | None:
    """The JSON text of a tool call's arguments as an object (none at all is {}); None where it is not one."""
    if not text.strip():
        return {}
    try:
        value = _decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def read_usage(found: dict[str, Any], tier: Any = None) -> Usage:
    """`usage`, with the reply's `serviceTier` → disjoint classes. `inputTokens` excludes the cache (a recorded 16 with
    2,387 written and 9 of output makes a `totalTokens` of 2,412); `outputTokens` includes reasoning, which is not told
    apart."""
    usage = Usage(
        input=_count(found, "inputTokens"),
        output=_count(found, "outputTokens"),
        cache_read=_count(found, "cacheReadInputTokens"),
        reported=found,
    )
    written = _count(found, "cacheWriteInputTokens")
    details = found.get("cacheDetails")
    for detail in details if isinstance(details, list) else ():
        if isinstance(detail, dict) and detail.get("ttl") == "1h":
            usage.cache_write_1h += _count(detail, "inputTokens")
    usage.cache_write_1h = min(usage.cache_write_1h, written)
    usage.cache_write = written - usage.cache_write_1h
    if isinstance(tier, dict) and isinstance(tier.get("type"), str):
        usage.tier = tier["type"]
    tools = found.get("serverToolUsage")
    if isinstance(tools, dict):
        usage.server_tools = {key: _count(tools, key) for key in tools if _count(tools, key)}
    return usage


def _count(found: dict[str, Any], key: str) -> int:
    value = found.get(key)
    return value if type(value) is int and value > 0 else 0


def write_usage(usage: Usage | None) -> dict[str, Any]:
    """The `usage` of a reply; one that came from this API goes back as it came."""
    if usage is None:
        return {"inputTokens": 0, "outputTokens": 0, "totalTokens": 0}
    reported = usage.reported
    if "outputTokens" in reported and read_usage(reported, {"type": usage.tier}) == usage:
        return {"inputTokens": 0, "totalTokens": usage.prompt + usage.completion, **reported}
    written = usage.cache_write + usage.cache_write_1h
    found: dict[str, Any] = {
        "inputTokens": usage.prompt - usage.cache_read - written,
        "outputTokens": usage.completion,
        "totalTokens": usage.prompt + usage.completion,
    }
    if usage.cache_read or written:
        found |= {"cacheReadInputTokens": usage.cache_read, "cacheWriteInputTokens": written}
    ttls = {"1h": usage.cache_write_1h, "5m": usage.cache_write}
    if written:
        found["cacheDetails"] = [{"ttl": ttl, "inputTokens": count} for ttl, count in ttls.items() if count]
    if usage.server_tools:
        found["serverToolUsage"] = usage.server_tools
    return found
