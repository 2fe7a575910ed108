"""Which kinds of things there are to be found: by pack, by the group under which they are meant together."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import NamedTuple

from headgate.redaction import packs
from headgate.redaction.pattern import Pattern, Shape

SECRETS = "secrets"
"""The pack of what is no personal data."""


class Pack(NamedTuple):
    name: str
    said: str
    """What it is for."""
    patterns: Sequence[Pattern]
    shapes: Sequence[Shape]
    groups: dict[str, Sequence[str]]
    optional: frozenset[str]
    """Kinds that are found only where they are asked for."""


@cache
def pack(name: str) -> Pack:
    module = import_module(f"{packs.__name__}.{name}")
    said = (module.__doc__ or "").strip().split("\n")[0]
    shapes = getattr(module, "SHAPES", ())
    optional: frozenset[str] = getattr(module, "OPTIONAL", frozenset())
    return Pack(name, said, getattr(module, "PATTERNS", ()), shapes, module.GROUPS, optional)


@cache
def names() -> Sequence[str]:
    """All packs there are."""
    return sorted(each.name for each in iter_modules(packs.__path__))


def personal() -> Sequence[str]:
    return [name for name in names() if name != SECRETS]


def groups(of: Collection[str]) -> dict[str, list[str]]:
    """Kinds by group, in some packs."""
    found: dict[str, list[str]] = {}
    for name in of:
        for group, kinds in pack(name).groups.items():
            found.setdefault(group, []).extend(kinds)
    return found


def chosen(of: Collection[str], kinds: Collection[str] | None = None) -> tuple[list[Pattern], list[Shape]]:
    """Patterns and shapes of some packs. `kinds`: only these kinds and groups; else all that are not optional."""
    wanted = None if kinds is None else meant(of, kinds)
    patterns: list[Pattern] = []
    shapes: list[Shape] = []
    for each in map(pack, of):
        patterns += (one for one in each.patterns if _wanted(one.kind, wanted, each))
        shapes += (one for one in each.shapes if _wanted(one.kind, wanted, each))
    return patterns, shapes


def meant(of: Collection[str], kinds: Collection[str]) -> set[str]:
    """Kinds, with those of groups in place of the groups; of a group, what is not optional."""
    optional = {kind for name in of for kind in pack(name).optional}
    grouped = groups(of)
    return {
        one
        for kind in kinds
        for one in ([each for each in grouped[kind] if each not in optional] if kind in grouped else [kind])
    }


def _wanted(kind: str, wanted: set[str] | None, of: Pack) -> bool:
    return kind not in of.optional if wanted is None else kind in wanted
