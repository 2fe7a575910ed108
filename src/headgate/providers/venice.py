"""Venice: https://docs.venice.ai/api-reference/endpoint/chat/completions."""

from typing import ClassVar

from headgate.core.dialect import Dialect
from headgate.dialects import openai_audio, openai_chat, openai_embeddings, openai_images
from headgate.dialects.openai_audio import speech
from headgate.providers.provider import Provider


class Venice(Provider):
    base_url = "https://api.venice.ai/api/v1"
    env_key: ClassVar[str | None] = "VENICE_API_KEY"
    sample_model: ClassVar[str | None] = "venice-uncensored-1-2"
    # https://docs.venice.ai/api-reference/endpoint/audio/speech
    # https://docs.venice.ai/api-reference/endpoint/image/generations
    dialects: ClassVar[tuple[Dialect, ...]] = (openai_chat, openai_embeddings, openai_images, openai_audio, speech)
