"""Whether a text is harmful, as a moderation model behind the gateway says it.

https://platform.openai.com/docs/api-reference/moderations, https://docs.mistral.ai/capabilities/guardrailing/
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec
import pydantic

from headgate.core.errors import GuardUnavailable
from headgate.core.guard import Asked, Finding, Passage
from headgate.stages.guard.asking import Asking, read
from headgate.stages.guards.guard import GuardSettings

MOST = 32
"""Texts in one request."""


class ModerationSettings(GuardSettings):
    model: str = pydantic.Field(
        min_length=1,
        description="Who is asked: a name of `models`, or `provider/model`: `openai/omni-moderation-latest`.",
    )
    key: str | None = pydantic.Field(
        None,
        description="The name of a key whose questions they are: its models and its limits hold. Left out: no key's.",
    )
    thresholds: dict[str, float] = pydantic.Field(
        default_factory=dict,
        description="By category, the score from which on it counts: `{violence: 0.4}`. Others count where the model "
        "says so itself.",
    )
    remember: float = pydantic.Field(3600.0, ge=0, description="Seconds for which it is not asked of the same again.")


class _Result(msgspec.Struct):
    categories: dict[str, bool | None] = {}
    category_scores: dict[str, float | None] = {}


class _Answer(msgspec.Struct):
    results: list[_Result]


class Moderation(Asking):
    """Categories are the model's own (`violence`, `self-harm/intent`); each text gets a verdict, many go in one
    request."""

    Settings = ModerationSettings

    def __init__(self, settings: ModerationSettings) -> None:
        super().__init__(settings.remember)
        self._model = settings.model
        self._key = settings.key
        self._thresholds = settings.thresholds

    async def judged(self, passages: Sequence[Passage], asked: Asked) -> Sequence[Iterable[Finding]]:
        texts = [each.text for each in passages]
        if asked.help is None:
            raise GuardUnavailable("nobody else is asked here")
        found: list[list[Finding]] = []
        for start in range(0, len(texts), MOST):
            those = texts[start : start + MOST]
            said = read(await asked.help.ask("moderation", {"model": self._model, "input": those}, self._key), _Answer)
            if len(said.results) != len(those):
                raise GuardUnavailable("the moderation model gave no verdict for each text")
            found += [list(self._findings(text, each)) for text, each in zip(those, said.results, strict=True)]
        return found

    def _findings(self, text: str, said: _Result) -> Iterable[Finding]:
        for category, flagged in said.categories.items():
            score = said.category_scores.get(category)
            least = self._thresholds.get(category)
            if flagged if least is None or score is None else score >= least:
                yield Finding(0, 0, len(text), category, 1.0 if score is None else score, f"moderation: {category}")
