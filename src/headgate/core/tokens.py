"""How many tokens a chat request would have, as a provider counts them."""

from __future__ import annotations

import msgspec


class TokenCount(msgspec.Struct, kw_only=True):
    """The answer of the operation "count_tokens", whose request is a ChatRequest."""

    tokens: int
    """All tokens of the prompt, system prompt and tools included."""
    cached: int | None = None
    """Of these, how many stand in content the provider has cached; None where it does not say."""
