"""What is to become of objects, told field by field and without a secret."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple, get_args

from headgate.admin.secrets import UNSHOWN
from headgate.config.stored import SEALED
from headgate.store.objects import Action
from headgate.store.sealing import is_sealed

Body = dict[str, Any]
ABSENT = object()
HASH = "(hash)"
CHANGED = {SEALED: "(another secret)", HASH: "(another hash)"}


class Step(NamedTuple):
    """What is to become of an object; `before` and `after` as the store has them."""

    action: Action
    kind: str
    name: str
    before: Body | None
    after: Body | None
    version: int | None = None
    last: bool = False
    """It goes behind all others."""
    filed: bool = False
    """It stands in the file, so that this cannot be done."""


def plan(steps: Sequence[Step]) -> Body:
    """All of them, and how many of each sort."""
    counts = Counter(step.action for step in steps)
    return {
        "changes": [_told(step) for step in steps],
        "counts": {action: counts[action] for action in get_args(Action)},
    }


def _told(step: Step) -> Body:
    found: Body = {"action": step.action, "kind": step.kind, "name": step.name}
    if step.filed:  # what its fields are would tell secrets of the file
        return {**found, "read_only": True, "fields": []}
    differing = fields(step.before or {}, step.after or {})
    if step.last and step.action == "replace":
        differing.append({"field": "(order)", "after": "behind all others"})
    return {**found, "fields": differing}


def fields(before: Body, after: Body) -> list[Body]:
    """Each field that differs: where it is, what it was (left out: it was not there), what it will be (or not)."""
    return list(_fields("", before, after))


def _fields(place: str, before: Any, after: Any) -> Iterator[Body]:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted({**before, **after}):
            inner = f"{place}.{name}" if place else name
            yield from _fields(inner, before.get(name, ABSENT), after.get(name, ABSENT))
    elif _is_table(before) and _is_table(after):
        for index, (was, will) in enumerate(zip_longest(before, after, fillvalue=ABSENT)):
            yield from _fields(f"{place}[{index}]", was, will)
    else:
        yield _field(place, before, after)


def _is_table(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, dict) for each in value)


def _field(place: str, before: Any, after: Any) -> Body:
    name = place.rpartition(".")[2]
    was, will = _open(name, before), _open(name, after)
    found: Body = {"field": place}
    if before is not ABSENT:
        found["before"] = was
    if after is not ABSENT:
        found["after"] = CHANGED.get(will, will) if isinstance(will, str) and was == will else will
    return found


def _open(name: str, value: Any) -> Any:
    """A value without what is secret in it."""
    if isinstance(value, dict):
        return {key: _open(key, inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_open(name, inner) for inner in value]
    if not isinstance(value, str):
        return value
    if is_sealed(value):
        return SEALED
    return HASH if name in UNSHOWN else value
