"""Snowflake's Cortex: https://docs.snowflake.com/en/user-guide/snowflake-cortex/cortex-rest-api."""

from typing import ClassVar

import pydantic

from headgate.core.dialect import Dialect
from headgate.dialects import anthropic_messages, openai_chat
from headgate.providers.provider import Provider
from headgate.providers.settings import ProviderSettings


class SnowflakeSettings(ProviderSettings):
    account: str | None = pydantic.Field(
        None,
        pattern=r"^[0-9A-Za-z_.-]+$",
        description="The account's identifier, as in its address: `myorg-myaccount` (`SNOWFLAKE_ACCOUNT`).",
    )


class Snowflake(Provider):
    Settings = SnowflakeSettings
    base_url = "https://{account}.snowflakecomputing.com/api/v2/cortex/v1"
    # a programmatic access token: https://docs.snowflake.com/en/user-guide/programmatic-access-tokens
    env_key: ClassVar[str | None] = "SNOWFLAKE_PAT"
    usual = {"account": "SNOWFLAKE_ACCOUNT"}
    # the page above: Messages are for Claude's models only
    dialects: ClassVar[tuple[Dialect, ...]] = (openai_chat, anthropic_messages)

    def dialect_for(self, client: Dialect, model: str) -> Dialect:
        if client is anthropic_messages and anthropic_messages in self.speaks and not model.startswith("claude"):
            return openai_chat
        return super().dialect_for(client, model)
