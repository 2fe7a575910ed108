"""LocalAI: https://localai.io/features/text-generation/."""

from typing import ClassVar

from headgate.core.dialect import Dialect
from headgate.dialects import (
    jina_rerank,
    openai_audio,
    openai_chat,
    openai_completions,
    openai_embeddings,
    openai_images,
)
from headgate.dialects.openai_audio import speech
from headgate.providers.provider import Provider


class LocalAI(Provider):
    base_url = "http://127.0.0.1:8080/v1"
    # https://localai.io/features/audio-to-text/, https://localai.io/features/text-to-audio/
    dialects: ClassVar[tuple[Dialect, ...]] = (
        openai_chat,
        openai_completions,
        openai_embeddings,
        openai_images,
        jina_rerank,
        openai_audio,
        speech,
    )
    # the page above: "Available additional parameters: top_p, top_k, max_tokens"
    renames = {"max_completion_tokens": "max_tokens"}
    roles = {"developer": "system"}
