"""Perplexity: https://docs.perplexity.ai/api-reference/chat-completions-post."""

from typing import ClassVar

from headgate.core.dialect import Dialect
from headgate.dialects import openai_chat, openai_embeddings
from headgate.providers.provider import Provider


class Perplexity(Provider):
    base_url = "https://api.perplexity.ai"
    env_key: ClassVar[str | None] = "PERPLEXITY_API_KEY"
    sample_model: ClassVar[str | None] = "sonar"
    dialects: ClassVar[tuple[Dialect, ...]] = (openai_chat, openai_embeddings)
    # https://docs.perplexity.ai/api-reference/embeddings-post
    beside = {"openai_embeddings": (("/v1",), "/v1")}
    # the page above, and its SDK's types: https://github.com/perplexityai/perplexity-py
    renames = {"max_completion_tokens": "max_tokens"}
    roles = {"developer": "system"}
