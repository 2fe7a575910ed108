"""OpenRouter: https://openrouter.ai/docs/api-reference/overview."""

from typing import ClassVar

from headgate.core.dialect import Dialect
from headgate.dialects import (
    anthropic_messages,
    jina_rerank,
    openai_audio,
    openai_chat,
    openai_completions,
    openai_embeddings,
    openai_responses,
)
from headgate.providers.provider import Provider


class OpenRouter(Provider):
    base_url = "https://openrouter.ai/api/v1"
    env_key: ClassVar[str | None] = "OPENROUTER_API_KEY"
    sample_model: ClassVar[str | None] = "openrouter/auto"
    # its Messages API: https://openrouter.ai/docs/guides/coding-agents/claude-code-integration
    # https://openrouter.ai/docs/api-reference/completion
    dialects: ClassVar[tuple[Dialect, ...]] = (
        openai_chat,
        openai_completions,
        openai_responses,
        anthropic_messages,
        openai_embeddings,
        jina_rerank,
        openai_audio,
    )
