"""How much may be asked and spent: requests, tokens, money, by whom and when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from headgate.config.document import Path
from headgate.config.rules import Zone
from headgate.config.section import Section
from headgate.core.limits.meter import Meter, What
from headgate.core.limits.rule import Dimension, Rule, Then
from headgate.core.limits.window import Calendar, Every
from headgate.core.money import NANO
from headgate.providers.settings import Seconds

AMOUNTS: tuple[What, ...] = ("requests", "tokens", "input_tokens", "output_tokens", "money", "concurrency")
MOST = 10**15


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Names = Annotated[list[str], BeforeValidator(_listed)]
Count = Annotated[int | None, Field(ge=0, le=MOST)]


class Amount(Section):
    """One limit: how much, in which time, and what follows when it is used up. Exactly one of `requests`, `tokens`,
    `input_tokens`, `output_tokens`, `money` and `concurrency` says what is counted."""

    requests: Count = Field(None, description="Most requests.")
    tokens: Count = Field(None, description="Most tokens, of prompts and answers.")
    input_tokens: Count = Field(None, description="Most tokens of prompts.")
    output_tokens: Count = Field(None, description="Most tokens of answers.")
    money: Decimal | None = Field(None, ge=0, le=10**6, max_digits=16, decimal_places=9, description="Most US dollars.")
    concurrency: Count = Field(None, description="Most requests at the same time.")
    every: Every | None = Field(
        None, description="In which time: the calendar's second, minute, hour, day, week (from Monday) or month."
    )
    time_zone: Zone = Field("UTC", description="Whose days, weeks and months: `Europe/Berlin`.")
    burst: int | None = Field(
        None,
        ge=1,
        le=MOST,
        description="So many at once, and then as many as come free at the steady rate of the limit (10 every second: "
        "one each tenth of a second), instead of counting by the calendar.",
    )
    warn_at: float | None = Field(
        None, gt=0, lt=1, description="The share (`0.8`) from which on the log, a header and a metric warn, once."
    )
    then: Then = Field(
        "deny",
        description="What follows when there is no room: `deny` (429), `queue` (wait for it), `downgrade` (ask the "
        "model `use` instead), `warn` (say so, and let it pass).",
    )
    use: str | None = Field(None, description="The model to ask instead, where `then` is `downgrade`.")
    status: Literal[402, 422, 429] = Field(
        429, description="The HTTP status of a refusal; clients try again by themselves after 429."
    )
    unpriced: Literal["deny", "free"] = Field(
        "deny", description="Of `money`: what becomes of requests to a model whose price is not known."
    )
    queue: int = Field(100, ge=1, le=1_000_000, description="Most requests that wait, where `then` is `queue`.")
    queue_seconds: Seconds = Field(30.0, description="Most seconds that each of them waits.")

    @model_validator(mode="after")
    def _one(self) -> Amount:
        said = [name for name in AMOUNTS if getattr(self, name) is not None]
        if len(said) != 1:
            raise PydanticCustomError("amounts", "one amount")
        return self

    @property
    def what(self) -> What:
        return next(name for name in AMOUNTS if getattr(self, name) is not None)

    def rule(self, name: str, match: Mapping[Dimension, Sequence[str]], per: Sequence[Dimension]) -> Rule:
        """As it is kept to."""
        amount = getattr(self, self.what)
        window = None
        if self.every is not None and self.what != "concurrency":
            window = Calendar(self.every, UTC if self.time_zone == "UTC" else ZoneInfo(self.time_zone))
        meter = Meter(
            name, self.what, int(amount * NANO) if self.what == "money" else amount, window, self.burst, self.warn_at
        )
        matched = {dimension: frozenset(names) for dimension, names in match.items()}
        return Rule(
            meter, matched, tuple(per), self.then, self.use, self.status, self.unpriced, self.queue, self.queue_seconds
        )


class Limit(Amount):
    """A limit on requests of some, together or each by themselves."""

    name: str = Field(min_length=1, max_length=100, description="Name in answers, logs and metrics.")
    match: dict[Dimension, Names] = Field(
        default_factory=dict,
        alias="for",
        description="Whose requests count: `{team: research}`, `{model: [large, huge], tag: nightly}`; all of it has "
        "to fit. Left out: all requests.",
    )
    per: list[Dimension] = Field(
        default_factory=list,
        description="Who has a counter of their own: `[key]`, `[team, model]`, `[end_user]`. Left out: all together.",
    )


class Own(NamedTuple):
    """A limit that stands with whom it concerns."""

    path: Path
    what: Dimension
    name: str
    amount: Amount
    title: str

    @property
    def rule(self) -> Rule:
        return self.amount.rule(self.title, {self.what: [self.name]}, ())


def own(path: Path, what: Dimension, name: str, amounts: Sequence[Amount]) -> Iterator[Own]:
    """The limits of one organisation, team, application, user or key; `path` is its place."""
    for index, amount in enumerate(amounts):
        number = f" #{index + 1}" if index else ""
        yield Own((*path, "limits", index), what, name, amount, f"{what} {name}{number}")
