"""Which records a sink gets, and which of their fields."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from headgate.core.record import Record
from headgate.records.sinks.sink import Item, Settings


class _Head(msgspec.Struct):
    id: str
    time: float


_head = msgspec.json.Decoder(_Head).decode
_record = msgspec.json.Decoder(Record).decode
_parts = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Selection:
    """As one sink's settings say; where they say nothing, lines pass as they are."""

    def __init__(self, settings: Settings) -> None:
        self._gets = settings.gets
        self._all = settings.fields is None and not settings.without
        self._where = [_test(name, values) for name, values in settings.where.items()]
        self._where_not = [_test(name, values) for name, values in settings.where_not.items()]

    def item(self, line: bytes) -> Item | None:
        """A line's record; None where the sink does not get it. Raises msgspec.DecodeError, UnicodeDecodeError."""
        line = line.lstrip(b"\0")  # zeros of a power cut, in front of a line that survived it
        if self._where or self._where_not:
            record = _record(line)
            if not all(test(record) for test in self._where) or any(test(record) for test in self._where_not):
                return None
        head = _head(line)
        return Item(head.id, head.time, self._picked(line))

    def _picked(self, line: bytes) -> bytes:
        if self._all:
            return line
        return msgspec.json.encode({name: part for name, part in _parts(line).items() if self._gets(name)})


def _test(name: str, values: Iterable[str]) -> Callable[[Record], bool]:
    wanted = frozenset(values)
    if name == "status":
        return lambda record: str(record.status) in wanted or f"{record.status // 100}xx" in wanted
    if name == "target":
        return lambda record: record.target in wanted or (record.target or "").partition("/")[0] in wanted
    return lambda record: _holds(getattr(record, name), wanted)


def _holds(value: Any, wanted: frozenset[str]) -> bool:
    if isinstance(value, list):
        return any(str(each) in wanted for each in value)
    if isinstance(value, bool):
        return str(value).lower() in wanted
    return value is not None and str(value) in wanted
