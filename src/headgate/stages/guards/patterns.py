"""Regular expressions of your own, by category: customer numbers, ticket ids, internal hosts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import pydantic

from headgate.core.guard import Asked, Finding, Passage
from headgate.stages.guards.guard import Guard, GuardSettings, compiled, seen, within

Expression = Annotated[str, pydantic.Field(min_length=1, max_length=10_000)]


class PatternsSettings(GuardSettings):
    patterns: dict[str, Annotated[list[Expression], pydantic.Field(min_length=1)]] = pydantic.Field(
        min_length=1,
        description="By the name of a category: expressions in the [syntax of RE2]"
        "(https://github.com/google/re2/wiki/Syntax); a single one needs no list. Where one has a group, what the "
        "group holds is found.",
    )
    longest: int = pydantic.Field(
        64,
        ge=1,
        le=10_000,
        description="Characters that a finding has at the most. So many of a stream are held back before they are "
        "given: in the middle of a stream, of longer ones only the end may be found.",
    )

    @pydantic.field_validator("patterns", mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {name: [each] if isinstance(each, str) else each for name, each in value.items()}


class Patterns(Guard):
    """Searched in time proportional to the text, whatever the expressions are: there is none that a text can stall."""

    Settings = PatternsSettings
    needs = {"re2": "guard"}

    def __init__(self, settings: PatternsSettings) -> None:
        self.hold = settings.longest
        self._expressions: list[tuple[str, Any]] = []
        for category, expressions in settings.patterns.items():
            for number, expression in enumerate(expressions, 1):
                try:
                    made = compiled(expression)
                except ValueError as error:
                    raise ValueError(f"expression {number} of {category} is none of RE2's: {error}") from None
                if made.search("") is not None:
                    raise ValueError(f"expression {number} of {category} fits the empty text, and so any")
                self._expressions.append((category, made))

    def look(self, passages: Sequence[Passage], asked: Asked) -> Iterable[Finding]:
        found = []
        for index, passage in enumerate(passages):
            text, places = seen(passage.text)
            for category, expression in self._expressions:
                if expression.search(text) is None:
                    continue
                for match in expression.finditer(text):
                    start, end = match.span(1 if match.re.groups and match.group(1) is not None else 0)
                    if end > start:
                        found.append(Finding(index, *within(places, start, end), category, reason="fits a pattern"))
        return found
