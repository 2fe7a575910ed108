"""Xinference: https://inference.readthedocs.io/en/latest/user_guide/client_api.html."""

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
from headgate.providers.provider import Provider


class Xinference(Provider):
    base_url = "http://127.0.0.1:9997/v1"
    # https://inference.readthedocs.io/en/latest/models/model_abilities/audio.html
    dialects: ClassVar[tuple[Dialect, ...]] = (
        openai_chat,
        openai_completions,
        openai_embeddings,
        openai_images,
        jina_rerank,
        openai_audio,
        *openai_audio.more,
    )
    # https://inference.readthedocs.io/en/latest/models/model_abilities/chat.html
    renames = {"max_completion_tokens": "max_tokens"}
    roles = {"developer": "system"}
