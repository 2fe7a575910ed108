"""Hugging Face's router of inference providers: https://huggingface.co/docs/inference-providers/tasks/chat-completion."""

from typing import ClassVar

from headgate.core.dialect import Dialect
from headgate.dialects import openai_chat, openai_responses
from headgate.providers.provider import Provider


class HuggingFace(Provider):
    base_url = "https://router.huggingface.co/v1"
    env_key: ClassVar[str | None] = "HF_TOKEN"
    sample_model: ClassVar[str | None] = "openai/gpt-oss-120b"
    # https://huggingface.co/docs/inference-providers/guides/responses-api
    dialects: ClassVar[tuple[Dialect, ...]] = (openai_chat, openai_responses)
    # the page above, and https://github.com/huggingface/huggingface_hub: ChatCompletionInput
    renames = {"max_completion_tokens": "max_tokens"}
    roles = {"developer": "system"}
