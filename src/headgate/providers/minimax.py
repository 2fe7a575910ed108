"""MiniMax: https://platform.minimax.io/docs/api-reference/text-openai-api; in China https://api.minimaxi.com/v1."""

from typing import ClassVar

from headgate.core.dialect import Dialect
from headgate.dialects import anthropic_messages, openai_chat, openai_responses
from headgate.providers.provider import Provider


class MiniMax(Provider):
    base_url = "https://api.minimax.io/v1"
    env_key: ClassVar[str | None] = "MINIMAX_API_KEY"
    sample_model: ClassVar[str | None] = "MiniMax-M2.7"
    # Messages first, for clients of other dialects: its chat completions have the thinking inside the text, in <think>
    dialects: ClassVar[tuple[Dialect, ...]] = (anthropic_messages, openai_chat, openai_responses)
    # https://platform.minimax.io/docs/api-reference/text-anthropic-api
    beside = {"anthropic_messages": (("/v1",), "/anthropic")}
    defaults = ((b"anthropic-version", b"2023-06-01"),)
