"""Vertex AI, with Gemini, Claude and the open models of others: https://cloud.google.com/vertex-ai/generative-ai/docs/start/api-keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

import pydantic

from headgate.core.body import Said
from headgate.core.dialect import Dialect, UrlDialect
from headgate.core.exchange import Exchange
from headgate.core.named import EACH, KNOWN, Path
from headgate.core.ports import Upstream
from headgate.core.target import Endpoint
from headgate.dialects import anthropic_messages, gemini_generate, openai_chat, openai_embeddings
from headgate.dialects.anthropic_messages import count_tokens as count_for_claude
from headgate.dialects.dialect import members, patch, segment
from headgate.dialects.framing import JSON
from headgate.dialects.gemini_generate import count_tokens as count_for_gemini
from headgate.dialects.gemini_generate import embed, predict
from headgate.providers.auth.auth import Renewed
from headgate.providers.auth.google import Google, Wanted
from headgate.providers.provider import Header, Provider
from headgate.providers.settings import ProviderSettings

VERSION = "vertex-2023-10-16"
"""https://platform.claude.com/docs/en/build-with-claude/claude-on-vertex-ai"""
SHARED = {"global": "https://aiplatform.googleapis.com"} | {
    place: f"https://aiplatform.{place}.rep.googleapis.com" for place in ("us", "eu")
}
"""Where the locations are that are no regions: https://cloud.google.com/vertex-ai/generative-ai/docs/learn/locations."""
OWN = ("publishers/google/models/", "models/", "google/")
"""How the name of a model of Google's may begin."""
PREDICTING = ("gemini-embedding-001", "gemini-embedding-exp")
"""Gemini's models that embed by prediction, too:
https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/text-embeddings-api."""
BY_FAMILY: tuple[tuple[Dialect, Dialect], ...] = (
    (anthropic_messages, gemini_generate),
    (count_for_claude, count_for_gemini),
)
"""What Claude and Gemini are asked in, for each operation."""


class VertexSettings(ProviderSettings):
    api_key: pydantic.SecretStr | None = pydantic.Field(
        None,
        description="A key of express mode, or of Google Cloud. Without it a token proves who asks, which is had as "
        "Google's own SDKs have it: a file of credentials, `gcloud`, the machine's service account.",
    )
    project: str | None = pydantic.Field(
        None, pattern=r"^[0-9a-z.:-]+$", description="The project that pays (`GOOGLE_CLOUD_PROJECT`)."
    )
    location: str = pydantic.Field(
        "global",
        pattern=r"^[0-9a-z-]+$",
        description="Where the models run: a region, `us`, `eu` or `global` (`GOOGLE_CLOUD_LOCATION`).",
    )
    credentials_file: str | None = pydantic.Field(
        None, description="The file of credentials to use, instead of `GOOGLE_APPLICATION_CREDENTIALS`."
    )


class Vertex(Provider):
    Settings = VertexSettings
    base_url = "https://{location}-aiplatform.googleapis.com"
    usual = {"project": "GOOGLE_CLOUD_PROJECT", "location": "GOOGLE_CLOUD_LOCATION"}
    sample_model: ClassVar[str | None] = "gemini-2.5-flash"
    # https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference (routingConfig.manualMode) and
    # https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/rag-api (vertexRagStore.ragRetrievalConfig
    # .ranking.llmRanker); Google takes either spelling: https://protobuf.dev/programming-guides/json/
    also_names: ClassVar[tuple[Path, ...]] = (
        *KNOWN,
        *(
            path
            for name in ("modelName", "model_name")
            for path in (
                ("generationConfig", "routingConfig", EACH, name),
                ("generationConfig", "routing_config", EACH, name),
                ("generation_config", "routingConfig", EACH, name),
                ("generation_config", "routing_config", EACH, name),
                ("tools", EACH, "retrieval", EACH, EACH, EACH, EACH, name),
            )
        ),
    )
    dialects: ClassVar[tuple[Dialect, ...]] = (
        gemini_generate,
        anthropic_messages,
        openai_chat,
        count_for_gemini,
        count_for_claude,
        embed,
        predict,
        openai_embeddings,
    )
    by_model = True
    settings: VertexSettings

    def __init__(self, name: str, settings: VertexSettings, *, max_reply_bytes: int = 256 << 20) -> None:
        super().__init__(name, settings, max_reply_bytes=max_reply_bytes)
        if settings.base_url is None:
            self.address = SHARED.get(settings.location, self.address)
        place = f"/projects/{settings.project}/locations/{settings.location}" if settings.project else ""
        self._place = place
        self._token = Renewed(f"the token for {name}", Google(Wanted(settings.credentials_file)))
        self.proves = not self.key

    @classmethod
    def needed(cls, settings: ProviderSettings | None = None) -> list[str]:
        return [] if settings is not None and settings.api_key else ["project"]

    @classmethod
    def found(cls, environ: Mapping[str, str]) -> tuple[dict[str, str], str] | None:
        meant = environ.get("GOOGLE_GENAI_USE_VERTEXAI", "").lower() in ("1", "true")
        if not environ.get("GOOGLE_CLOUD_PROJECT") or not (meant or environ.get("GOOGLE_APPLICATION_CREDENTIALS")):
            return None
        return {}, "GOOGLE_CLOUD_PROJECT"

    def dialect_for(self, client: Dialect, model: str) -> Dialect:
        """Each family of models is asked in its own words: Claude, Gemini, and `publisher/model` in OpenAI's."""
        if client.operation == "embeddings" and not self.settings.speaks:
            return self._embedding(client, model)
        claude, gemini = next((pair for pair in BY_FAMILY if pair[0].operation == client.operation), (None, None))
        if self.settings.speaks or claude is None or gemini is None:
            return super().dialect_for(client, model)
        if bare(model).startswith("claude"):
            return claude
        if is_googles(model):
            return gemini
        if client.operation != "chat":
            raise self.unserved(client)
        return openai_chat

    def _embedding(self, client: Dialect, model: str) -> Dialect:
        """Gemini's models are asked to embed a content, the older ones for predictions, as Google's own SDKs do; the
        first of Gemini's can do both. `multimodalembedding` has instances of its own."""
        if not is_googles(model):
            return openai_embeddings
        if "gemini" in model:
            return predict if client is predict and bare(model).startswith(PREDICTING) else embed
        if "multimodal" in model:
            raise self.unserved(client)
        return predict

    def url(self, dialect: Dialect, model: str, stream: bool, fields: Mapping[str, Any]) -> str:
        return self.under_base(self._path(dialect, model, stream, fields))

    def _path(self, dialect: Dialect, model: str, stream: bool, fields: Mapping[str, Any]) -> str:
        if dialect in (openai_chat, openai_embeddings):
            # https://cloud.google.com/vertex-ai/generative-ai/docs/maas/call-open-model-apis
            return f"/v1{self._place}/endpoints/openapi{dialect.upstream_path}"
        if dialect is count_for_claude:
            return f"/v1{self._place}/publishers/anthropic/models/count-tokens:rawPredict"
        if dialect is anthropic_messages:
            verb = "streamRawPredict" if stream else "rawPredict"
            return f"/v1{self._place}/publishers/anthropic/models/{segment(bare(model), '@')}:{verb}"
        path = cast(UrlDialect, dialect).write_url(bare(model), stream, fields)
        holder = "/endpoints/" if model.isdecimal() else "/publishers/google/models/"  # the first is a tuned model's
        return f"/v1beta1{self._place}{holder}{path.rpartition('/models/')[2]}"

    def auth(self, dialect: Dialect) -> dict[str, str]:
        return {"x-goog-api-key": self.key} if self.key else {}

    async def prove(self, exchange: Exchange, endpoint: Endpoint, upstream: Upstream) -> Sequence[Header]:
        return await self.bearer(self._token, upstream)

    def pack(self, exchange: Exchange, dialect: Dialect, headers: list[Header]) -> list[Header]:
        """For Claude the model stands in the address, and `anthropic_version` in the body; for Gemini's embeddings all
        settings stand in an object of their own."""
        headers = super().pack(exchange, dialect, headers)
        if dialect is embed and isinstance(exchange.outgoing, bytes):
            self._pack_embedding(exchange, exchange.outgoing)
        if dialect not in (anthropic_messages, count_for_claude):
            return headers
        body = exchange.outgoing
        assert isinstance(body, bytes)
        there = members(body)
        changes: dict[str, Any] = {"model": None}
        if dialect is count_for_claude:
            changes["model"] = bare(exchange.target.model if exchange.target else exchange.model)
        if "anthropic_version" not in there:
            changes["anthropic_version"] = VERSION
        exchange.outgoing = patch(body, changes, there)
        return headers

    def _pack_embedding(self, exchange: Exchange, body: bytes) -> None:
        """One content goes by itself, but for clients who make a batch of it and want one back."""
        exchange.outgoing = embed.with_config(body)
        alone = embed.single(exchange.outgoing) if exchange.dialect is not embed else None
        if alone is not None:
            model = exchange.target.model if exchange.target else exchange.model
            exchange.outgoing = Said(alone, JSON, self._path(embed, model, False, {"method": "embedContent"}))


def is_googles(model: str) -> bool:
    """A name of one part, or Google's own; others are `publisher/model`."""
    return "/" not in model or model.startswith(OWN)


def bare(model: str) -> str:
    """The model without its publisher, where that is Google or Anthropic."""
    for start in (*OWN, "publishers/anthropic/models/", "anthropic/"):
        model = model.removeprefix(start)
    return model
