"""Personal data that has a form: addresses, phones, cards, accounts, numbers of citizens, patients and taxpayers."""

from __future__ import annotations

from collections.abc import Sequence

import pydantic

from headgate.core.guard import Asked, Finding, Passage
from headgate.redaction import looking
from headgate.redaction.kinds import personal
from headgate.stages.guards.guard import Guard, GuardSettings

KINDS = "[kinds and groups](redaction.md)"


class PersonalSettings(GuardSettings):
    kinds: list[str] | None = pydantic.Field(
        None, min_length=1, description=f"Only these {KINDS}. Left out: all that are not optional."
    )
    also: list[str] = pydantic.Field(
        default_factory=list,
        description="These kinds, too: optional ones, as `diagnosis`, `drug`, `age`, `date`, `url`.",
    )
    without: list[str] = pydantic.Field(default_factory=list, description=f"Not these {KINDS}.")
    packs: list[str] | None = pydantic.Field(
        None,
        min_length=1,
        description="Only these [packs](redaction.md#packs) of countries and subjects. Left out: all.",
    )
    threshold: float = pydantic.Field(
        0.5,
        gt=0,
        le=1,
        description="How sure it must be: a number whose check digits are right is mostly surer with a word near it, "
        "and less sure behind `order` or `version`.",
    )


class Personal(Guard):
    """Told by documented forms and check digits, and by words near them. It takes time in proportion to the text.

    Of a stream, what may become part of something is held back: a word that is not over, and numbers before it.
    """

    Settings = PersonalSettings
    needs = {"re2": "guard"}
    usual = "redact"
    hold = looking.HOLD

    def __init__(self, settings: PersonalSettings) -> None:
        packs = personal() if settings.packs is None else settings.packs
        self._finder = looking.finder(packs, settings.kinds, settings.also, settings.without, settings.threshold)

    def look(self, passages: Sequence[Passage], asked: Asked) -> list[Finding]:
        return looking.looked(self._finder, passages)

    def clear(self, text: str) -> int:
        return looking.clear(text)
