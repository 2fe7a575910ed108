"""Validators for schemas: nothing in them is fetched, and what somebody sends takes no long time, whatever it says."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import msgspec

from headgate.core.errors import GuardUnavailable
from headgate.stages.guards.guard import compiled

MOST = 0.1
"""Seconds of a processor that the texts of one reply may take."""
MEMORY = 1 << 20
"""Bytes that an expression may take."""
UNCHECKED = frozenset({"unevaluatedProperties", "unevaluatedItems", "$dynamicRef", "$recursiveRef"})
"""Keywords that are passed over: they go by others' expressions, or without end."""
Check = Callable[[Any, Any, Any, Mapping[str, Any]], Any]
_sorted = msgspec.json.Encoder(order="sorted").encode


class Clock:
    """How long texts may take that are looked at, and the kinds of validators that go by it."""

    def __init__(self, most: float = MOST, *, own: bool = False) -> None:
        """`own`: schemas are of the configuration: all of them is gone by, also by expressions that RE2 does not
        know."""
        self._most = most
        self._expression = _own if own else _foreign
        self._unchecked = frozenset() if own else UNCHECKED
        self._kinds: dict[Any, Any] = {}
        self.start()

    def start(self) -> None:
        self._until = time.thread_time() + self._most

    def look(self) -> None:
        """Raises GuardUnavailable when it is over."""
        if time.thread_time() > self._until:
            raise GuardUnavailable("it takes too long to look whether it fits the schema")

    def guarded(self, kind: Any) -> Any:
        """A kind of validator like this one, for a draft of JSON Schema."""
        found = self._kinds.get(kind)
        if found is None:
            own = {
                "pattern": self._pattern,
                "patternProperties": self._by_pattern,
                "additionalProperties": self._additional,
                "uniqueItems": _unique,
            }
            checks = {**kind.VALIDATORS, **own, **dict.fromkeys(self._unchecked, _unchecked)}
            found = self._kinds[kind] = _derived(kind, {name: self._timed(check) for name, check in checks.items()})
        return found

    def _timed(self, check: Check) -> Check:
        def step(validator: Any, wanted: Any, value: Any, schema: Mapping[str, Any]) -> Any:
            self.look()
            return check(validator, wanted, value, schema)

        return step

    def _pattern(self, validator: Any, wanted: Any, value: Any, schema: Mapping[str, Any]) -> Iterator[Any]:
        from jsonschema import ValidationError  # type: ignore[import-untyped]

        expression = self._expression(wanted) if isinstance(value, str) else None
        if expression is not None and not expression.search(value):
            yield ValidationError("it does not match")

    def _by_pattern(self, validator: Any, wanted: Any, value: Any, schema: Mapping[str, Any]) -> Iterator[Any]:
        for pattern, inner in wanted.items() if isinstance(value, dict) else ():
            self.look()
            expression = self._expression(pattern)
            for name, each in value.items() if expression is not None else ():
                if expression.search(name):
                    yield from validator.descend(each, inner, path=name, schema_path=pattern)

    def _additional(self, validator: Any, wanted: Any, value: Any, schema: Mapping[str, Any]) -> Iterator[Any]:
        from jsonschema import ValidationError

        if not isinstance(value, dict):
            return
        known = schema.get("properties", {})
        more = [name for name in value if name not in known]
        for pattern in schema.get("patternProperties", ()) if more else ():
            self.look()
            expression = self._expression(pattern)
            if expression is None:
                return
            more = [name for name in more if not expression.search(name)]
        if isinstance(wanted, dict):
            for name in more:
                yield from validator.descend(value[name], wanted, path=name)
        elif not wanted and more:
            yield ValidationError("there are other fields")


def _derived(kind: Any, checks: Mapping[str, Check]) -> Any:
    """A kind of validator with other checks, whatever a part of a schema says of its own `$schema`: jsonschema goes on
    with its own kind there."""
    import attrs
    from jsonschema import validators

    made = validators.extend(kind, checks)
    made.evolve = attrs.evolve
    return made


def _unique(validator: Any, wanted: Any, value: Any, schema: Mapping[str, Any]) -> Iterator[Any]:
    """`uniqueItems` in time that is in proportion to the list."""
    from jsonschema import ValidationError

    if wanted and isinstance(value, list) and len({_sorted(_plain(each)) for each in value}) < len(value):
        yield ValidationError("something is there twice")


def _plain(value: Any) -> Any:
    """The same for all that JSON Schema takes for the same."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, Sequence) and not isinstance(value, str) else value


def _unchecked(validator: Any, wanted: Any, value: Any, schema: Mapping[str, Any]) -> None:
    """It fits."""


@lru_cache(256)
def _foreign(text: str) -> Any:
    """None where RE2 does not know it, or it is too large."""
    try:
        return compiled(text, memory=MEMORY)
    except ValueError:
        return None


@lru_cache(256)
def _own(text: str) -> Any:
    """RE2's where it is there and knows it, as what is looked at may be made to take long by others."""
    try:
        return compiled(text)
    except (ImportError, ValueError):
        return re.compile(text)
