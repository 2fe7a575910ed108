"""Cohere: https://docs.cohere.com/reference/about."""

from typing import ClassVar

from headgate.core.dialect import Dialect
from headgate.dialects import cohere_chat, cohere_embed, cohere_rerank, openai_audio
from headgate.providers.provider import Provider


class Cohere(Provider):
    base_url = "https://api.cohere.com"
    env_key: ClassVar[str | None] = "CO_API_KEY"
    other_env_keys = ("COHERE_API_KEY",)
    sample_model: ClassVar[str | None] = "command-a-03-2025"
    # a form as OpenAI's, at an address of its own: https://docs.cohere.com/reference/create-audio-transcription
    dialects: ClassVar[tuple[Dialect, ...]] = (
        cohere_chat,
        cohere_embed,
        *cohere_embed.more,
        cohere_rerank,
        openai_audio,
    )
    beside = {"openai_audio": (("/v2",), "/v2")}
