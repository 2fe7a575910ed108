"""Hugging Face's router of inference providers: https://huggingface.co/docs/inference-providers/tasks/chat-completion."""

from typing import ClassVar

from headgate.providers.provider import Provider


class HuggingFace(Provider):
    base_url = "https://router.huggingface.co/v1"
    env_key: ClassVar[str | None] = "HF_TOKEN"
    sample_model: ClassVar[str | None] = "openai/gpt-oss-120b"
    # the page above, and https://github.com/huggingface/huggingface_hub: ChatCompletionInput
    renames = {"max_completion_tokens": "max_tokens"}
