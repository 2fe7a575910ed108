"""What a provider's refusal is about, told from its status, its codes and its words: what routing goes by."""

from __future__ import annotations

import re
from typing import Literal

from headgate.core.errors import GatewayError, ProviderRefused

Cause = Literal["context_overflow", "refusal", "rate_limit", "quota", "key", "denied"]
"""`key`: it is not taken at all; `quota`: it has not been paid for; `denied`: it may not use this model."""

OVERFLOW_CODES = frozenset({"context_length_exceeded", "exceed_context_size_error", "string_above_max_length"})
OVERFLOW = re.compile(
    r"context.{0,30}(length|window|size|limit)|(prompt|input) is too long|too many (input |total )?tokens"
    r"|tokens?.{0,60} exceeds? the (maximum|limit)",
    re.IGNORECASE | re.DOTALL,
)
"""https://docs.claude.com/en/api/errors ("prompt is too long: 205000 tokens > 200000 maximum"), Google's "The input
token count (1200000) exceeds the maximum number of tokens allowed", Bedrock's "Input is too long for requested model",
vLLM's "This model's maximum context length is 4096 tokens"."""
REFUSAL_CODES = frozenset(
    {"content_filter", "content_policy_violation", "moderation_blocked", "ResponsibleAIPolicyViolation", "safety"}
)
REFUSAL = re.compile(
    r"content (management|filtering|usage)? ?policy|responsible ai|flagged by|safety system", re.IGNORECASE
)
"""https://learn.microsoft.com/azure/ai-services/openai/concepts/content-filter"""
QUOTA_CODES = frozenset(
    {"insufficient_quota", "billing_hard_limit_reached", "exceeded_current_quota_error", "insufficient_balance"}
)
"""https://platform.openai.com/docs/guides/error-codes: a 429 that no waiting mends."""
QUOTA = re.compile(r"(your )?credit balance is too low|(you have )?insufficient (balance|credits|quota)", re.IGNORECASE)
KEY = re.compile(r"(your )?api[ _]key[\w ]* (not valid|invalid|expired)|(invalid|incorrect) api[ _]key", re.IGNORECASE)
"""Google answers 400 "API key not valid. Please pass a valid API key." Both stand at a message's beginning: further on
may be what the client wrote ("Invalid value: 'API key not valid'"), who is not to take a key out for all others."""
REFUSED = frozenset(
    {
        "content_filter", "refusal", "content_filtered", "guardrail_intervened", "SAFETY", "PROHIBITED_CONTENT",
        "BLOCKLIST", "SPII", "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "ERROR_TOXIC",
    }
)  # fmt: skip
"""How vendors say at an answer's end that the model, or a filter in front of it, would not give one."""


def cause(error: GatewayError) -> Cause | None:
    """None where it is about something else, or about nothing that is known."""
    if not isinstance(error, ProviderRefused):
        return None
    status, message = error.status, error.message[:2000]
    codes = {error.kind, error.vendor_code}
    if status == 402 or codes & QUOTA_CODES or (status in (400, 403, 429) and QUOTA.match(message)):
        return "quota"
    if status == 429:
        return "rate_limit"
    if status == 401 or (status == 400 and KEY.match(message)):
        return "key"
    if status not in (400, 403, 413, 422):
        return None
    if codes & OVERFLOW_CODES or OVERFLOW.search(message):
        return "context_overflow"
    if codes & REFUSAL_CODES or REFUSAL.search(message):
        return "refusal"
    return "denied" if status == 403 else None
