"""Any host that speaks Anthropic's messages: a gateway of somebody else's, a proxy inside a company."""

from typing import ClassVar, Literal

import pydantic

from headgate.core.dialect import Dialect
from headgate.dialects import anthropic_messages
from headgate.providers.provider import Provider
from headgate.providers.settings import ProviderSettings


class AnthropicCompatibleSettings(ProviderSettings):
    base_url: str = pydantic.Field(
        description="Where the API is, without its version: https://host, not https://host/v1."
    )
    key_header: Literal["x-api-key", "authorization"] = pydantic.Field(
        "x-api-key", description="How the key is sent: as Anthropic's `x-api-key`, or as `Authorization: Bearer`."
    )


class AnthropicCompatible(Provider):
    Settings = AnthropicCompatibleSettings
    dialects: ClassVar[tuple[Dialect, ...]] = (anthropic_messages,)
    defaults = ((b"anthropic-version", b"2023-06-01"),)
    settings: AnthropicCompatibleSettings

    def auth(self, dialect: Dialect) -> dict[str, str]:
        if self.settings.key_header == "authorization":
            return super().auth(dialect)
        return {"x-api-key": self.key} if self.key else {}
