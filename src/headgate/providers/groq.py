"""Groq: https://console.groq.com/docs/openai."""

from typing import ClassVar

from headgate.providers.provider import Provider


class Groq(Provider):
    base_url = "https://api.groq.com/openai/v1"
    env_key: ClassVar[str | None] = "GROQ_API_KEY"
    sample_model: ClassVar[str | None] = "llama-3.3-70b-versatile"
