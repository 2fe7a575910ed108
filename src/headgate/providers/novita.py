"""Novita: https://novita.ai/docs/api-reference/model-apis-llm-create-chat-completion."""

from typing import ClassVar

from headgate.core.dialect import Dialect
from headgate.dialects import anthropic_messages, jina_rerank, openai_chat, openai_completions, openai_embeddings
from headgate.providers.provider import Provider


class Novita(Provider):
    base_url = "https://api.novita.ai/openai/v1"
    env_key: ClassVar[str | None] = "NOVITA_API_KEY"
    sample_model: ClassVar[str | None] = "openai/gpt-oss-120b"
    # https://novita.ai/docs/api-reference/model-apis-llm-create-completion
    dialects: ClassVar[tuple[Dialect, ...]] = (
        openai_chat,
        openai_completions,
        anthropic_messages,
        openai_embeddings,
        jina_rerank,
    )
    # https://novita.ai/docs/guides/claude-code
    beside = {"anthropic_messages": (("/openai/v1", "/openai", "/v3/openai"), "/anthropic")}
    # the page above
    renames = {"max_completion_tokens": "max_tokens"}
    roles = {"developer": "system"}
