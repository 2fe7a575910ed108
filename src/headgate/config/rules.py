"""Where requests go, by who asks for what and when."""

from __future__ import annotations

from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from headgate.config.section import Section
from headgate.config.targets import Policy, Target


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        if value != "UTC":
            raise PydanticCustomError("zone", "not a time zone this machine knows: write `Europe/Vienna`") from None
    return value


Zone = Annotated[str, AfterValidator(_zone)]
Words = Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)]


class Rule(Section):
    """Where a request goes, by who asks for what and when. Rules are tried in their order, and the first that fits
    decides: [how](../how-to/route-by-content.md)."""

    name: str = Field(min_length=1, max_length=100, description="Its name in records.")
    models: list[str] = Field(
        default_factory=lambda: ["auto"],
        min_length=1,
        description="The names that clients ask for and that it is about, be they in `models` or only here; a single "
        "one needs no list.",
    )
    when: str | None = Field(
        None, description="An expression in CEL that is true or false of a request. Left out: it fits every request."
    )
    use: str | None = Field(
        None, min_length=1, description="What the request gets: a name of `models`, or `provider/model`."
    )
    targets: list[Target] | None = Field(
        None, min_length=1, description="Or targets of its own; a single one needs no list."
    )
    policy: Policy | None = Field(
        None, description="In which order its targets are tried. Left out: as the name in `use` has it."
    )

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {**value, **{name: [value[name]] for name in ("models", "targets") if isinstance(value.get(name), str)}}


class Matching(Section):
    """What rules go by."""

    time_zone: Zone = Field("UTC", description="The zone of `hour`, `minute` and `weekday`: `Europe/Vienna`.")
    lists: dict[str, Words] = Field(
        default_factory=dict,
        description='Lists of words by a name of yours, for `mentions(prompt, "name")`; `indemnif*` is every word '
        "that begins so.",
    )
    topics: dict[str, Words] = Field(
        default_factory=dict,
        description="Example sentences by the topic's name, for `topic`: a prompt has the topic of the nearest one.",
    )
    embedding_model: str | None = Field(
        None,
        min_length=1,
        description="What tells how near sentences are: a name of `models`, or `provider/model`.",
    )
    topic_threshold: float = Field(
        0.3,
        ge=0,
        le=1,
        description="How like the nearest example a prompt must be. [How to choose it]"
        "(../how-to/route-by-content.md#topics).",
    )
    topic_timeout: float = Field(
        2.0, gt=0, le=60, description="Seconds for which a request waits for its topic, at most; then it has none."
    )
