"""IBM's watsonx.ai: https://cloud.ibm.com/apidocs/watsonx-ai#text-chat."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pydantic

from headgate.core.dialect import Dialect
from headgate.core.exchange import Exchange
from headgate.core.named import KNOWN, Path
from headgate.core.ports import Upstream
from headgate.core.target import Endpoint
from headgate.dialects.dialect import segment
from headgate.providers.auth.auth import Grant, Renewed, request_token
from headgate.providers.provider import Provider
from headgate.providers.settings import ProviderSettings

IAM = "https://iam.cloud.ibm.com/identity/token"
DEPLOYMENT = "deployment/"
"""How the name of a model begins that is a deployment of one's own."""


class WatsonxSettings(ProviderSettings):
    region: str = pydantic.Field("us-south", pattern=r"^[0-9a-z-]+$", description="Where the models are.")
    project_id: str | None = pydantic.Field(None, description="The project that pays (`WATSONX_PROJECT_ID`).")
    space_id: str | None = pydantic.Field(None, description="The deployment space that pays, instead of a project.")
    api_version: str = pydantic.Field("2025-02-11", pattern=r"^[0-9-]+$", description="The version of the API, a date.")


class Watsonx(Provider):
    Settings = WatsonxSettings
    base_url = "https://{region}.ml.cloud.ibm.com"
    env_key: ClassVar[str | None] = "WATSONX_APIKEY"
    sample_model: ClassVar[str | None] = "ibm/granite-4-h-small"
    usual = {"base_url": "WATSONX_URL", "project_id": "WATSONX_PROJECT_ID", "space_id": "WATSONX_SPACE_ID"}
    by_model = True
    also_names: ClassVar[tuple[Path, ...]] = (*KNOWN, ("model_id",))
    settings: WatsonxSettings

    def __init__(self, name: str, settings: WatsonxSettings, *, max_reply_bytes: int = 256 << 20) -> None:
        super().__init__(name, settings, max_reply_bytes=max_reply_bytes)
        self._token = Renewed(f"the token for {name}", self._fetch)
        self.asks_for_usage = False  # every stream tells it
        self.proves = bool(self.key)

    async def _fetch(self, upstream: Upstream) -> Grant[str]:
        """https://cloud.ibm.com/docs/account?topic=account-iamtoken_from_apikey"""
        form = {"grant_type": "urn:ibm:params:oauth:grant-type:apikey", "apikey": self.key}
        return await request_token(upstream, os.environ.get("WATSONX_IAM_URL") or IAM, form, "IBM's IAM")

    @classmethod
    def needed(cls, settings: ProviderSettings | None = None) -> list[str]:
        return []  # the region has a default

    @classmethod
    def found(cls, environ: Mapping[str, str]) -> tuple[dict[str, str], str] | None:
        payer = any(environ.get(cls.usual[name]) for name in ("project_id", "space_id"))
        return super().found(environ) if payer else None

    def auth(self, dialect: Dialect) -> dict[str, str]:
        return {}

    async def prove(self, exchange: Exchange, endpoint: Endpoint, upstream: Upstream) -> Sequence[tuple[bytes, bytes]]:
        return await self.bearer(self._token, upstream)

    def url(self, dialect: Dialect, model: str, stream: bool, fields: Mapping[str, Any]) -> str:
        path = "/ml/v1/text/chat"
        if model.startswith(DEPLOYMENT):
            path = f"/ml/v1/deployments/{segment(model.removeprefix(DEPLOYMENT))}/text/chat"
        return self.under_base(f"{path}{'_stream' if stream else ''}?version={self.settings.api_version}")

    def adjust(self, fields: dict[str, Any], dialect: Dialect, model: str) -> dict[str, Any]:
        """The model is sent as `model_id`, with the project or space that pays; a choice of tools that is a word as
        `tool_choice_option`. Whether to stream is said by the address."""
        changes: dict[str, Any] = {name: None for name in ("model", "stream", "stream_options") if name in fields}
        if not model.startswith(DEPLOYMENT):
            payer = "project_id" if self.settings.project_id or not self.settings.space_id else "space_id"
            wanted = {"model_id": model, payer: self.settings.project_id or self.settings.space_id}
            changes |= {name: value for name, value in wanted.items() if value and fields.get(name) != value}
        choice = fields.get("tool_choice")
        if isinstance(choice, str):
            changes |= {"tool_choice": None, "tool_choice_option": choice}
        return changes
