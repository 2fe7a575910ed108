"""Crusoe's Managed Inference: https://docs.crusoecloud.com/managed-inference/overview."""

from typing import ClassVar

from headgate.providers.provider import Provider


class Crusoe(Provider):
    base_url = "https://api.inference.crusoecloud.com/v1"
    env_key: ClassVar[str | None] = "CRUSOE_API_KEY"
