"""Microsoft Foundry, with Claude among its models: https://learn.microsoft.com/en-us/azure/foundry/foundry-models/concepts/endpoints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pydantic

from headgate.core.dialect import Dialect
from headgate.core.exchange import Exchange
from headgate.core.ports import Upstream
from headgate.core.target import Endpoint
from headgate.dialects import anthropic_messages, openai_chat, openai_embeddings, openai_responses
from headgate.dialects.anthropic_messages import count_tokens
from headgate.providers.auth.auth import Renewed
from headgate.providers.auth.entra import Entra, EntraSettings
from headgate.providers.provider import Provider
from headgate.providers.settings import ProviderSettings

SCOPE = "https://ai.azure.com/.default"
ENDINGS = ("/openai/v1", "/openai", "/models", "/anthropic")
"""What a resource's address may end in besides."""


class AzureFoundrySettings(ProviderSettings, EntraSettings):
    base_url: str | None = pydantic.Field(
        None, description="The resource: `https://name.services.ai.azure.com` (`AZURE_INFERENCE_ENDPOINT`)."
    )
    api_version: str | None = pydantic.Field(
        None,
        pattern=r"^[0-9a-z-]+$",
        description="A dated version (`2024-05-01-preview`) to be asked by the older model inference API (`/models`). "
        "Left out: by the newer one (`/openai/v1`).",
    )


class AzureFoundry(Provider):
    Settings = AzureFoundrySettings
    env_key: ClassVar[str | None] = "AZURE_INFERENCE_CREDENTIAL"
    usual = {"base_url": "AZURE_INFERENCE_ENDPOINT"}
    dialects: ClassVar[tuple[Dialect, ...]] = (
        openai_chat,
        openai_responses,
        anthropic_messages,
        count_tokens,
        openai_embeddings,
    )
    # for Claude: https://platform.claude.com/docs/en/build-with-claude/claude-in-microsoft-foundry
    defaults = ((b"anthropic-version", b"2023-06-01"),)
    settings: AzureFoundrySettings

    def __init__(self, name: str, settings: AzureFoundrySettings, *, max_reply_bytes: int = 256 << 20) -> None:
        super().__init__(name, settings, max_reply_bytes=max_reply_bytes)
        self._token = Renewed(f"the token for {name}", Entra(settings.wanted(SCOPE)))
        self.proves = not self.key

    def dialect_for(self, client: Dialect, model: str) -> Dialect:
        """Claude is asked in Anthropic's words only, everybody else never."""
        if self.settings.speaks:
            return super().dialect_for(client, model)
        if client.operation != "chat":
            spoken = super().dialect_for(client, model)
            if spoken is count_tokens and not model.startswith("claude"):
                raise self.unserved(client)
            return spoken
        if model.startswith("claude"):
            return anthropic_messages
        return super().dialect_for(client if client is not anthropic_messages else openai_chat, model)

    def url(self, dialect: Dialect, model: str, stream: bool, fields: Mapping[str, Any]) -> str:
        path, version = dialect.upstream_path, self.settings.api_version
        if dialect in (anthropic_messages, count_tokens):
            return self.under_base(f"/anthropic{path}", ENDINGS)
        if version and dialect is not openai_responses:
            return self.under_base(f"/models{path}?api-version={version}", ENDINGS)
        return self.under_base(f"/openai/v1{path}", ENDINGS)

    def auth(self, dialect: Dialect) -> dict[str, str]:
        name = "x-api-key" if dialect in (anthropic_messages, count_tokens) else "api-key"
        return {name: self.key} if self.key else {}

    async def prove(self, exchange: Exchange, endpoint: Endpoint, upstream: Upstream) -> Sequence[tuple[bytes, bytes]]:
        return await self.bearer(self._token, upstream)
