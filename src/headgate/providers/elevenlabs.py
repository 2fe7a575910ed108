"""ElevenLabs: https://elevenlabs.io/docs/api-reference/introduction."""

from __future__ import annotations

from typing import ClassVar

import pydantic

from headgate.core.dialect import Dialect
from headgate.core.exchange import Exchange
from headgate.dialects import elevenlabs_speech, elevenlabs_transcripts
from headgate.dialects.elevenlabs_speech import Spoken
from headgate.providers.provider import Header, Provider
from headgate.providers.settings import ProviderSettings


class ElevenLabsSettings(ProviderSettings):
    voices: dict[str, str] = pydantic.Field(
        default_factory=dict,
        description="Voices by the names clients ask for, where those are not ElevenLabs' ids "
        "(`alloy: 21m00Tcm4TlvDq8ikWAM`).",
    )


class ElevenLabs(Provider):
    Settings = ElevenLabsSettings
    base_url = "https://api.elevenlabs.io"
    env_key: ClassVar[str | None] = "ELEVENLABS_API_KEY"
    sample_model: ClassVar[str | None] = "eleven_multilingual_v2"
    dialects: ClassVar[tuple[Dialect, ...]] = (elevenlabs_speech, elevenlabs_transcripts)
    settings: ElevenLabsSettings

    def auth(self, dialect: Dialect) -> dict[str, str]:
        """https://elevenlabs.io/docs/api-reference/authentication"""
        return {"xi-api-key": self.key} if self.key else {}

    def pack(self, exchange: Exchange, dialect: Dialect, headers: list[Header]) -> list[Header]:
        """The voice by the name it has there."""
        said = exchange.outgoing
        if isinstance(said, Spoken) and said.voice in self.settings.voices:
            exchange.outgoing = said.by(self.settings.voices[said.voice])
        return headers
