"""Moonshot AI's Kimi: https://platform.kimi.ai/docs/api/overview; in China https://api.moonshot.cn/v1."""

from typing import ClassVar

from headgate.core.dialect import Dialect
from headgate.dialects import anthropic_messages, openai_chat, openai_responses
from headgate.providers.provider import Provider


class Moonshot(Provider):
    base_url = "https://api.moonshot.ai/v1"
    env_key: ClassVar[str | None] = "MOONSHOT_API_KEY"
    sample_model: ClassVar[str | None] = "kimi-k2.6"
    dialects: ClassVar[tuple[Dialect, ...]] = (openai_chat, openai_responses, anthropic_messages)
    # https://platform.kimi.ai/docs/guide/agent-support
    beside = {"anthropic_messages": (("/v1",), "/anthropic")}
    # https://platform.kimi.ai/docs/api/chat
    roles = {"developer": "system"}
