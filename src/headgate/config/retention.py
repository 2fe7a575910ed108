"""How long what was written is kept, and what is held although its time is over."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated

from pydantic import Field

from headgate.config.moments import Moment
from headgate.config.payloads import DataClass
from headgate.config.section import Section

Days = Annotated[int, Field(ge=1, le=36_500)]
Tell = Callable[..., None]
"""Called with a path, a message and a hint."""


class Kept(Section):
    """Days that data of a team, or of a class, are kept."""

    records_days: Days | None = Field(
        None, description="Days that records of requests are kept, with their payloads. Left out: as everybody's."
    )
    payloads_days: Days | None = Field(
        None, description="Days that payloads (what was asked and answered) are kept. Left out: as everybody's."
    )


class Retention(Section):
    """Days that what was written is kept; what is older is purged within the hour. Left out: for ever."""

    records_days: Days | None = Field(None, description="Days that records of requests are kept, with their payloads.")
    payloads_days: Days | None = Field(
        None, description="Days that payloads (what was asked and answered) are kept, where there are any."
    )
    sums_days: Days | None = Field(
        None, description="Days that the hourly sums are kept, by which is charged for what was used."
    )
    audit_days: Days | None = Field(None, description="Days that the audit of changes is kept.")
    data_classes: dict[DataClass, Kept] = Field(
        default_factory=dict,
        description="Of data of a class (`data_class`), by its name, in place of what holds for everybody. Where the "
        "team says its own number, too (`retention`), the smaller one counts.",
    )


class Hold(Section):
    """What is neither purged nor deleted, although its time is over or somebody asks for it: all that fits whatever is
    said here."""

    reason: str = Field(min_length=1, max_length=1000, description="Why, for people: the number of a case.")
    user: str | None = Field(None, description="Requests with keys of this user.")
    end_user: str | None = Field(None, description="Requests that name this end user.")
    team: str | None = Field(None, description="Requests with keys of this team.")
    application: str | None = Field(None, description="Requests with keys of this application.")
    key: str | None = Field(None, description="Requests with the key of this name.")
    requests: list[str] | None = Field(None, min_length=1, max_length=1000, description="The requests of these ids.")
    since: Moment | None = Field(None, description="Requests that came in at this time or later.")
    until: Moment | None = Field(None, description="Requests that came in before this time.")

    @property
    def says(self) -> bool:
        """Whether it says anything of what is held."""
        return any(getattr(self, name) is not None for name in type(self).model_fields if name != "reason")


def check(holds: Mapping[str, Hold], tell: Tell) -> None:
    """Tell what is wrong with holds."""
    for name, hold in holds.items():
        if not hold.says:
            tell(("holds", name), "it says nothing of what is held", "say whose requests, which, or from when")
        if hold.since is not None and hold.until is not None and hold.since >= hold.until:
            tell(("holds", name, "until"), "it ends before it begins", "`since` comes before `until`")
