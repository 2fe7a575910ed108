"""Generalisations about groups of people: what they are said to be, able to, or fit for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import pydantic
import yaml

from headgate.core.guard import Asked, Finding, Passage
from headgate.stages.guards.guard import Guard, GuardSettings, compiled

BLANK = re.compile(r"(\\.|\[[^\]]*\])| ")
"""A blank of an expression, not one among the characters of a class."""
FILE = Path(__file__).with_name("lists") / "bias.yaml"
Words = Annotated[list[Annotated[str, pydantic.Field(min_length=1, max_length=200)]], pydantic.Field(min_length=1)]


class BiasSettings(GuardSettings):
    groups: dict[str, Words] = pydantic.Field(
        default_factory=dict, description="Further words for groups, by category: `{region: [northerners]}`."
    )


class Bias(Guard):
    """By words for groups (gender, ethnicity, religion, age, disability, orientation, nationality) and what is claimed
    of all of them, in English and German. Sentences that report, doubt or reject a claim are passed over where that is
    said before it; what is meant between the lines is not found."""

    Settings = BiasSettings
    needs = {"re2": "guard"}
    usual = "flag"
    hold = 240

    def __init__(self, settings: BiasSettings) -> None:
        read = yaml.safe_load(FILE.read_text("utf-8"))
        groups = {**read["groups"]}
        for category, words in settings.groups.items():
            groups[category] = [*groups.get(category, ()), *map(_quoted, words)]
        self._doubt = compiled("|".join(read["doubt"]), case=False)
        self._expressions: list[tuple[str, Any]] = [
            (category, compiled("|".join(_filled(each, words) for each in read["claims"]), case=False))
            for category, words in groups.items()
        ]

    def look(self, passages: Sequence[Passage], asked: Asked) -> Iterable[Finding]:
        for index, passage in enumerate(passages):
            text = passage.text
            for category, expression in self._expressions:
                if expression.search(text) is None:
                    continue
                for match in expression.finditer(text):
                    start, end = match.span()
                    if self._doubt.search(text[_sentence(text, start) : start + 1]) is None:
                        yield Finding(index, start, end, category, 0.8, "a claim about all of a group")


def _quoted(word: str) -> str:
    import re2

    return str(re2.escape(word))


def _filled(claim: str, words: Sequence[str]) -> str:
    """However it is spaced: lines of a reply break anywhere."""
    return BLANK.sub(lambda found: found[1] or r"\s+", claim.replace("GROUP", f"(?:{'|'.join(words)})"))


def _sentence(text: str, at: int) -> int:
    """Where the sentence begins that this is in."""
    return max(text.rfind(sign, max(at - 200, 0), at) for sign in ".!?\n") + 1
