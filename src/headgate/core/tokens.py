"""How many tokens a request would have: what the operation "count_tokens" asks and answers."""

from __future__ import annotations

import msgspec

from headgate.core.chat import ChatRequest, Loss

PROVIDER = "provider"


class BareText(ChatRequest, kw_only=True):
    """A text to be counted with no conversation around it; `messages` hold it as one of the user's, for those who count
    only conversations."""

    text: str
    told: list[Loss] = []
    """What is lost where it is counted as a conversation."""


class TokenCount(msgspec.Struct, kw_only=True):
    """The answer of the operation "count_tokens", whose request is a ChatRequest."""

    tokens: int
    """All tokens of the prompt, system prompt and tools included."""
    cached: int | None = None
    """Of these, how many stand in content the provider has cached; None where it does not say."""
    ids: list[int] | None = None
    """The tokens themselves, of a bare text, where there is a vocabulary."""
    limit: int | None = None
    """Most tokens the model takes, prompt and answer together; None where nobody says."""
    by: str = PROVIDER
    """Who counted: the provider, or the gateway with a vocabulary of this name, or by an "estimate"."""
