"""An answer is JSON, as a schema has it; what is nearly that is mended, or asked for again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pydantic

from headgate.core.guard import Asked, Finding, Passage
from headgate.stages.guard.fitting import Fitting
from headgate.stages.guards.guard import Guard, GuardSettings

AGAIN = """Your answer was not taken: it has to be JSON that fits the schema, and nothing else. What is wrong with it:
{}
Give all of the answer again, with that put right."""
SAID = frozenset({
    "text", "content", "response", "delta", "outputText", "generation", "generated_text", "completion", "refusal",
})  # fmt: skip
"""Fields in which answers stand, whole and streamed."""
BESIDE = frozenset({"logprobs", "logprobsResult", "groundingMetadata", "citationMetadata", "annotations", "citations"})


class SchemaSettings(GuardSettings):
    json_schema: dict[str, Any] = pydantic.Field(
        alias="schema",
        description="The [JSON schema](https://json-schema.org) that an answer has to fit; `{}` takes any JSON. "
        "Its patterns are RE2's, so that no answer takes long, where `headgate[guard]` is there and RE2 knows them.",
    )
    mend: bool = pydantic.Field(
        True,
        description="Give what is meant where an answer is JSON in a fence or among words, has a comma too many, or "
        "breaks off: brackets are closed, if what comes of it fits the schema.",
    )
    retry: int = pydantic.Field(
        0,
        ge=0,
        le=5,
        description="How often the model is asked again, with its answer and what is wrong with it, before `then` "
        "follows. Each answer is paid for. Nothing of an answer is given before its end.",
    )


class Schema(Guard):
    """Of answers, whole or streamed: nothing of a stream is given before its end. What was mended takes the answer's
    place; what cannot be is asked for again, `retry` times, and blocked."""

    Settings = SchemaSettings
    needs = {"jsonschema": "schema"}
    sides = frozenset({"reply"})
    usual = "block"
    changes = True
    hold = None

    def __init__(self, settings: SchemaSettings) -> None:
        self._fitting = Fitting(settings.json_schema)
        self._mend = settings.mend
        self.retries = settings.retry

    def look(self, passages: Sequence[Passage], asked: Asked) -> Iterable[Finding]:
        for index, passage in enumerate(passages):
            if passage.part != "text" or not passage.text.strip() or not is_answer(passage.path):
                continue
            text = passage.text
            wrong, mended = self._fitting.looked(text, mend=self._mend)
            if mended is not None:
                why = f"mended: {wrong[0].why}"
                yield Finding(index, 0, len(text), "mended", reason=why, action="replace", instead=mended)
            elif wrong:
                told = AGAIN.format("\n".join(f"- {each.told}" for each in wrong))
                yield Finding(index, 0, len(text), "not_as_schema", reason=wrong[0].why, advice=told)


def is_answer(path: Sequence[Any]) -> bool:
    """Whether what stands there is what the model says: not a source, a date, or the score of a token."""
    words = [step for step in path if isinstance(step, str)]
    return not words or (words[-1] in SAID and BESIDE.isdisjoint(words))
