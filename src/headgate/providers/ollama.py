"""Ollama: https://docs.ollama.com/api."""

from collections.abc import Mapping
from typing import Any, ClassVar

from headgate.core.dialect import Dialect
from headgate.dialects import ollama_chat, openai_chat
from headgate.dialects.ollama_chat import generate
from headgate.providers.provider import Provider


class Ollama(Provider):
    """Its own API stands under /api, those of others under /v1: https://docs.ollama.com/api/openai-compatibility.

    `base_url` may end in /v1, as OpenAI's SDK means it, or not, as Ollama's own.
    """

    base_url = "http://127.0.0.1:11434"
    dialects: ClassVar[tuple[Dialect, ...]] = (ollama_chat, generate, openai_chat)

    def url(self, dialect: Dialect, model: str, stream: bool, fields: Mapping[str, Any]) -> str:
        path = dialect.upstream_path
        return self.under_base(path if path.startswith(("/api/", "/v1/")) else "/v1" + path)

    def under_base(self, path: str) -> str:
        base, mark, query = (self.settings.base_url or self.base_url).partition("?")
        return base.rstrip("/").removesuffix("/v1").rstrip("/") + path + mark + query

    def adjust(self, fields: dict[str, Any], dialect: Dialect, model: str) -> dict[str, Any]:
        """`max_completion_tokens` is said as `max_tokens`, the only one of the two it reads."""
        if dialect is openai_chat and "max_completion_tokens" in fields and "max_tokens" not in fields:
            return {"max_tokens": fields["max_completion_tokens"], "max_completion_tokens": None}
        return {}
