"""Together AI: https://docs.together.ai/docs/openai-api-compatibility."""

from typing import ClassVar

from headgate.core.dialect import Dialect
from headgate.core.named import KNOWN, Path
from headgate.dialects import (
    jina_rerank,
    openai_audio,
    openai_chat,
    openai_completions,
    openai_embeddings,
    openai_images,
)
from headgate.providers.provider import Provider


class Together(Provider):
    base_url = "https://api.together.xyz/v1"
    env_key: ClassVar[str | None] = "TOGETHER_API_KEY"
    sample_model: ClassVar[str | None] = "meta-llama/Llama-3.3-70B-Instruct-Turbo"
    # https://docs.together.ai/docs/speech-to-text, https://docs.together.ai/docs/text-to-speech
    # https://docs.together.ai/reference/embeddings-2
    # https://docs.together.ai/reference/completions-1
    dialects: ClassVar[tuple[Dialect, ...]] = (
        openai_chat,
        openai_completions,
        openai_embeddings,
        openai_images,
        jina_rerank,
        openai_audio,
        *openai_audio.more,
    )
    # https://docs.together.ai/reference/chat-completions-1
    also_names: ClassVar[tuple[Path, ...]] = (*KNOWN, ("safety_model",))
    renames = {"max_completion_tokens": "max_tokens"}
    roles = {"developer": "system"}
