"""Deepgram: https://developers.deepgram.com/reference/speech-to-text/listen-pre-recorded."""

from typing import ClassVar

from headgate.core.dialect import Dialect
from headgate.dialects import deepgram_listen
from headgate.providers.provider import Provider


class Deepgram(Provider):
    base_url = "https://api.deepgram.com"
    env_key: ClassVar[str | None] = "DEEPGRAM_API_KEY"
    sample_model: ClassVar[str | None] = "nova-3"
    dialects: ClassVar[tuple[Dialect, ...]] = (deepgram_listen,)

    def auth(self, dialect: Dialect) -> dict[str, str]:
        """https://developers.deepgram.com/guides/fundamentals/authenticating"""
        return {"authorization": f"Token {self.key}"} if self.key else {}
