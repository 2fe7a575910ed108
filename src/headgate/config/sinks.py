"""Where records are sent: the sinks of a configuration, each with its class found and its settings read."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import pydantic
from pydantic import SecretStr, WithJsonSchema
from pydantic_core import PydanticCustomError

from headgate.core.plugin import BARE, PluginNotFound, load
from headgate.records.clickhouse import ClickHouseSettings
from headgate.records.dispatch import Sending, Settings
from headgate.records.sinks import sink

FOLDER = "records.sinks"
Tell = Callable[..., None]
"""Called with a path, a message and a hint."""
KIND = {"type": "object", "required": ["kind"]}


def read(value: Any) -> sink.Settings:
    """Of a mapping with its `kind` in it."""
    if isinstance(value, sink.Settings):
        return value
    kind = value.get("kind") if isinstance(value, dict) else None
    if not isinstance(kind, str):
        raise PydanticCustomError("sink", "a sink is a mapping that says what it is: `{{kind: file, path: …}}`")
    try:
        loaded = load(FOLDER, kind, sink.Sink)  # type: ignore[type-abstract]  # python/mypy#4717
    except PluginNotFound as error:
        told = error.message if BARE.match(kind) else "its `kind` cannot be loaded"
        raise PydanticCustomError("sink", "{told}; {hint}", {"told": told, "hint": error.hint}) from None
    settings = loaded.Settings.model_validate({name: inner for name, inner in value.items() if name != "kind"})
    settings._kind = kind
    return settings


Entry = Annotated[pydantic.SerializeAsAny[sink.Settings], pydantic.PlainValidator(read), WithJsonSchema(KIND)]


def check(entries: Sequence[sink.Settings], tell: Tell) -> None:
    """Tell what is wrong among them."""
    names: set[str] = set()
    for index, entry in enumerate(entries):
        if entry.known_as in names:
            place = ("records", "sinks", index, "name")
            tell(place, "another sink has the same name", "give each a `name` of its own")
        names.add(entry.known_as)


def searched(entries: Sequence[sink.Settings], name: str | None) -> ClickHouseSettings | None:
    """The sink of this name, if it is one that can be searched."""
    found = next((entry for entry in entries if entry.known_as == name), None)
    return found if isinstance(found, ClickHouseSettings) else None


def check_search(entries: Sequence[sink.Settings], name: str | None, tell: Tell) -> None:
    """Tell why there is nothing to search in."""
    found = searched(entries, name)
    place = ("records", "search")
    if name is not None and found is None:
        tell(
            place,
            "it names no sink of the kind `clickhouse`",
            "write the name of one, which is `clickhouse` if left out",
        )
    elif found is not None and (found.fields or found.without or found.where or found.where_not):
        hint = "take `fields`, `without`, `where` and `where_not` out of it, or use another sink"
        tell(place, "the sink does not get all of the records", hint)


def lacking(entry: sink.Settings) -> tuple[str, str] | None:
    """A library that a sink needs and this installation has not, and the extra that brings it."""
    kind = load(FOLDER, entry.kind, sink.Sink)  # type: ignore[type-abstract]  # python/mypy#4717
    missing = [each for each in kind.needs.items() if not _there(each[0])]
    return missing[0] if missing else None


def _there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def sending(data_dir: Path, entries: Sequence[sink.Settings]) -> Settings:
    """What the process that sends is told, secrets included."""
    return Settings(str(data_dir), [Sending(entry.known_as, entry.kind, _plain(entry)) for entry in entries])


def _plain(value: Any) -> Any:
    if isinstance(value, pydantic.BaseModel):
        return {name: _plain(getattr(value, name)) for name in value.model_fields_set}
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, Path) else value
