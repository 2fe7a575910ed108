"""Personal data: phones, cards, accounts, numbers of citizens, patients and taxpayers; names, where it is asked to."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

import pydantic

from headgate.core.guard import Asked, Finding, Passage
from headgate.redaction import looking
from headgate.redaction.kinds import personal
from headgate.redaction.names.found import KINDS as NAMES
from headgate.redaction.names.found import THRESHOLD, USUAL, Finder
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
    names: bool | list[str] = pydantic.Field(
        False,
        description="Find names of people and addresses, too (`true`), or these kinds of what only words tell: "
        "`[person, address, location, organisation]`; it takes longer "
        "([how](../how-to/guard-personal-data.md#names-and-addresses)).",
    )
    name_threshold: float = pydantic.Field(
        THRESHOLD,
        gt=0,
        le=1,
        description="How sure it must be of a name: at 0.3 more are found, and more that is none.",
    )
    ner: str = pydantic.Field(
        "", description="A recogniser of yours instead of ours: the dotted path of a class with `find(text)`."
    )
    spacy: str = pydantic.Field("", description="Or a pipeline of spaCy: its package, or its folder.")


class Personal(Guard):
    """Told by documented forms and check digits, and by words near them. It takes time in proportion to the text.

    Of a stream, what may become part of something is held back: a word that is not over, and numbers before it; with
    `names`, four words, and capitals and numbers before them.
    """

    Settings = PersonalSettings
    needs = {"re2": "guard"}
    usual = "redact"
    hold = looking.HOLD

    def __init__(self, settings: PersonalSettings) -> None:
        packs = personal() if settings.packs is None else settings.packs
        self._finder = looking.finder(packs, settings.kinds, settings.also, settings.without, settings.threshold)
        self._names: Finder | None = None
        if settings.names:
            from headgate.redaction.names.own import recogniser  # weights, which nobody else needs

            kinds = USUAL if settings.names is True else settings.names
            if not settings.ner and not settings.spacy:
                looking.known(kinds, NAMES, "kind of names")
            self._names = recogniser(kinds, settings.name_threshold, settings.ner, settings.spacy)
        elif settings.ner or settings.spacy:
            raise ValueError("a recogniser is named, and nothing for it to find: add `names: true`")

    def look(self, passages: Sequence[Passage], asked: Asked) -> list[Finding] | Awaitable[list[Finding]]:
        found = looking.looked(self._finder, passages)
        if self._names is None:
            return found
        if sum(len(each.text) for each in passages) > looking.LONG:
            return looking.with_names_in_turns(found, self._names, passages)
        return looking.with_names(found, self._names, passages)

    def clear(self, text: str) -> int:
        at = looking.clear(text)
        return at if self._names is None else min(at, looking.clear_of_names(text))
