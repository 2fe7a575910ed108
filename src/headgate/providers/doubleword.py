"""Doubleword: https://docs.doubleword.ai/."""

from typing import ClassVar

from headgate.core.dialect import Dialect
from headgate.dialects import openai_chat, openai_embeddings
from headgate.providers.provider import Provider


class Doubleword(Provider):
    base_url = "https://api.doubleword.ai/v1"
    env_key: ClassVar[str | None] = "DOUBLEWORD_API_KEY"
    dialects: ClassVar[tuple[Dialect, ...]] = (openai_chat, openai_embeddings)
