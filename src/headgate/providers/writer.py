"""Writer's Palmyra: https://dev.writer.com/api-reference/completion-api/chat-completion."""

from collections.abc import Mapping
from typing import Any, ClassVar

from headgate.core.dialect import Dialect
from headgate.dialects import openai_chat
from headgate.providers.provider import Provider


class Writer(Provider):
    base_url = "https://api.writer.com/v1"
    env_key: ClassVar[str | None] = "WRITER_API_KEY"
    sample_model: ClassVar[str | None] = "palmyra-x5"
    # the page above
    renames = {"max_completion_tokens": "max_tokens"}
    roles = {"developer": "system"}

    def url(self, dialect: Dialect, model: str, stream: bool, fields: Mapping[str, Any]) -> str:
        # the page above: POST /v1/chat
        return self.under_base("/chat") if dialect is openai_chat else super().url(dialect, model, stream, fields)
