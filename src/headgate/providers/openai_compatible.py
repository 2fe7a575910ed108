"""Any host that speaks OpenAI's APIs: vLLM, llama.cpp, LM Studio, a gateway of somebody else's."""

from typing import ClassVar

import pydantic

from headgate.core.dialect import Dialect
from headgate.dialects import (
    jina_rerank,
    openai_audio,
    openai_chat,
    openai_completions,
    openai_embeddings,
    openai_images,
    openai_moderations,
)
from headgate.providers.provider import Provider
from headgate.providers.settings import ProviderSettings


class OpenAICompatibleSettings(ProviderSettings):
    base_url: str = pydantic.Field(
        description="Where the API is, up to and with its version: http://127.0.0.1:8000/v1."
    )


class OpenAICompatible(Provider):
    Settings = OpenAICompatibleSettings
    dialects: ClassVar[tuple[Dialect, ...]] = (
        openai_chat,
        openai_completions,
        openai_embeddings,
        openai_images,
        *openai_images.more,
        openai_moderations,
        jina_rerank,
        openai_audio,
        *openai_audio.more,
    )
