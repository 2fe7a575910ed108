"""Voyage AI: https://docs.voyageai.com/reference/embeddings-api."""

from typing import ClassVar

from headgate.core.dialect import Dialect
from headgate.dialects import voyage_rerank
from headgate.dialects.openai_embeddings import voyage
from headgate.providers.provider import Provider


class Voyage(Provider):
    base_url = "https://api.voyageai.com/v1"
    env_key: ClassVar[str | None] = "VOYAGE_API_KEY"
    dialects: ClassVar[tuple[Dialect, ...]] = (voyage, voyage_rerank)
