"""vLLM: https://docs.vllm.ai/en/latest/serving/openai_compatible_server.html."""

from collections.abc import Mapping
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
from headgate.dialects.openai_chat import tokenize
from headgate.providers.provider import Provider


class VLLM(Provider):
    base_url = "http://127.0.0.1:8000/v1"
    # its Messages API: https://docs.vllm.ai/en/latest/serving/integrations/claude_code.html
    dialects: ClassVar[tuple[Dialect, ...]] = (
        openai_chat,
        openai_completions,
        openai_responses,
        anthropic_messages,
        openai_embeddings,
        jina_rerank,
        openai_audio,
        tokenize,
        count_tokens,
    )
    beside: ClassVar[Mapping[str, tuple[tuple[str, ...], str]]] = {tokenize.name: (("/v1",), "")}
    # most models' templates refuse or leave out what a `developer` says: https://github.com/vllm-project/vllm/pull/43590
    roles = {"developer": "system"}
