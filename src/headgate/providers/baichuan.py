"""Baichuan: https://platform.baichuan-ai.com/docs/api."""

from typing import ClassVar

from headgate.core.dialect import Dialect
from headgate.dialects import openai_chat, openai_embeddings
from headgate.providers.provider import Provider


class Baichuan(Provider):
    base_url = "https://api.baichuan-ai.com/v1"
    env_key: ClassVar[str | None] = "BAICHUAN_API_KEY"
    sample_model: ClassVar[str | None] = "Baichuan4-Turbo"
    dialects: ClassVar[tuple[Dialect, ...]] = (openai_chat, openai_embeddings)
    # the page above
    renames = {"max_completion_tokens": "max_tokens"}
    roles = {"developer": "system"}
