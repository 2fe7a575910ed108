"""Words and forms of the Messages API that its readers and writers share; a part of `anthropic_messages`."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from headgate.core.events import StopReason
from headgate.core.usage import Usage

DIALECT = "anthropic_messages"

REQUEST_HEADERS = frozenset(
    {
        b"anthropic-version",
        b"anthropic-beta",
        b"anthropic-dangerous-direct-browser-access",
        b"anthropic-user-profile-id",
        b"anthropic-workspace-id",
    }
)
REPLY_HEADERS = frozenset(
    {
        b"request-id",
        b"retry-after",
        b"x-should-retry",
        b"anthropic-organization-id",
        b"anthropic-workspace-id",
    }
    | {
        f"anthropic-ratelimit-{kind}-{fact}".encode()
        for kind in ("requests", "tokens", "input-tokens", "output-tokens")
        for fact in ("limit", "remaining", "reset")
    }
    | {
        f"anthropic-priority-{way}-tokens-{fact}".encode()
        for way in ("input", "output")
        for fact in ("limit", "remaining", "reset")
    }
)

REASONS: dict[str, StopReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop_sequence",
    "max_tokens": "length",
    "model_context_window_exceeded": "context",
    "tool_use": "tool_use",
    "refusal": "refusal",
    "pause_turn": "pause",
}
"""https://docs.claude.com/en/api/handling-stop-reasons"""
STOP_WORDS: dict[str, str] = {reason: word for word, reason in REASONS.items()}

ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
"""https://docs.claude.com/en/api/errors: other 4xx are invalid_request_error, other 5xx api_error."""
STATUSES = {kind: status for status, kind in ERRORS.items()} | {"timeout_error": 504, "api_error": 500}

_SAFE_ID = re.compile(r"[A-Za-z0-9_-]+")
_decode = msgspec.json.Decoder().decode


def safe_id(id: str) -> str:
    """The id of a tool call in the API's pattern ^[a-zA-Z0-9_-]+$; the same for the same id, and no other's."""
    return id if _SAFE_ID.fullmatch(id) else f"toolu_x{id.encode('utf-8', 'surrogatepass').hex()}"


def arguments_of(text: str) -> dict[str, Any] | None:
    """The JSON text of a tool call's arguments as an object (none at all is {}); None where it is not one."""
    if not text.strip():
        return {}
    try:
        value = _decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def read_usage(found: dict[str, Any]) -> Usage:
    """A `usage` object (that of a stream's start with the later ones merged in) → disjoint classes of tokens.

    `input_tokens` excludes the cache; `output_tokens` includes thinking.
    """
    usage = Usage(input=_count(found, "input_tokens"), output=_count(found, "output_tokens"), reported=found)
    usage.cache_read = _count(found, "cache_read_input_tokens")
    split = found.get("cache_creation")
    if split:
        usage.cache_write_1h = _count(split, "ephemeral_1h_input_tokens")
        usage.cache_write = _count(split, "ephemeral_5m_input_tokens")
    if found.get("cache_creation_input_tokens") is not None:
        written = _count(found, "cache_creation_input_tokens")
        usage.cache_write_1h = min(usage.cache_write_1h, written)
        usage.cache_write = written - usage.cache_write_1h
    details = found.get("output_tokens_details")
    if details:
        usage.reasoning = min(_count(details, "thinking_tokens"), usage.output)
        usage.output -= usage.reasoning
    tier = "fast" if found.get("speed") == "fast" else found.get("service_tier")
    usage.tier = tier if isinstance(tier, str) else None
    tools = found.get("server_tool_use")
    if isinstance(tools, dict):
        usage.server_tools = {key: _count(tools, key) for key in tools if _count(tools, key)}
    return usage


def _count(found: Any, key: str) -> int:
    value = found.get(key) if isinstance(found, dict) else None
    return value if type(value) is int and value > 0 else 0


def write_usage(usage: Usage | None) -> dict[str, Any]:
    """The `usage` object of a reply; one that came from this API goes back as it came."""
    if usage is None:
        return {"input_tokens": 0, "output_tokens": 0}
    reported = usage.reported
    # the Responses API of OpenAI has the same names for counts that include the cache
    if "output_tokens" in reported and "input_tokens_details" not in reported and read_usage(reported) == usage:
        return {"input_tokens": 0, **reported}
    found: dict[str, Any] = {
        "input_tokens": usage.input + usage.input_audio + usage.input_image + usage.input_video,
        "cache_creation_input_tokens": usage.cache_write + usage.cache_write_1h,
        "cache_read_input_tokens": usage.cache_read,
        "output_tokens": usage.completion,
    }
    if usage.cache_write or usage.cache_write_1h:
        found["cache_creation"] = {
            "ephemeral_5m_input_tokens": usage.cache_write,
            "ephemeral_1h_input_tokens": usage.cache_write_1h,
        }
    if usage.reasoning:
        found["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    if usage.server_tools:
        found["server_tool_use"] = {"web_search_requests": 0, "web_fetch_requests": 0, **usage.server_tools}
    return found
