"""DeepInfra: https://deepinfra.com/docs/openai_api."""

from typing import ClassVar

from headgate.core.dialect import Dialect
from headgate.dialects import openai_audio, openai_chat, openai_completions, openai_embeddings, openai_images
from headgate.providers.provider import Provider


class DeepInfra(Provider):
    base_url = "https://api.deepinfra.com/v1/openai"
    env_key: ClassVar[str | None] = "DEEPINFRA_API_KEY"
    sample_model: ClassVar[str | None] = "openai/gpt-oss-120b"
    # https://deepinfra.com/docs/advanced/speech_recognition
    dialects: ClassVar[tuple[Dialect, ...]] = (
        openai_chat,
        openai_completions,
        openai_embeddings,
        openai_images,
        openai_audio,
        *openai_audio.more,
    )
    # the page above
    renames = {"max_completion_tokens": "max_tokens"}
