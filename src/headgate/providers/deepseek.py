"""DeepSeek: https://api-docs.deepseek.com/."""

from typing import ClassVar

from headgate.core.dialect import Dialect
from headgate.dialects import anthropic_messages, openai_chat, openai_responses
from headgate.providers.provider import Provider


class DeepSeek(Provider):
    base_url = "https://api.deepseek.com"
    env_key: ClassVar[str | None] = "DEEPSEEK_API_KEY"
    sample_model: ClassVar[str | None] = "deepseek-flash"
    dialects: ClassVar[tuple[Dialect, ...]] = (openai_chat, openai_responses, anthropic_messages)
    # https://api-docs.deepseek.com/guides/anthropic_api
    beside = {"anthropic_messages": (("/v1", "/beta"), "/anthropic")}
    # https://api-docs.deepseek.com/api/create-chat-completion; `developer` is a 400 there: "unknown variant"
    renames = {"max_completion_tokens": "max_tokens"}
    roles = {"developer": "system"}
