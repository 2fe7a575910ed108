"""Fireworks AI: https://docs.fireworks.ai/tools-sdks/openai-compatibility."""

from typing import ClassVar

from headgate.core.dialect import Dialect
from headgate.dialects import (
    anthropic_messages,
    jina_rerank,
    openai_chat,
    openai_completions,
    openai_embeddings,
    openai_responses,
)
from headgate.providers.provider import Provider


class Fireworks(Provider):
    base_url = "https://api.fireworks.ai/inference/v1"
    env_key: ClassVar[str | None] = "FIREWORKS_API_KEY"
    sample_model: ClassVar[str | None] = "accounts/fireworks/models/gpt-oss-120b"
    # its Messages API: https://docs.fireworks.ai/tools-sdks/anthropic-compatibility
    # https://docs.fireworks.ai/api-reference/post-completions
    dialects: ClassVar[tuple[Dialect, ...]] = (
        openai_chat,
        openai_completions,
        openai_responses,
        anthropic_messages,
        openai_embeddings,
        jina_rerank,
    )
    # models' templates refuse a `developer`, or leave out what it says: https://github.com/BerriAI/litellm/pull/39826
    roles = {"developer": "system"}
