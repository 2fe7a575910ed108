"""Databricks' model serving: https://docs.databricks.com/aws/en/machine-learning/foundation-model-apis/api-reference."""

from typing import ClassVar

import pydantic

from headgate.core.dialect import Dialect
from headgate.dialects import openai_chat, openai_embeddings
from headgate.providers.provider import Provider
from headgate.providers.settings import ProviderSettings


class DatabricksSettings(ProviderSettings):
    host: str | None = pydantic.Field(
        None,
        pattern=r"^https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?/?$",
        description="The workspace: `https://adb-1234567890.1.azuredatabricks.net` (`DATABRICKS_HOST`).",
    )


class Databricks(Provider):
    Settings = DatabricksSettings
    base_url = "{host}/serving-endpoints"
    env_key: ClassVar[str | None] = "DATABRICKS_TOKEN"
    sample_model: ClassVar[str | None] = "databricks-gpt-oss-120b"
    usual = {"host": "DATABRICKS_HOST"}
    dialects: ClassVar[tuple[Dialect, ...]] = (openai_chat, openai_embeddings)
    # the page above
    renames = {"max_completion_tokens": "max_tokens"}
    roles = {"developer": "system"}
