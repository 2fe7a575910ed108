"""SambaNova: https://docs.sambanova.ai/docs/en/features/openai-compatibility."""

from typing import ClassVar

from headgate.core.dialect import Dialect
from headgate.dialects import openai_chat, openai_embeddings
from headgate.providers.provider import Provider


class SambaNova(Provider):
    base_url = "https://api.sambanova.ai/v1"
    env_key: ClassVar[str | None] = "SAMBANOVA_API_KEY"
    sample_model: ClassVar[str | None] = "gpt-oss-120b"
    dialects: ClassVar[tuple[Dialect, ...]] = (openai_chat, openai_embeddings)
    # roles in its SDK's types: https://github.com/sambanova/sambanova-python
    roles = {"developer": "system"}
