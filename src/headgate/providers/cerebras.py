"""Cerebras: https://inference-docs.cerebras.ai/api-reference/chat-completions."""

from typing import ClassVar

from headgate.core.dialect import Dialect
from headgate.dialects import openai_chat, openai_completions
from headgate.providers.provider import Provider


class Cerebras(Provider):
    base_url = "https://api.cerebras.ai/v1"
    env_key: ClassVar[str | None] = "CEREBRAS_API_KEY"
    sample_model: ClassVar[str | None] = "gpt-oss-120b"
    # https://inference-docs.cerebras.ai/api-reference/completions
    dialects: ClassVar[tuple[Dialect, ...]] = (openai_chat, openai_completions)
    # "Our implementation does not expose developer directly": https://inference-docs.cerebras.ai/resources/openai
    roles = {"developer": "system"}
