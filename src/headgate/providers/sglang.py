"""SGLang: https://docs.sglang.io/docs/basic_usage/openai_api_completions."""

from typing import ClassVar

from headgate.core.dialect import Dialect
from headgate.core.named import KNOWN, Path
from headgate.dialects import anthropic_messages, openai_chat, openai_completions, openai_embeddings
from headgate.providers.provider import Provider


class SGLang(Provider):
    base_url = "http://127.0.0.1:30000/v1"
    # its Messages API: https://docs.sglang.io/docs/basic_usage/anthropic_api
    dialects: ClassVar[tuple[Dialect, ...]] = (openai_chat, openai_completions, anthropic_messages, openai_embeddings)
    # most models' templates leave out what a `developer` says: https://github.com/sgl-project/sglang/issues/40082
    roles = {"developer": "system"}
    # https://docs.sglang.io/docs/advanced_features/lora
    also_names: ClassVar[tuple[Path, ...]] = (*KNOWN, ("lora_path",))
