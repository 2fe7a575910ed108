"""Jina AI's search foundation: https://api.jina.ai/redoc."""

from typing import ClassVar

from headgate.core.dialect import Dialect
from headgate.dialects import jina_rerank
from headgate.dialects.openai_embeddings import jina
from headgate.providers.provider import Provider


class Jina(Provider):
    base_url = "https://api.jina.ai/v1"
    env_key: ClassVar[str | None] = "JINA_API_KEY"
    other_env_keys = ("JINAAI_API_KEY",)
    dialects: ClassVar[tuple[Dialect, ...]] = (jina, jina_rerank)
