"""llama.cpp's server: https://github.com/ggml-org/llama.cpp/blob/master/tools/server/README.md."""

from typing import ClassVar

from headgate.core.dialect import Dialect
from headgate.dialects import (
    anthropic_messages,
    jina_rerank,
    openai_audio,
    openai_chat,
    openai_completions,
    openai_embeddings,
    openai_responses,
)
from headgate.dialects.anthropic_messages import count_tokens
from headgate.providers.provider import Provider


class LlamaCpp(Provider):
    base_url = "http://127.0.0.1:8080/v1"
    # the page above describes both
    dialects: ClassVar[tuple[Dialect, ...]] = (
        openai_chat,
        openai_completions,
        openai_responses,
        anthropic_messages,
        count_tokens,
        openai_embeddings,
        jina_rerank,
        openai_audio,
    )
    # older ones leave it to the model's template, which refuses it: https://github.com/ggml-org/llama.cpp/pull/20215
    roles = {"developer": "system"}
