"""Whether what an answer says is in what was given to it: its numbers, names and words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import pydantic

from headgate.core.guard import Asked, Finding, Part, Passage
from headgate.stages.guards.guard import Guard, GuardSettings

GIVEN = "grounded"
GIVING: tuple[Part, ...] = ("document", "tool_result", "system")
SENTENCE = re.compile(r"[^.!?\n]*(?:[.!?](?=\d)[^.!?\n]*)*(?:[.!?]+|\n|\Z)")
NUMBER = re.compile(r"\d+(?:[.,:/]\d+)*")
WORD = re.compile(r"[^\W\d_]{3,}")
MOST = 200_000
"""Characters of what was given that are read."""
_SMALL = """
the and for are was were with that this from have has had not but you your its our their they them will would can could
should may might must been being than then there here what which who whom whose when where why how all any each more
most other some such only own same too very just also into over under again once about between during der die das und
oder aber den dem des ein eine einen einem einer eines ist sind war waren mit von für auf aus bei nach nicht auch noch
wie was wer wird werden hat haben kann können zum zur les des une est sont dans pour par sur avec que qui pas plus ont
los las una por con para del como más son
"""
SMALL = frozenset(_SMALL.split())
"""Words that say nothing of what a sentence is about."""


class GroundedSettings(GuardSettings):
    given: list[Part] = pydantic.Field(
        default_factory=lambda: list(GIVING),
        min_length=1,
        description="Parts of the request that an answer may lean on; `text` are the messages themselves.",
    )
    least: float = pydantic.Field(
        0.5, ge=0, le=1, description="Share of a sentence's words that must be among those given, names above all."
    )
    shortest: int = pydantic.Field(4, ge=1, description="Words from which on a sentence is looked at.")


class Grounded(Guard):
    """A sentence is told that has a number that was not given, or too few of the words that were. It compares words
    and knows nothing of what they mean: a contradiction in the same words passes, a free retelling may not. Where
    nothing was given, it has nothing to say."""

    Settings = GroundedSettings
    compares = True
    usual = "flag"
    hold = None

    def __init__(self, settings: GroundedSettings) -> None:
        self._settings = settings

    def look(self, passages: Sequence[Passage], asked: Asked) -> Iterable[Finding]:
        if passages and passages[0].side == "request":
            self._hear(passages, asked)
            return
        words, numbers = asked.notes.get(GIVEN, (frozenset(), frozenset()))
        if not words:
            return
        for index, passage in enumerate(passages):
            if passage.part == "text":
                yield from self._told(index, passage.text, words, numbers)

    def _hear(self, passages: Sequence[Passage], asked: Asked) -> None:
        given = [passage.text for passage in passages if passage.part in self._settings.given]
        text = "\n".join([*given, asked.instructions] if "system" in self._settings.given else given)[:MOST]
        numbers = frozenset(_plain(each) for each in NUMBER.findall(text))
        asked.notes[GIVEN] = frozenset(stem(each) for each in WORD.findall(text)), numbers

    def _told(self, index: int, text: str, words: frozenset[str], numbers: frozenset[str]) -> Iterable[Finding]:
        for match in SENTENCE.finditer(text):
            said = match.group()
            strange = [each for each in NUMBER.findall(said) if _plain(each) not in numbers]
            own = [stem(each) for each in WORD.findall(said) if each.lower() not in SMALL]
            if strange and (len(own) >= 2 or len(strange) > 1):
                yield Finding(index, *match.span(), "number_not_given", 0.9, "a number that was not given")
            elif len(own) >= self._settings.shortest:
                share = sum(each in words for each in own) / len(own)
                if share < self._settings.least:
                    reason = f"{share:.0%} of its words were given"
                    yield Finding(index, *match.span(), "not_grounded", round(1 - share, 3), reason)


def stem(word: str) -> str:
    """Without an ending, as far as that can be told in a few languages."""
    word = word.lower()
    for end in ("ing", "ed", "es", "en", "er", "s", "e"):
        if word.endswith(end) and len(word) - len(end) >= 4:
            return word[: -len(end)]
    return word


def _plain(number: str) -> str:
    """One and the same however its thousands are parted."""
    return re.sub(r"[.,](?=\d{3}\b)", "", number)
