"""Vercel's AI Gateway: https://vercel.com/docs/ai-gateway/openai-compat."""

from typing import ClassVar

from headgate.core.dialect import Dialect
from headgate.dialects import anthropic_messages, openai_chat, openai_embeddings, openai_responses
from headgate.providers.provider import Provider


class VercelGateway(Provider):
    base_url = "https://ai-gateway.vercel.sh/v1"
    env_key: ClassVar[str | None] = "AI_GATEWAY_API_KEY"
    sample_model: ClassVar[str | None] = "openai/gpt-oss-120b"
    # its Messages API: https://vercel.com/docs/ai-gateway/anthropic-compat
    dialects: ClassVar[tuple[Dialect, ...]] = (openai_chat, openai_responses, anthropic_messages, openai_embeddings)
