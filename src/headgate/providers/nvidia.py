"""NVIDIA's API catalogue, and NIM on one's own machines by `base_url`: https://docs.api.nvidia.com/nim/reference/llm-apis."""

from typing import ClassVar

from headgate.core.dialect import Dialect
from headgate.dialects import openai_chat
from headgate.dialects.openai_embeddings import nvidia
from headgate.providers.provider import Provider


class Nvidia(Provider):
    base_url = "https://integrate.api.nvidia.com/v1"
    env_key: ClassVar[str | None] = "NVIDIA_API_KEY"
    sample_model: ClassVar[str | None] = "openai/gpt-oss-120b"
    dialects: ClassVar[tuple[Dialect, ...]] = (openai_chat, nvidia)
    # https://docs.api.nvidia.com/nim/reference/meta-llama-3_3-70b-instruct-infer
    renames = {"max_completion_tokens": "max_tokens"}
    roles = {"developer": "system"}
