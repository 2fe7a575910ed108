"""Nebius Token Factory: https://docs.tokenfactory.nebius.com/api-reference."""

from typing import ClassVar

from headgate.core.dialect import Dialect
from headgate.dialects import openai_chat, openai_embeddings, openai_images
from headgate.providers.provider import Provider


class Nebius(Provider):
    base_url = "https://api.tokenfactory.nebius.com/v1"
    env_key: ClassVar[str | None] = "NEBIUS_API_KEY"
    sample_model: ClassVar[str | None] = "openai/gpt-oss-120b"
    dialects: ClassVar[tuple[Dialect, ...]] = (openai_chat, openai_embeddings, openai_images)
    # the page above
    renames = {"max_completion_tokens": "max_tokens"}
