"""Groq: https://console.groq.com/docs/openai."""

from typing import Any, ClassVar

from headgate.core.dialect import Dialect
from headgate.core.named import KNOWN, Path
from headgate.dialects import openai_audio, openai_chat, openai_responses
from headgate.providers.provider import Provider


class Groq(Provider):
    base_url = "https://api.groq.com/openai/v1"
    env_key: ClassVar[str | None] = "GROQ_API_KEY"
    sample_model: ClassVar[str | None] = "llama-3.3-70b-versatile"
    # https://console.groq.com/docs/speech-to-text, https://console.groq.com/docs/text-to-speech
    # https://console.groq.com/docs/responses-api
    dialects: ClassVar[tuple[Dialect, ...]] = (openai_chat, openai_responses, openai_audio, *openai_audio.more)
    # https://console.groq.com/docs/api-reference
    also_names: ClassVar[tuple[Path, ...]] = (
        *KNOWN,
        ("compound_custom", "models", "reasoning_model"),
        ("compound_custom", "models", "answering_model"),
    )

    def adjust(self, fields: dict[str, Any], dialect: Dialect, model: str) -> dict[str, Any]:
        """`reasoning_content` of earlier turns is left out: Groq answers 400 to it."""
        # "property 'reasoning_content' is unsupported"; its own models take `reasoning` back:
        # https://console.groq.com/docs/reasoning
        messages = fields.get("messages")
        if not isinstance(messages, list) or not any("reasoning_content" in m for m in messages if isinstance(m, dict)):
            return {}
        return {
            "messages": [
                {key: value for key, value in m.items() if key != "reasoning_content"} if isinstance(m, dict) else m
                for m in messages
            ]
        }
