"""Google AI (the Gemini API): https://ai.google.dev/gemini-api/docs/api-key."""

from typing import ClassVar

from headgate.core.dialect import Dialect
from headgate.dialects import gemini_generate
from headgate.dialects.gemini_generate import count_tokens, embed
from headgate.providers.provider import Provider


class Google(Provider):
    base_url = "https://generativelanguage.googleapis.com"
    env_key: ClassVar[str | None] = "GEMINI_API_KEY"
    other_env_keys = ("GOOGLE_API_KEY",)
    sample_model: ClassVar[str | None] = "gemini-2.5-flash"
    dialects: ClassVar[tuple[Dialect, ...]] = (gemini_generate, count_tokens, embed)

    def auth(self, dialect: Dialect) -> dict[str, str]:
        return {"x-goog-api-key": self.key} if self.key else {}
