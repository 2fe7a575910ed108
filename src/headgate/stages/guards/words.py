"""Words and phrases of your own, by category: names of projects, competitors, what nobody is to say."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic

from headgate.core.guard import Asked, Finding, Passage
from headgate.stages.guards.guard import Guard, GuardSettings, compiled, seen, within

UNSPACED = "\u0e00"
"""From here on (Thai, Chinese, Japanese, Korean) words stand in a text without anything around them."""
SPACES = 8
"""White space that may stand between the words of a phrase."""
REST = 40
"""Letters after the beginning of a word."""
FORMS: tuple[Literal["NFC", "NFD"], ...] = ("NFC", "NFD")
Word = Annotated[str, pydantic.Field(min_length=1, max_length=500)]


class WordsSettings(GuardSettings):
    words: dict[str, Annotated[list[Word], pydantic.Field(min_length=1)]] = pydantic.Field(
        default_factory=dict,
        description="By the name of a category: words and phrases; `indemnif*` is every word that begins so. A blank "
        "is any white space.",
    )
    lists: list[Literal["profanity", "abuse"]] = pydantic.Field(
        default_factory=list,
        description="Lists that are there, in English, German, French and Spanish: `profanity` (coarse words), `abuse` "
        "(insults and threats). They know words, not what is meant by them.",
    )
    case: bool = pydantic.Field(False, description="Whether capitals matter.")
    accents: bool = pydantic.Field(
        True, description="Whether accents matter. If not, `Jose` is found in `José`, and `José` in `Jose`."
    )


class Words(Guard):
    """Whole words only: `art` is not found in `party`. A phrase may be broken over lines."""

    Settings = WordsSettings
    needs = {"re2": "guard"}

    def __init__(self, settings: WordsSettings) -> None:
        self._expressions: list[tuple[str, Any]] = []
        every: dict[str, list[str]] = {**settings.words}
        for name in settings.lists:
            every[name] = [*every.get(name, ()), *listed(name)]
        if not every:
            raise ValueError("there are no words: say `words`, or `lists`")
        for category, words in every.items():
            stems = [word.strip() for word in words if word.strip(" *")]
            if settings.accents:  # a letter with an accent is one sign, or two
                stems = list(dict.fromkeys(unicodedata.normalize(form, each) for each in stems for form in FORMS))
            if not stems:
                raise ValueError(f"the category {category} has no words")
            expression = "|".join(_pattern(stem, settings.accents) for stem in stems)
            self._expressions.append((category, compiled(expression, longest=True, case=settings.case)))
        longest = max(_length(word) for words in every.values() for word in words)
        self.hold = longest if settings.accents else 2 * longest  # accents may be letters that follow

    def look(self, passages: Sequence[Passage], asked: Asked) -> Iterable[Finding]:
        # one search in all of them is a fifth of the cost of one in each, and mostly there is nothing in any
        texts = [seen(passage.text) for passage in passages]
        together = "\n".join([text for text, _ in texts]).encode("utf-8", "replace")
        likely = [each for each in self._expressions if each[1].search(together) is not None]
        found: list[Finding] = []
        for index, (text, places) in enumerate(texts if likely else ()):
            for category, expression in likely:
                if expression.search(text) is None:
                    continue
                for match in expression.finditer(text):
                    start, end = match.span()
                    if not (_joined(text, start) or _joined(text, end)):
                        found.append(Finding(index, *within(places, start, end), category, reason="a word of the list"))
        return found


def listed(name: str) -> list[str]:
    """The words of a list that is there."""
    lines = Path(__file__).with_name("lists").joinpath(f"{name}.txt").read_text("utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _pattern(word: str, accents: bool) -> str:
    """Its expression. RE2's \\b knows the letters of ASCII only, the others are looked at where something is found."""
    import re2

    stem = word.removesuffix("*").rstrip()
    parts = rf"[\s\x{{a0}}]{{1,{SPACES}}}"
    begins = r"\b" if accents and _plain(stem[0]) else ""
    ends = rf"[\pL\pN_]{{0,{REST}}}" if word.endswith("*") else r"\b" if accents and _plain(stem[-1]) else ""
    return f"{begins}{parts.join(map(re2.escape if accents else _bare, stem.split()))}{ends}"


def _bare(word: str) -> str:
    """The expression of a word of which accents do not matter, whether they are letters of their own or follow them."""
    import re2

    signs = []
    for letter in unicodedata.normalize("NFKD", word):
        if not unicodedata.combining(letter):
            more = _accented().get(letter.lower(), "")
            signs.append(f"[{letter}{more}]\\pM{{0,2}}" if more else re2.escape(letter))
    return "".join(signs)


@cache
def _accented() -> dict[str, str]:
    """By the letter without it: Latin letters with an accent."""
    found: dict[str, str] = {}
    for letter in map(chr, range(0xC0, 0x250)):
        plain = unicodedata.normalize("NFKD", letter)[0].lower()
        if plain.isascii() and plain.isalpha():
            found[plain] = found.get(plain, "") + letter
    return found


def _length(word: str) -> int:
    """Characters that it may have in a text, and one more that shows where it ends."""
    return len(unicodedata.normalize("NFD", word)) + SPACES * word.count(" ") + (REST if word.endswith("*") else 0) + 1


def _plain(letter: str) -> bool:
    return letter.isascii() and (letter.isalnum() or letter == "_")


def _joined(text: str, at: int) -> bool:
    """Whether there are letters on both sides, of a writing that has white space between its words."""
    if not 0 < at < len(text):
        return False
    before, after = text[at - 1], text[at]
    return before.isalnum() and after.isalnum() and max(before, after) < UNSPACED
