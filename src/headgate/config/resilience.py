"""What happens when targets fail."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from headgate.config.section import Section
from headgate.core.plan import WAYS


def _failure(value: object) -> str:
    text = str(value)
    if text not in WAYS and not (len(text) == 3 and text.isdigit() and "400" <= text < "600"):
        known = ", ".join(WAYS)
        raise PydanticCustomError(
            "failure", "not a failure: write a status from 400 to 599, or one of {known}", {"known": known}
        )
    return text


Failure = Annotated[str, BeforeValidator(_failure)]


def _at_least(most: float, info: ValidationInfo, least: str) -> float:
    """Raises PydanticCustomError where the field `least` says more."""
    said = info.data.get(least)
    if said is not None and most < said:
        told = {"most": f"{most:g}", "least": least, "said": f"{said:g}"}
        raise PydanticCustomError(
            "least", "{most} is less than `{least}`, which is {said}; write as much or more", told
        )
    return most


class Retry(Section):
    """What happens when a target fails before its first bytes."""

    attempts: int = Field(
        3,
        ge=1,
        le=100,
        description="Attempts of a request after which no target is asked again; each one is asked once in any case.",
    )
    backoff: float = Field(
        0.2, ge=0, le=3600, description="Seconds waited, at most, before a target's second turn; doubles each time."
    )
    max_backoff: float = Field(
        5.0,
        ge=0,
        le=3600,
        validate_default=True,
        description="Most seconds waited; a target that asks for more (`retry-after`) is not tried again.",
    )
    budget: float = Field(
        0.2,
        ge=0,
        le=100,
        description="Most repetitions at a target that has failed, as a share of the requests it had within ten "
        "seconds: an outage is not made worse by them. Going on to another target is no repetition.",
    )
    least: int = Field(10, ge=0, le=1_000_000, description="Repetitions a target may have in ten seconds in any case.")
    ways: dict[Failure, Literal["again", "next", "stop"]] = Field(
        default_factory=dict,
        description="What follows a failure, by the provider's status or what happened: the same target may be tried "
        "`again`, only the `next` ones are, or the client is told (`stop`). Left out: "
        + ", ".join(f"`{name}: {way}`" for name, way in WAYS.items())
        + ".",
    )

    @field_validator("max_backoff")
    @classmethod
    def _at_least_one(cls, most: float, info: ValidationInfo) -> float:
        return _at_least(most, info, "backoff")


class Breaker(Section):
    """When a target that fails is left alone, and for how long."""

    enabled: bool = Field(True, description="Leave targets alone that fail, and keys that are refused.")
    check: bool = Field(
        False,
        description="Ask a target that has rested a small question of the gateway's own, which costs a few tokens, "
        "instead of waiting for a client's request to be the probe.",
    )
    failures: int = Field(
        5,
        ge=1,
        le=1_000_000,
        description="Failures in a row after which it is taken for broken: it gets no requests, also where there is "
        "no other target.",
    )
    error_rate: float = Field(
        0.5,
        gt=0,
        le=1,
        description="Share of failures within thirty seconds from which others are asked instead, if there are any.",
    )
    slow_rate: float = Field(
        0.5, gt=0, le=1, description="The same for answers that took longer than the target's `slow_after`."
    )
    least: int = Field(10, ge=1, le=1_000_000, description="Answers and failures without which no share is believed.")
    rest: float = Field(
        5.0,
        gt=0,
        le=86400,
        description="Seconds after which one request is let through as a probe; doubled each time it fails.",
    )
    most_rest: float = Field(
        120.0, gt=0, le=86400, validate_default=True, description="Most seconds between two probes."
    )

    @field_validator("most_rest")
    @classmethod
    def _at_least_one(cls, most: float, info: ValidationInfo) -> float:
        return _at_least(most, info, "rest")
