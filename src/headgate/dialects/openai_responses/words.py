"""Words of the Responses API that its readers and writers share; a part of the dialect `openai_responses`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from headgate.core.errors import ProviderRefused
from headgate.core.events import StopReason
from headgate.core.usage import Usage
from headgate.dialects.openai_errors import refused
from headgate.dialects.openai_usage import number, take
from headgate.dialects.signatures import unwrap, wrap

NAME = "openai_responses"
CALLS = frozenset({"function_call", "custom_tool_call", "local_shell_call"})
"""Output items that ask the client to do something, and that the core has a word for."""
LOCAL_SHELL = "local_shell"
"""The tool of that type, and the name of the function it is for a model of another API."""
INCOMPLETE: dict[str, StopReason] = {
    "max_output_tokens": "length",
    "max_messages": "length",
    "content_filter": "refusal",
    "steered": "pause",
}
"""https://platform.openai.com/docs/api-reference/responses/object#responses/object-incomplete_details"""
_STATUSES = {
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "too_many_requests": 429,
    "usage_limit_reached": 429,
    "server_is_overloaded": 503,
    "slow_down": 503,
    "invalid_prompt": 400,
    "context_length_exceeded": 400,
    "bio_policy": 400,
    "invalid_request_error": 400,
    "model_not_found": 404,
}
"""Statuses of the codes in `response.error`; those of images are the request's fault, all others the provider's."""
_encode = msgspec.json.Encoder().encode


def qualified(namespace: str, name: str) -> str:
    """A tool's name where there are no namespaces; Codex ends those of MCP servers in the separator itself."""
    return namespace + ("" if namespace.endswith("_") or name.startswith("_") else "__") + name


def read_usage(raw: Mapping[str, Any], reply: Mapping[str, Any]) -> Usage:
    """A `usage` object, whose totals include their details, as disjoint classes, with the reply's `tool_usage` and
    `service_tier`.

    Details beyond their total are cut down to it; what the sum has beyond both totals is reasoning counted on top.
    """
    usage = Usage(input=number(raw.get("input_tokens")), output=number(raw.get("output_tokens")), reported=dict(raw))
    tier, tools = reply.get("service_tier"), reply.get("tool_usage")
    usage.tier = tier if isinstance(tier, str) else None
    ins, outs = raw.get("input_tokens_details"), raw.get("output_tokens_details")
    excess = number(raw.get("total_tokens")) - usage.input - usage.output
    if excess > 0 and isinstance(outs, dict) and excess == number(outs.get("reasoning_tokens")):
        usage.output += excess
    if isinstance(ins, dict):
        take(usage, "input", ins, _INPUTS)
    if isinstance(outs, dict):
        take(usage, "output", outs, _OUTPUTS)
    searches = tools.get("web_search") if isinstance(tools, dict) else None
    found = {"web_search_requests": searches.get("num_requests")} if isinstance(searches, dict) else {}
    for name in ("num_sources_used", "num_server_side_tools_used"):  # xAI
        found[name] = raw.get(name)
    usage.server_tools = {name: number(value) for name, value in found.items() if number(value)}
    return usage


_INPUTS = {
    "cache_read": "cached_tokens",
    "cache_write": "cache_write_tokens",
    "input_audio": "audio_tokens",
    "input_image": "image_tokens",
}
_OUTPUTS = {"reasoning": "reasoning_tokens", "output_audio": "audio_tokens", "output_image": "image_tokens"}


def write_usage(usage: Usage) -> dict[str, Any]:
    """Usage as this API counts it; what a host of it reported goes out as it came."""
    reported = usage.reported
    if "input_tokens" in reported and "total_tokens" in reported:
        return reported
    ins = {"cached_tokens": usage.cache_read, "cache_write_tokens": usage.cache_write + usage.cache_write_1h}
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": ins,
        "output_tokens": usage.completion,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.prompt + usage.completion,
    }


_NO_PICTURES = {
    "input_tokens": 0,
    "input_tokens_details": {"image_tokens": 0, "text_tokens": 0},
    "output_tokens": 0,
    "output_tokens_details": {"image_tokens": 0, "text_tokens": 0},
    "total_tokens": 0,
}


def write_tools(usage: Usage) -> dict[str, Any] | None:
    """`tool_usage` of a response, where there were searches."""
    searches = usage.server_tools.get("web_search_requests")
    return {"image_gen": _NO_PICTURES, "web_search": {"num_requests": searches}} if searches else None


def refused_inside(found: Any, body: bytes) -> ProviderRefused:
    """The error of a failed response or of an error event: `{"code", "message", …}`."""
    fields: dict[str, Any] = found if isinstance(found, dict) else {}
    if isinstance(found, str):
        fields = {"message": found}
    code, status = fields.get("code") or fields.get("type"), 502
    if isinstance(code, str):
        status = _STATUSES.get(code, 400 if "image" in code else 502)
    if isinstance(fields.get("status"), int) and 400 <= fields["status"] <= 599:
        status = fields["status"]
    error = refused(status, {"error": fields}, body)
    error.kind = error.kind or error.vendor_code
    return error


# What stands in a reasoning item's `encrypted_content` for other vendors' proofs

_KINDS = ("call", "redacted")


def wrap_as(kind: str, signer: str, proof: str) -> str:
    """A proof that is not one of thinking: of a `call`, or `redacted` thinking itself."""
    return wrap(f"{kind}__{signer}", proof)


def unwrap_kind(text: str) -> tuple[str, str, str]:
    """`encrypted_content` → "thinking", "call" or "redacted", whose proof it is, and the proof."""
    signer, proof = unwrap(text, NAME)
    kind, mark, rest = signer.partition("__")
    return (kind, rest, proof) if mark and kind in _KINDS else ("thinking", signer, proof)


# Tools of this API that a model of another one is offered as functions

INPUT = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}
_SHELL_DESCRIPTION = "Runs a command on the user's machine and gives back what it prints."
_SHELL_SCHEMA = {
    "type": "object",
    "properties": {
        "command": {"type": "array", "items": {"type": "string"}, "description": "The program and its arguments."},
        "working_directory": {"type": "string", "description": "Where to run it."},
        "timeout_ms": {"type": "integer", "description": "How long it may take, in milliseconds."},
    },
    "required": ["command"],
}


def shell_function() -> tuple[str, dict[str, Any]]:
    """Description and schema of the function that stands for the local shell."""
    return _SHELL_DESCRIPTION, _SHELL_SCHEMA


def input_schema(format: Any) -> dict[str, Any]:
    """The schema of the function that stands for a custom tool, its grammar told in words."""
    if not isinstance(format, dict) or format.get("type") != "grammar":
        return INPUT
    told = f"Plain text that fits this {format.get('syntax')} grammar: {format.get('definition')}"
    return {**INPUT, "properties": {"input": {"type": "string", "description": told}}}


def as_arguments(text: str) -> str:
    """A custom tool's input as the arguments of the function that stands for it."""
    return _encode({"input": text}).decode()


def from_arguments(arguments: str) -> str | None:
    """The input in such arguments; None where the model wrote others."""
    try:
        value = msgspec.json.decode(arguments or "{}")
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    found = value.get("input") if isinstance(value, dict) else None
    return found if isinstance(found, str) else None
