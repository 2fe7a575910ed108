"""AI21: https://docs.ai21.com/reference/jamba-1-6-api-ref."""

from typing import ClassVar

from headgate.providers.provider import Provider


class AI21(Provider):
    base_url = "https://api.ai21.com/studio/v1"
    env_key: ClassVar[str | None] = "AI21_API_KEY"
    sample_model: ClassVar[str | None] = "jamba-mini"
    # the page above
    renames = {"max_completion_tokens": "max_tokens"}
    roles = {"developer": "system"}
