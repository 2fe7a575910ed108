"""Stability AI: https://platform.stability.ai/docs/getting-started/authentication."""

from typing import ClassVar

from headgate.core.dialect import Dialect
from headgate.dialects import stability
from headgate.providers.provider import Provider


class Stability(Provider):
    base_url = "https://api.stability.ai"
    env_key: ClassVar[str | None] = "STABILITY_API_KEY"
    sample_model: ClassVar[str | None] = "stable-image-core"
    dialects: ClassVar[tuple[Dialect, ...]] = (stability,)

    def auth(self, dialect: Dialect) -> dict[str, str]:
        """Bytes of the picture come where JSON is not asked for."""
        headers = super().auth(dialect)
        if dialect is stability:
            headers["accept"] = "application/json"
        return headers
