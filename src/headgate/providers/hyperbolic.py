"""Hyperbolic: https://docs.hyperbolic.xyz/docs/rest-api."""

from typing import ClassVar

from headgate.providers.provider import Provider


class Hyperbolic(Provider):
    base_url = "https://api.hyperbolic.xyz/v1"
    env_key: ClassVar[str | None] = "HYPERBOLIC_API_KEY"
    sample_model: ClassVar[str | None] = "meta-llama/Llama-3.3-70B-Instruct"
    # https://docs.hyperbolic.xyz/reference/create_chat_completion_v1_chat_completions_post
    renames = {"max_completion_tokens": "max_tokens"}
    roles = {"developer": "system"}
