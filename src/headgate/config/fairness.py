"""What models are asked to see whether they answer alike whoever it is about."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field, SecretStr, model_validator

from headgate.config.section import Section
from headgate.core.effort import parted
from headgate.core.plugin import suggestion

if TYPE_CHECKING:
    from headgate.config.schema import Config

SUBJECTS = ("hiring", "credit", "advice", "portrait")
DIMENSIONS = ("gender", "origin", "age", "religion", "disability", "nationality")


def _about_somebody(question: str) -> str:
    if "{person}" not in question:
        raise ValueError("it says nowhere `{person}`, where the person is to stand")
    return question


Question = Annotated[str, Field(max_length=4000), AfterValidator(_about_somebody)]
Person = Annotated[str, Field(min_length=1, max_length=200)]


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
    url: str | None = Field(
        None,
        pattern=r"^https?://",
        description="Where they are asked, such as `https://gateway.example`, by the name in its certificate. Left "
        "out: at the port of this gateway.",
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
    own_dimensions: dict[str, dict[str, Annotated[list[Person], Field(min_length=1)]]] = Field(
        default_factory=dict, description="Groups of your own, by dimension: who stands for each."
    )
    most_requests: int = Field(600, ge=10, le=100_000, description="Questions to one model in a round, at the most.")
    max_tokens: int = Field(200, ge=10, le=4000, description="Tokens of an answer.")

    @model_validator(mode="after")
    def _two(self) -> Fairness:
        for name, groups in self.own_dimensions.items():
            if len(groups) < 2:
                raise ValueError(f"the dimension {name} needs two groups to compare")
            if len(groups) > self.most_requests:
                raise ValueError(f"the dimension {name} has more groups than most_requests")
        _known("subjects", self.subjects, (*SUBJECTS, *self.own_subjects))
        _known("dimensions", self.dimensions, (*DIMENSIONS, *self.own_dimensions))
        if self.every is not None and (self.key is None or not self.models):
            raise ValueError("what is asked now and then (`every`) needs a `key` and `models`")
        return self


def _known(what: str, said: list[str] | None, known: tuple[str, ...]) -> None:
    for name in said or ():
        if name not in known:
            raise ValueError(f"there is no `{name}` among {what}; {suggestion(name, known)}")


def check(
    config: Config, tell: Callable[..., None], allowed: Callable[[Any, str], None], ruled: Container[str]
) -> None:
    """`allowed` tells of a model that there is not; `ruled` are names that rules give."""
    for place, model in enumerate(config.fairness.models):
        name = parted(model, config.models)[0]
        if name not in ruled:
            allowed(("fairness", "models", place), name)
    if config.fairness.every is not None and not config.records.store:
        hint = "set it to true, or leave `every` out"
        tell(("records", "store"), "answers to the questions of `fairness` are kept in the database of records", hint)
