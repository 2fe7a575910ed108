"""Azure OpenAI: https://learn.microsoft.com/en-us/azure/foundry/openai/api-version-lifecycle.

A model is a deployment. Without an `api_version` it is asked by the API that has none (`/openai/v1`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pydantic

from headgate.core.dialect import Dialect
from headgate.core.exchange import Exchange
from headgate.core.named import EACH, KNOWN, Path
from headgate.core.ports import Upstream
from headgate.core.target import Endpoint
from headgate.dialects import openai_audio, openai_chat, openai_embeddings, openai_images, openai_responses
from headgate.dialects.dialect import segment
from headgate.dialects.fields import reworded
from headgate.dialects.openai_images import edits
from headgate.providers.auth.auth import Renewed
from headgate.providers.auth.entra import Entra, EntraSettings
from headgate.providers.provider import Provider
from headgate.providers.settings import ProviderSettings

SCOPE = "https://cognitiveservices.azure.com/.default"
UNDATED = (None, "v1", "preview", "latest")
"""Versions of the API under /openai/v1."""
ENDINGS = ("/openai/v1", "/openai")
"""What a resource's address may end in besides."""
RICH = "2024-09-01"
"""The first version with `max_completion_tokens` and `stream_options`: see the page above."""


class AzureSettings(ProviderSettings, EntraSettings):
    base_url: str | None = pydantic.Field(
        None, description="The resource: `https://name.openai.azure.com` (`AZURE_OPENAI_ENDPOINT`)."
    )
    api_version: str | None = pydantic.Field(
        None,
        pattern=r"^[0-9a-z-]+$",
        description="A dated version (`2024-10-21`) for the older addresses with the deployment in them, `preview` for "
        "the newer ones' previews (`OPENAI_API_VERSION`). Left out: the newer ones.",
    )


class Azure(Provider):
    Settings = AzureSettings
    env_key: ClassVar[str | None] = "AZURE_OPENAI_API_KEY"
    usual = {"base_url": "AZURE_OPENAI_ENDPOINT", "api_version": "OPENAI_API_VERSION"}
    dialects: ClassVar[tuple[Dialect, ...]] = (
        openai_chat,
        openai_responses,
        openai_embeddings,
        openai_images,
        edits,
        openai_audio,
        *openai_audio.more,
    )
    by_model = True
    # https://learn.microsoft.com/en-us/azure/ai-services/openai/references/on-your-data
    also_names: ClassVar[tuple[Path, ...]] = (
        *KNOWN,
        ("data_sources", EACH, "parameters", "embedding_dependency", "deployment_name"),
    )
    settings: AzureSettings

    def __init__(self, name: str, settings: AzureSettings, *, max_reply_bytes: int = 256 << 20) -> None:
        super().__init__(name, settings, max_reply_bytes=max_reply_bytes)
        version = settings.api_version
        old = version not in UNDATED and (version or "")[: len(RICH)] < RICH
        self.asks_for_usage = self.asks_for_usage and not old
        self.adjusts = old
        self._token = Renewed(f"the token for {name}", Entra(settings.wanted(SCOPE)))
        self.proves = not self.key

    def url(self, dialect: Dialect, model: str, stream: bool, fields: Mapping[str, Any]) -> str:
        path, version = dialect.upstream_path, self.settings.api_version
        if version in UNDATED:
            query = f"?api-version={version}" if version else ""
            return self.under_base(f"/openai/v1{path}{query}", ENDINGS)
        if dialect is not openai_responses:
            path = f"/deployments/{segment(model)}{path}"
        return self.under_base(f"/openai{path}?api-version={version}", ENDINGS)

    def auth(self, dialect: Dialect) -> dict[str, str]:
        return {"api-key": self.key} if self.key else {}

    async def prove(self, exchange: Exchange, endpoint: Endpoint, upstream: Upstream) -> Sequence[tuple[bytes, bytes]]:
        return await self.bearer(self._token, upstream)

    def adjust(self, fields: dict[str, Any], dialect: Dialect, model: str) -> dict[str, Any]:
        """`max_completion_tokens` is sent as `max_tokens` to versions before September 2024, which do not know it."""
        if not self.adjusts or dialect is not openai_chat:
            return {}
        return reworded(fields, {"max_completion_tokens": "max_tokens"}, {})
