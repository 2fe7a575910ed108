"""Anthropic: https://docs.claude.com/en/api/overview."""

from typing import ClassVar

from headgate.core.dialect import Dialect
from headgate.dialects import anthropic_messages
from headgate.dialects.anthropic_messages import count_tokens
from headgate.providers.provider import Provider


class Anthropic(Provider):
    base_url = "https://api.anthropic.com"
    env_key: ClassVar[str | None] = "ANTHROPIC_API_KEY"
    sample_model: ClassVar[str | None] = "claude-haiku-5-5"
    dialects: ClassVar[tuple[Dialect, ...]] = (anthropic_messages, count_tokens)
    linked = ("results_url",)  # of a batch: https://docs.claude.com/en/api/retrieving-message-batches
    # Every request needs it: https://docs.claude.com/en/api/versioning
    defaults = ((b"anthropic-version", b"2023-06-01"),)

    def auth(self, dialect: Dialect) -> dict[str, str]:
        return {"x-api-key": self.key} if self.key else {}
