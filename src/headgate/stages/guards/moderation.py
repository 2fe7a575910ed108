"""Whether a text is harmful, as a moderation model behind the gateway says it.

https://platform.openai.com/docs/api-reference/moderations, https://docs.mistral.ai/capabilities/guardrailing/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec
import pydantic

from headgate.core.errors import GuardUnavailable
from headgate.core.guard import Asked, Finding, Help, Passage
from headgate.stages.guard.asking import Asking, pieces, read, several
from headgate.stages.guards.guard import GuardSettings

MOST = 32
"""Texts in one request."""
LONGEST = 10_000
"""Characters of one: models read some 8,000 tokens of a text at least, and tell more of a shorter one."""


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
    categories: dict[str, bool | None]
    category_scores: dict[str, float | None] = {}
    flagged: bool = False


class _Answer(msgspec.Struct):
    results: list[_Result]


class Moderation(Asking):
    """Categories are the model's own (`violence`, `self-harm/intent`), `flagged` where it names none; each text gets a
    verdict, long ones in pieces of 10,000 characters, and 32 go in one request."""

    Settings = ModerationSettings

    def __init__(self, settings: ModerationSettings) -> None:
        super().__init__(settings.remember)
        self._model = settings.model
        self._key = settings.key
        self._thresholds = settings.thresholds

    async def judged(self, passages: Sequence[Passage], asked: Asked) -> Sequence[Iterable[Finding]]:
        if asked.help is None:
            raise GuardUnavailable("nobody else is asked here")
        shown = [(place, *part) for place, each in enumerate(passages) for part in pieces(each.text, LONGEST)]
        batches = [[text for _, _, text in shown[at : at + MOST]] for at in range(0, len(shown), MOST)]
        said = await several(self._ask(asked.help, texts) for texts in batches)
        found: list[dict[Finding, None]] = [{} for _ in passages]
        for (place, start, text), result in zip(shown, (each for batch in said for each in batch), strict=True):
            found[place].update(dict.fromkeys(self._findings(start, start + len(text), result)))
        return found

    async def _ask(self, help: Help, texts: Sequence[str]) -> list[_Result]:
        said = read(await help.ask("moderation", {"model": self._model, "input": texts}, self._key), _Answer)
        if len(said.results) != len(texts) or not all(each.categories for each in said.results):
            raise GuardUnavailable("the moderation model gave no verdict for each text")
        results: list[_Result] = said.results
        return results

    def _findings(self, start: int, end: int, said: _Result) -> Iterator[Finding]:
        found = False
        for category in dict.fromkeys((*said.categories, *self._thresholds)):
            score, least = said.category_scores.get(category), self._thresholds.get(category)
            flagged = said.categories.get(category)
            found = found or bool(flagged)
            if flagged if least is None or score is None else score >= least:
                yield Finding(0, start, end, category, 1.0 if score is None else score, f"moderation: {category}")
        if said.flagged and not found:
            yield Finding(0, start, end, "flagged", reason="moderation: the model does not say why")
