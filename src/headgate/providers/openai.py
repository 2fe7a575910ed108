"""OpenAI: https://platform.openai.com/docs/api-reference/authentication."""

import re
from typing import Any, ClassVar

import pydantic

from headgate.core.dialect import Dialect
from headgate.dialects import (
    openai_audio,
    openai_chat,
    openai_completions,
    openai_embeddings,
    openai_images,
    openai_moderations,
    openai_responses,
)
from headgate.dialects.fields import reworded
from headgate.dialects.openai_images import edits
from headgate.providers.provider import Provider
from headgate.providers.settings import ProviderSettings

COMPLETES = re.compile("instruct|davinci|babbage")
"""Models of the Completions API: https://platform.openai.com/docs/models/gpt-3.5-turbo-instruct and its neighbours."""
REASONS = re.compile(r"(ft:)?(o\d|gpt-[5-9])")
"""Models that refuse `max_tokens`: https://platform.openai.com/docs/api-reference/chat/create#chat-create-max_tokens."""


class OpenAISettings(ProviderSettings):
    organization: str | None = pydantic.Field(
        None, pattern=r"^[!-~]+$", description="Whose usage it is (`OpenAI-Organization`)."
    )
    project: str | None = pydantic.Field(
        None, pattern=r"^[!-~]+$", description="Which project's usage it is (`OpenAI-Project`)."
    )


class OpenAI(Provider):
    Settings = OpenAISettings
    base_url = "https://api.openai.com/v1"
    env_key: ClassVar[str | None] = "OPENAI_API_KEY"
    sample_model: ClassVar[str | None] = "gpt-6-luna"
    dialects: ClassVar[tuple[Dialect, ...]] = (
        openai_chat,
        openai_responses,
        openai_completions,
        openai_embeddings,
        openai_images,
        edits,  # variations are retired: https://platform.openai.com/docs/deprecations
        openai_moderations,
        openai_audio,
        *openai_audio.more,
    )
    settings: OpenAISettings

    def dialect_for(self, client: Dialect, model: str) -> Dialect:
        """Prompts go as they are to the models that complete, which are few; all others chat."""
        spoken = super().dialect_for(client, model)
        chats = spoken is openai_completions and openai_chat in self.speaks and not COMPLETES.search(model)
        return openai_chat if chats else spoken

    def auth(self, dialect: Dialect) -> dict[str, str]:
        headers = super().auth(dialect)
        if self.settings.organization:
            headers["openai-organization"] = self.settings.organization
        if self.settings.project:
            headers["openai-project"] = self.settings.project
        return headers

    def adjust(self, fields: dict[str, Any], dialect: Dialect, model: str) -> dict[str, Any]:
        """`max_tokens` is sent as `max_completion_tokens` to models that reason, which refuse it."""
        if dialect is openai_chat and "max_tokens" in fields and REASONS.match(model):
            return reworded(fields, {"max_tokens": "max_completion_tokens"}, {})
        return {}
