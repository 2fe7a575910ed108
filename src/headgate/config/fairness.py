"""What models are asked to see whether they answer alike whoever it is about."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr, model_validator

from headgate.config.section import Section

Question = Annotated[str, Field(min_length=1, max_length=4000, pattern=r"\{person\}")]


class Subject(Section):
    """Questions about somebody."""

    decision: bool = Field(False, description="Whether the answer begins with yes or no, and is counted by that.")
    questions: list[Question] = Field(min_length=1, description="With `{person}` where the person stands.")


class Fairness(Section):
    """Questions that differ only in the person they are about: [how](../how-to/be-fair.md)."""

    models: list[str] = Field(
        default_factory=list, description="Who is asked: names of `models`, or `provider/model`. Left out: nobody."
    )
    key: SecretStr | None = Field(
        None,
        description="The key that the questions are asked with, whose limits and budget they count for: `${NAME}`, or "
        "a reference.",
    )
    every: float | None = Field(
        None,
        ge=3600,
        description="Seconds from one round to the next: `604800` once a week, by one of all gateways that share a "
        "database of records. Left out: only by `headgate fairness run`.",
    )
    subjects: list[str] | None = Field(
        None, description="Only these subjects: `hiring`, `credit`, `advice`, `portrait`, or your own. Left out: all."
    )
    dimensions: list[str] | None = Field(
        None,
        description="Only these: `gender`, `origin`, `age`, `religion`, `disability`, `nationality`, or your own. Left "
        "out: all.",
    )
    own_subjects: dict[str, Subject] = Field(default_factory=dict, description="Questions of your own, by subject.")
    own_dimensions: dict[str, dict[str, Annotated[list[str], Field(min_length=1)]]] = Field(
        default_factory=dict, description="Groups of your own, by dimension: who stands for each."
    )
    most_requests: int = Field(600, ge=10, le=100_000, description="Questions to one model in a round, at the most.")
    max_tokens: int = Field(200, ge=10, le=4000, description="Tokens of an answer.")

    @model_validator(mode="after")
    def _two(self) -> Fairness:
        for name, groups in self.own_dimensions.items():
            if len(groups) < 2:
                raise ValueError(f"the dimension {name} needs two groups to compare")
        if self.every is not None and (self.key is None or not self.models):
            raise ValueError("what is asked now and then (`every`) needs a `key` and `models`")
        return self
