"""xAI: https://docs.x.ai/docs/api-reference."""

from typing import ClassVar

from headgate.core.dialect import Dialect
from headgate.dialects import openai_chat, openai_images, openai_responses
from headgate.providers.provider import Provider


class XAI(Provider):
    base_url = "https://api.x.ai/v1"
    env_key: ClassVar[str | None] = "XAI_API_KEY"
    sample_model: ClassVar[str | None] = "grok-4-1-fast-non-reasoning"
    # https://docs.x.ai/docs/api-reference#create-new-response
    dialects: ClassVar[tuple[Dialect, ...]] = (openai_chat, openai_responses, openai_images)
