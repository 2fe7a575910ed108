"""In which languages may be asked and answered."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated

import pydantic

from headgate.core.guard import Asked, Finding, Passage
from headgate.stages.guards.guard import Guard, GuardSettings
from headgate.stages.rules.language import language

SIGNS = frozenset("{}()[]=<>;_/\\|$#")
CODE = 0.06
"""Share of such signs from which on a text is code."""
SAID = frozenset({"text", "system", "document", "tool_result"})
"""Parts that are somebody's sentences."""
Code = Annotated[str, pydantic.Field(pattern=r"^[a-z]{2}$")]


class LanguagesSettings(GuardSettings):
    allowed: list[Code] | None = pydantic.Field(
        None, min_length=1, description="By ISO 639-1: `[en, de]`. No others are let through."
    )
    denied: list[Code] = pydantic.Field(default_factory=list, description="Or those that are not.")
    shortest: int = pydantic.Field(
        60,
        ge=10,
        le=2000,
        description="Characters below which a text is let through: of a few words it cannot be told.",
    )

    @pydantic.model_validator(mode="after")
    def _one(self) -> LanguagesSettings:
        if (self.allowed is None) == (not self.denied):
            raise ValueError("say which are `allowed`, or which are `denied`")
        return self


class Languages(Guard):
    """By small words, letters and scripts. What cannot be told is let through, and so is code. Of a stream as much is
    held back as is needed to tell; the category is the language."""

    Settings = LanguagesSettings

    def __init__(self, settings: LanguagesSettings) -> None:
        self._settings = settings
        self.hold = 2 * settings.shortest

    def look(self, passages: Sequence[Passage], asked: Asked) -> Iterable[Finding]:
        for index, passage in enumerate(passages):
            text = passage.text
            if passage.part in SAID and len(text) >= self._settings.shortest and not _code(text):
                found = language(text)
                if found and not self._fits(found):
                    yield Finding(index, 0, len(text), found, reason="a language that is not wanted here")

    def _fits(self, found: str) -> bool:
        allowed = self._settings.allowed
        return found in allowed if allowed is not None else found not in self._settings.denied


def _code(text: str) -> bool:
    return sum(letter in SIGNS for letter in text[:500]) > CODE * min(len(text), 500)
