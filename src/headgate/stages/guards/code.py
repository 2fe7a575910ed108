"""The company's own: markers as `internal use only`, its copyright, pieces of files that have been registered."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import pydantic

from headgate.core.guard import Asked, Finding, Passage
from headgate.redaction.fingerprints import Registry
from headgate.stages.guards.guard import Guard, GuardSettings, compiled

Phrase = Annotated[str, pydantic.Field(min_length=2, max_length=200)]
MARKERS = (
    "confidential", "strictly confidential", "company confidential", "internal use only", "for internal use only",
    "internal only", "not for distribution", "do not distribute", "trade secret", "proprietary and confidential",
)  # fmt: skip
"""What stands on what is not for others."""
COMMON = frozenset({"confidential"})
"""A word that also stands in the middle of sentences: it counts in capitals, as a stamp."""
OTHERS = r"[\s\x{a0}*#/;_-]{1,8}"
"""What may stand between the words of a phrase, in comments over several lines."""


class CodeSettings(GuardSettings):
    markers: list[Phrase] | None = pydantic.Field(
        None,
        description="Words that stand on what is not for others, as `ACME internal`. Left out: "
        f"{', '.join(f'`{each}`' for each in MARKERS)} (`CONFIDENTIAL` in capitals only).",
    )
    owners: list[Phrase] = pydantic.Field(
        default_factory=list, description="Whose copyright is meant: `Copyright (c) 2024 ACME`, `© ACME`, an SPDX line."
    )
    registered: Path | None = pydantic.Field(
        None,
        description="The file that `headgate guard register` has made, relative to the configuration file: pieces of "
        "what was registered are found.",
    )


class Code(Guard):
    """Pieces of registered files are found from some twenty words on (fifty tokens of code), also where they are set
    out otherwise. Of the files only numbers are kept, from which nobody makes them again."""

    Settings = CodeSettings
    needs = {"re2": "guard"}
    sides = frozenset({"request"})

    def __init__(self, settings: CodeSettings) -> None:
        self._expressions: list[tuple[str, str, Any]] = []
        markers = MARKERS if settings.markers is None else settings.markers
        if markers:
            said = "|".join(_phrase(each, case=settings.markers is None and each in COMMON) for each in markers)
            self._expressions.append(("marker", "a mark of what is internal", compiled(said, longest=True)))
        if settings.owners:
            said = "|".join(_phrase(each) for each in settings.owners)
            signs = r"copyright|©|\(c\)|spdx-filecopyrighttext|all rights reserved"
            expression = rf"(?i)(?:{signs})[^\n]{{0,60}}(?:{said})[^\n]{{0,60}}"
            self._expressions.append(("copyright", "a copyright of the company", compiled(expression)))
        self._registry: Registry | None = None
        if settings.registered is not None:
            try:
                self._registry = Registry.load(settings.registered)
            except OSError as error:
                raise ValueError(f"{settings.registered} cannot be read: {error.strerror}") from None

    def look(self, passages: Sequence[Passage], asked: Asked) -> list[Finding]:
        found: list[Finding] = []
        for index, passage in enumerate(passages):
            text = passage.text
            for category, reason, expression in self._expressions:
                if expression.search(text) is not None:
                    found += (
                        Finding(index, each.start(), each.end(), category, 0.9, reason)
                        for each in expression.finditer(text)
                    )
            if self._registry is not None:
                found += self._known(self._registry, index, text)
        return found

    def _known(self, registry: Registry, index: int, text: str) -> list[Finding]:
        data = text.encode("utf-8", "surrogatepass")
        found = []
        for start, end, rows in registry.find(data):
            reason = f"{rows} rows of its words stand in registered files"
            score = min(0.5 + rows / 20, 1.0)
            found.append(Finding(index, _place(data, start), _place(data, end), "registered", score, reason))
        return found


def _phrase(said: str, *, case: bool = False) -> str:
    words = OTHERS.join(re.escape(word) for word in said.split())
    begin, end = (r"\b" if each.isalnum() else "" for each in (said.strip()[0], said.strip()[-1]))
    return f"{begin}{words.upper()}{end}" if case else f"(?i:{begin}{words}{end})"


def _place(data: bytes, at: int) -> int:
    return len(data[:at].decode("utf-8", "surrogatepass"))
