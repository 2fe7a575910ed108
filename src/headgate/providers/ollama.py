"""Ollama: https://docs.ollama.com/api."""

from collections.abc import Mapping
from typing import Any, ClassVar

from headgate.core.dialect import Dialect
from headgate.dialects import ollama_chat, openai_chat, openai_embeddings
from headgate.providers.provider import ROOTED, VERSION, Provider


class Ollama(Provider):
    """Its own API stands under /api, those of others under /v1: https://docs.ollama.com/api/openai-compatibility.

    `base_url` may end in /v1, as OpenAI's SDK means it, or not, as Ollama's own.
    """

    base_url = "http://127.0.0.1:11434"
    dialects: ClassVar[tuple[Dialect, ...]] = (
        ollama_chat,
        *ollama_chat.more,
        openai_chat,
        openai_embeddings,
    )
    beside = {"opaque": VERSION}
    # the only one of the two it reads
    renames = {"max_completion_tokens": "max_tokens"}
    # which roles there are is up to the model: https://github.com/ollama/ollama-python/issues/453
    roles = {"developer": "system"}

    def url(self, dialect: Dialect, model: str, stream: bool, fields: Mapping[str, Any]) -> str:
        path = dialect.upstream_path
        return self.under_base(path if ROOTED.match(path) else "/v1" + path, *VERSION)
