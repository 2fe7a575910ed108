"""Ollama, by its OpenAI face: https://github.com/ollama/ollama/blob/main/docs/openai.md."""

from typing import Any

from headgate.core.dialect import Dialect
from headgate.providers.provider import Provider


class Ollama(Provider):
    base_url = "http://127.0.0.1:11434/v1"

    def adjust(self, fields: dict[str, Any], dialect: Dialect, model: str) -> dict[str, Any]:
        """`max_completion_tokens` is said as `max_tokens`, the only one of the two it reads."""
        if "max_completion_tokens" in fields and "max_tokens" not in fields:
            return {"max_tokens": fields["max_completion_tokens"], "max_completion_tokens": None}
        return {}
