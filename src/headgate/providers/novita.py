"""Novita: https://novita.ai/docs/api-reference/model-apis-llm-create-chat-completion."""

from typing import ClassVar

from headgate.providers.provider import Provider


class Novita(Provider):
    base_url = "https://api.novita.ai/openai/v1"
    env_key: ClassVar[str | None] = "NOVITA_API_KEY"
    sample_model: ClassVar[str | None] = "openai/gpt-oss-120b"
    # the page above
    renames = {"max_completion_tokens": "max_tokens"}
