"""Validators for schemas that somebody sends: nothing in them is fetched, and none takes long, whatever it says."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache, lru_cache
from typing import Any

from headgate.core.errors import GuardUnavailable
from headgate.stages.guards.guard import compiled

MOST = 0.1
"""Seconds of a processor that one text may take."""
OFTEN = 64
"""Steps after which it is looked how long it has taken."""
UNCHECKED = frozenset({"unevaluatedProperties", "unevaluatedItems", "$dynamicRef", "$recursiveRef"})
"""Keywords that are passed over: they go by others' expressions, or without end."""
Check = Callable[[Any, Any, Any, Mapping[str, Any]], Any]


class Clock:
    """How long the text may take that is looked at."""

    __slots__ = ("steps", "until")

    def __init__(self) -> None:
        self.start()

    def start(self) -> None:
        self.steps, self.until = 0, time.thread_time() + MOST

    def timed(self, check: Check) -> Check:
        def step(validator: Any, wanted: Any, value: Any, schema: Mapping[str, Any]) -> Any:
            self.steps += 1
            if self.steps % OFTEN == 0 and time.thread_time() > self.until:
                raise GuardUnavailable("it takes too long to look whether it fits the schema")
            return check(validator, wanted, value, schema)

        return step


@cache  # one for each draft of JSON Schema
def guarded(kind: Any) -> tuple[Any, Clock]:
    """A kind of validator like this one."""
    from jsonschema import validators  # type: ignore[import-untyped]

    clock = Clock()
    own = {"pattern": _pattern, "patternProperties": _by_pattern, "additionalProperties": _additional}
    checks = {**kind.VALIDATORS, **own, **dict.fromkeys(UNCHECKED, _unchecked)}
    return validators.extend(kind, {name: clock.timed(check) for name, check in checks.items()}), clock


def _unchecked(validator: Any, wanted: Any, value: Any, schema: Mapping[str, Any]) -> None:
    """It fits."""


@lru_cache(1000)
def _expression(text: str) -> Any:
    """None where RE2 does not know it."""
    try:
        return compiled(text)
    except ValueError:
        return None


def _pattern(validator: Any, wanted: Any, value: Any, schema: Mapping[str, Any]) -> Iterator[Any]:
    from jsonschema import ValidationError

    expression = _expression(wanted) if isinstance(value, str) else None
    if expression is not None and not expression.search(value):
        yield ValidationError("it does not match")


def _by_pattern(validator: Any, wanted: Any, value: Any, schema: Mapping[str, Any]) -> Iterator[Any]:
    for pattern, inner in wanted.items() if isinstance(value, dict) else ():
        expression = _expression(pattern)
        for name, each in value.items() if expression is not None else ():
            if expression.search(name):
                yield from validator.descend(each, inner, path=name, schema_path=pattern)


def _additional(validator: Any, wanted: Any, value: Any, schema: Mapping[str, Any]) -> Iterator[Any]:
    from jsonschema import ValidationError

    if not isinstance(value, dict):
        return
    patterns = [_expression(each) for each in schema.get("patternProperties", ())]
    if None in patterns:
        return
    known = schema.get("properties", {})
    more = [name for name in value if name not in known and not any(each.search(name) for each in patterns)]
    if isinstance(wanted, dict):
        for name in more:
            yield from validator.descend(value[name], wanted, path=name)
    elif not wanted and more:
        yield ValidationError("there are other fields")
