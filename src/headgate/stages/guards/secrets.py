"""What opens doors: keys and tokens by the forms of their vendors, private keys, passwords."""

from __future__ import annotations

from collections.abc import Sequence

import pydantic

from headgate.core.guard import Asked, Finding, Passage
from headgate.redaction import looking
from headgate.redaction.kinds import SECRETS
from headgate.stages.guards.guard import Guard, GuardSettings


class SecretsSettings(GuardSettings):
    kinds: list[str] | None = pydantic.Field(
        None, min_length=1, description="Only these: `api_key`, `token`, `private_key`, `password`, `secret`."
    )
    threshold: float = pydantic.Field(0.5, gt=0, le=1, description="How sure it must be.")


class Secrets(Guard):
    """Keys of a hundred vendors, JSON Web Tokens, PEM blocks, what stands behind `password:` or in an address."""

    Settings = SecretsSettings
    needs = {"re2": "guard"}
    usual = "redact"
    hold = looking.HOLD

    def __init__(self, settings: SecretsSettings) -> None:
        self._finder = looking.finder([SECRETS], settings.kinds, (), (), settings.threshold)

    def look(self, passages: Sequence[Passage], asked: Asked) -> list[Finding]:
        return looking.looked(self._finder, passages)

    def clear(self, text: str) -> int:
        return min(looking.clear(text), looking.clear_of_quotes(text))
