"""Heroku's Managed Inference: https://devcenter.heroku.com/articles/heroku-inference-api-v1-chat-completions."""

from typing import ClassVar

from headgate.core.dialect import Dialect
from headgate.dialects import openai_chat, openai_embeddings
from headgate.providers.provider import Provider


class Heroku(Provider):
    base_url = "https://us.inference.heroku.com/v1"
    env_key: ClassVar[str | None] = "INFERENCE_KEY"
    dialects: ClassVar[tuple[Dialect, ...]] = (openai_chat, openai_embeddings)
    # the page above
    renames = {"max_completion_tokens": "max_tokens"}
    roles = {"developer": "system"}
