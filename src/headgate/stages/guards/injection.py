"""Texts that try to instruct a model against its owner: what users say, and instructions in documents and results."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pydantic

from headgate.core.guard import Asked, Finding, Part, Passage
from headgate.stages.guards.guard import Guard, GuardSettings

if TYPE_CHECKING:
    from headgate.injection.detector import Suspicion
    from headgate.injection.rules import Place

PLACES: Mapping[Part, Place] = {
    "text": "direct",
    "other": "direct",
    "tool_result": "indirect",
    "document": "indirect",
}
"""Instructions of the application, and what a model says, are not looked at."""
CATEGORIES: Mapping[Place, str] = {"direct": "injection", "indirect": "indirect_injection"}
REMEMBERED = 4096
"""Texts of which it is known how suspicious they are: a conversation is sent again with each turn."""


class InjectionSettings(GuardSettings):
    direct: float = pydantic.Field(
        0.5,
        gt=0,
        le=1,
        description="How suspicious what users say must be. At 0.5 one harmless text in a hundred is; see [what it is "
        "worth](../how-to/guard-against-injection.md#what-it-is-worth).",
    )
    indirect: float = pydantic.Field(
        0.5, gt=0, le=1, description="The same of documents, results of tools, and documents in what users say."
    )
    rules: Path | None = pydantic.Field(
        None,
        description="A YAML file of rules beside those that come with Headgate: a list of `name`, `patterns` in "
        "the syntax of RE2, `score` that a text has at the least which fits one, and `places` (`direct`, `indirect`).",
    )


class Injection(Guard):
    """Read as a model may: hidden characters, twins of letters, base64, leetspeak and the like are seen through.
    Rules in many languages and a linear model, trained on public attacks, say how suspicious it is. It prevents
    nothing for sure. It takes time in proportion to the text."""

    Settings = InjectionSettings
    needs = {"re2": "injection", "numpy": "injection"}
    sides = frozenset({"request"})

    def __init__(self, settings: InjectionSettings) -> None:
        from headgate.injection.detector import Detector
        from headgate.injection.rules import read

        try:
            own = read(settings.rules) if settings.rules is not None else []
        except OSError as error:
            raise ValueError(f"the rules {settings.rules} cannot be read: {error.strerror}") from None
        self._detector = Detector(own)
        self._least: Mapping[Place, float] = {"direct": settings.direct, "indirect": settings.indirect}
        self._known: dict[tuple[bytes, Place], Suspicion] = {}

    def look(self, passages: Sequence[Passage], asked: Asked) -> list[Finding]:
        found = []
        for index, passage in enumerate(passages):
            place = PLACES.get(passage.part)
            if place is None or passage.role == "assistant":
                continue
            seen = self._suspicion(passage.text, place)
            if seen.score >= self._least[seen.place]:
                reason = "says what attacks say" + (f" ({', '.join(seen.signs)})" if seen.signs else "")
                category = CATEGORIES[seen.place]
                found.append(Finding(index, seen.start, seen.end, category, round(seen.score, 4), reason))
        return found

    def _suspicion(self, text: str, place: Place) -> Suspicion:
        name = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest(), place
        seen = self._known.get(name)
        if seen is None:
            seen = self._detector.look(text, place)
            if len(self._known) >= REMEMBERED:
                del self._known[next(iter(self._known))]
            self._known[name] = seen
        return seen
