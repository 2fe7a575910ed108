"""Text that people do not see and models read: tags, no width, twins of letters, another order; base64 and its like."""

from __future__ import annotations

from collections.abc import Sequence

import pydantic

from headgate.core.guard import Asked, Finding, Passage
from headgate.stages.guards.guard import Guard, GuardSettings

LONGEST = 256
"""Characters of a stream that are held back."""


class HiddenTextSettings(GuardSettings):
    encoded: bool = pydantic.Field(
        False,
        description="Find readable text in base64, hex, Morse and the like, too, as `encoded_text`; it is told only, "
        "where `then` says nothing of it.",
    )


class HiddenText(Guard):
    """Usually it is taken out, and what is written in twins of letters is written in letters. What scripts and pictures
    need stays: joiners of Persian, Hindi and emoji, flags, words of two alphabets."""

    Settings = HiddenTextSettings
    needs = {"re2": "injection"}
    usual = "replace"
    reveals = True
    hold = LONGEST

    def __init__(self, settings: HiddenTextSettings) -> None:
        self._encoded = settings.encoded

    def look(self, passages: Sequence[Passage], asked: Asked) -> list[Finding]:
        from headgate.injection.reading import hidden, read, shown

        found = []
        for index, passage in enumerate(passages):
            text = passage.text
            for start, end, how in hidden(text):
                instead = shown(text[start:end], how)
                found.append(Finding(index, start, end, "hidden_text", 1.0, f"not seen: {how}", None, instead))
            if self._encoded:
                for start, end, how in read(text).encoded:
                    found.append(Finding(index, start, end, "encoded_text", 1.0, f"written in {how}", "flag"))
        return found
