"""Words, counts and checks of Ollama's own API that its readers and writers share; a part of `ollama_chat`."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

import msgspec

from headgate.core.events import StopReason
from headgate.core.usage import Usage

CHAT = "ollama_chat"
GENERATE = "ollama_generate"
EMBED = "ollama_embed"
EMBEDDINGS = "ollama_embeddings"
LINES = b"application/x-ndjson"
"""The content type of a stream."""

REASONS: dict[str, StopReason] = {"stop": "stop", "length": "length", "load": "stop", "unload": "stop"}
"""The last two: an empty request that only loads or unloads the model."""
COUNTS = ("total_duration", "load_duration", "prompt_eval_count", "prompt_eval_duration", "eval_count", "eval_duration")
"""What the last line of a reply tells of the work, durations in nanoseconds."""
MOST = 1e15
"""Above this a count is none."""

_IMAGES = {"iVBOR": "image/png", "/9j/": "image/jpeg", "R0lGOD": "image/gif", "UklGR": "image/webp"}
_decode = msgspec.json.Decoder().decode


def object_of(text: str) -> dict[str, Any] | None:
    """The JSON text of a tool call's arguments as an object (none at all is {}); None where it is not one."""
    if not text.strip():
        return {}
    try:
        value = _decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def media_type_of(data: str) -> str | None:
    """What image base64 data is of, told by its beginning: Ollama's images come without a type."""
    return next((kind for start, kind in _IMAGES.items() if data.startswith(start)), None)


def seconds_of(moment: Any) -> int:
    """`created_at` in Unix seconds, 0 where it is no date."""
    if not isinstance(moment, str):
        return 0
    try:
        return max(int(datetime.datetime.fromisoformat(moment).timestamp()), 0)
    except (ValueError, OverflowError):
        return 0


def moment_of(seconds: int) -> str:
    """Unix seconds as `created_at` says them."""
    try:
        return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return moment_of(0)


def _count(found: Mapping[str, Any], key: str) -> int:
    value = found.get(key)
    return int(value) if isinstance(value, int | float) and 0 < value < MOST else 0


def read_usage(found: Mapping[str, Any]) -> Usage:
    """The counts of a reply's last line. A prompt in the cache may go uncounted; thinking is part of the answer."""
    reported = {key: found[key] for key in COUNTS if found.get(key) is not None}
    return Usage(input=_count(found, "prompt_eval_count"), output=_count(found, "eval_count"), reported=reported)


def write_usage(usage: Usage | None) -> dict[str, Any]:
    """The counts of a reply's last line; those of this API go back as they came."""
    if usage is None:
        return {}
    if usage.reported.keys() & {"prompt_eval_count", "eval_count"}:
        return usage.reported
    return {"prompt_eval_count": usage.prompt, "eval_count": usage.completion}
