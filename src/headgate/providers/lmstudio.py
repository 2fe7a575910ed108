"""LM Studio: https://lmstudio.ai/docs/developer/openai-compat."""

from typing import ClassVar

from headgate.core.dialect import Dialect
from headgate.dialects import anthropic_messages, openai_chat, openai_completions, openai_embeddings, openai_responses
from headgate.providers.provider import Provider


class LMStudio(Provider):
    base_url = "http://127.0.0.1:1234/v1"
    # its Messages API: https://lmstudio.ai/docs/developer/anthropic-compat
    dialects: ClassVar[tuple[Dialect, ...]] = (
        openai_chat,
        openai_completions,
        openai_responses,
        anthropic_messages,
        openai_embeddings,
    )
    # https://lmstudio.ai/docs/developer/openai-compat/chat-completions
    renames = {"max_completion_tokens": "max_tokens"}
    roles = {"developer": "system"}
