"""Cloudflare's Workers AI: https://developers.cloudflare.com/workers-ai/configuration/open-ai-compatibility/."""

from typing import ClassVar

import pydantic

from headgate.core.dialect import Dialect
from headgate.dialects import openai_chat, openai_embeddings
from headgate.providers.provider import Provider
from headgate.providers.settings import ProviderSettings


class CloudflareSettings(ProviderSettings):
    account_id: str | None = pydantic.Field(
        None, pattern=r"^[0-9A-Za-z_-]+$", description="The account whose models are asked (`CLOUDFLARE_ACCOUNT_ID`)."
    )


class Cloudflare(Provider):
    Settings = CloudflareSettings
    base_url = "https://api.cloudflare.com/client/v4/accounts/{account_id}/ai/v1"
    env_key: ClassVar[str | None] = "CLOUDFLARE_API_TOKEN"
    sample_model: ClassVar[str | None] = "@cf/openai/gpt-oss-120b"
    usual = {"account_id": "CLOUDFLARE_ACCOUNT_ID"}
    dialects: ClassVar[tuple[Dialect, ...]] = (openai_chat, openai_embeddings)
    # https://developers.cloudflare.com/workers-ai/models/llama-3.3-70b-instruct-fp8-fast/#Parameters
    renames = {"max_completion_tokens": "max_tokens"}
    roles = {"developer": "system"}
