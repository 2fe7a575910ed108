"""Volcengine's Ark (Doubao): https://www.volcengine.com/docs/82379/1494384."""

from typing import ClassVar

from headgate.core.dialect import Dialect
from headgate.dialects import openai_chat, openai_embeddings, openai_images, openai_responses
from headgate.providers.provider import Provider


class Volcengine(Provider):
    base_url = "https://ark.cn-beijing.volces.com/api/v3"
    env_key: ClassVar[str | None] = "ARK_API_KEY"
    sample_model: ClassVar[str | None] = "doubao-seed-1-6-250615"
    # https://www.volcengine.com/docs/82379/1569618
    dialects: ClassVar[tuple[Dialect, ...]] = (openai_chat, openai_responses, openai_embeddings, openai_images)
