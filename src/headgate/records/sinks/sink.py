"""The contract of a sink, a system that records are sent to, and what every one can be told in the configuration."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, NamedTuple

import pydantic
from pydantic import Field
from pydantic_core import PydanticCustomError

from headgate.core.plugin import suggestion
from headgate.core.record import Record
from headgate.records.statements import Away, Unfit

__all__ = ["FIELDS", "Away", "Batch", "Item", "Refused", "Settings", "Sink", "Unfit"]

FIELDS = Record.__struct_fields__
PLAIN = frozenset(FIELDS) - {
    "attempts", "usage", "cost_parts", "saved", "cached", "lost", "decision", "counted", "judgment", "trace",
}  # fmt: skip
"""Fields that are a text, a number, or a list of texts."""
ALWAYS = ("id", "time")
"""Fields that no sink is without: by them a record is known that comes twice."""
STATUS = re.compile(r"[1-5](\d\d|xx)\Z", re.ASCII)
Seconds = Annotated[float, Field(gt=0, le=86400, allow_inf_nan=False)]


def _field(name: str) -> str:
    if name not in FIELDS:
        told = {"name": name[:60], "hint": suggestion(name, FIELDS)}
        raise PydanticCustomError("field", "records have no field `{name}`; {hint}", told)
    return name


def _plain(name: str) -> str:
    if _field(name) not in PLAIN:
        told = {"name": name, "hint": "it takes fields that are a text, a number, or a list of texts"}
        raise PydanticCustomError("field", "`{name}` is nothing to filter by; {hint}", told)
    return name


FieldName = Annotated[str, pydantic.AfterValidator(_field)]
PlainName = Annotated[str, pydantic.AfterValidator(_plain)]


def _listed(values: Any) -> Any:
    """Every value as a list of texts."""
    if not isinstance(values, dict):
        return values
    return {
        name: [_text(each) for each in (value if isinstance(value, list) else [value])]
        for name, value in values.items()
    }


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else value


def _statuses(values: dict[str, list[str]]) -> dict[str, list[str]]:
    for each in values.get("status", ()):
        if STATUS.match(each) is None:
            told = {"each": each[:20]}
            raise PydanticCustomError("status", "`{each}` is no status: write 429, or 5xx for a class", told)
    return values


Wanted = Annotated[dict[PlainName, list[str]], pydantic.BeforeValidator(_listed), pydantic.AfterValidator(_statuses)]


class Settings(pydantic.BaseModel):
    """What every sink can be told."""

    model_config = pydantic.ConfigDict(extra="forbid", hide_input_in_errors=True, validate_by_name=True)

    name: str = Field(
        "",
        pattern=r"^[A-Za-z0-9_.-]{0,64}$",
        description="Its name in metrics and commands; how far it is, is kept under it. Left out: its kind.",
    )
    fields: list[FieldName] | None = Field(
        None,
        min_length=1,
        description="The [fields](records.md) of a record that it gets; `id` and `time` always. Left out: all.",
    )
    without: list[FieldName] = Field(default_factory=list, description="Fields that it does not get.")
    where: Wanted = Field(
        default_factory=dict,
        description="Only records whose fields have one of these values: `{status: 5xx, team: [red, blue]}`. "
        "`target` may be a provider; of `tags`, one is enough.",
    )
    where_not: Wanted = Field(default_factory=dict, description="No records whose fields have one of these values.")
    batch_bytes: int = Field(
        1 << 20, ge=4096, le=256 << 20, description="Most bytes of records that are sent, and held in memory, at once."
    )
    batch_seconds: Seconds = Field(1.0, description="Seconds after which what there is is sent, if it is less.")
    _kind: str = pydantic.PrivateAttr("")

    @property
    def kind(self) -> str:
        """Of which sink they are: a file of this folder, or a dotted path."""
        return self._kind

    @property
    def known_as(self) -> str:
        """Its name."""
        return self.name or self._kind.rpartition(".")[2].rpartition(":")[2]

    def gets(self, field: str) -> bool:
        """Whether it gets a field of records."""
        return field in ALWAYS or ((self.fields is None or field in self.fields) and field not in self.without)


class Item(NamedTuple):
    """A record: its id, when it came in (Unix seconds), and its JSON, without what the sink is not to get."""

    id: str
    time: float
    line: bytes


class Batch(NamedTuple):
    """Records that are sent together; sent again, it has the same id and the same records."""

    id: str
    items: Sequence[Item]


class Refused(NamedTuple):
    """Some records of a batch that was taken, which never will be."""

    records: int
    why: str


class Sink(ABC):
    """Where records are sent; a subclass says how. One thread uses it, and it connects when it is first needed."""

    Settings: ClassVar[type[Settings]] = Settings
    needs: ClassVar[dict[str, str]] = {}
    """Modules of libraries that not every installation has, with the extra of headgate that brings each."""

    def __init__(self, settings: Any) -> None:
        self.settings = settings

    @abstractmethod
    def send(self, batch: Batch) -> Refused | None:
        """Returns when all are there for good, but for those that it says.

        Raises Away where they cannot be taken now, and the same batch is sent again; Unfit where this batch never
        will be, and its parts are tried.
        """

    def close(self) -> None:  # noqa: B027 - most have nothing to close
        """There is nothing more to send."""
