"""Phrases of attacks as expressions of RE2: evidence for the scorer; rules of users' own decide by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec
import yaml

MEMORY = 64 << 20
TOGETHER = 32
"""Patterns of an automaton: with many more it has more states than memory, and builds them again and again."""
Place = Literal["direct", "indirect"]


class Rule(msgspec.Struct, forbid_unknown_fields=True):
    """Any of its patterns occurs."""

    name: str
    patterns: list[str]
    places: tuple[Place, ...] = ("direct", "indirect")
    score: float = 0.0
    """That a text has at the least. The rules that come with Headgate are evidence beside the n-grams."""


class Hit(NamedTuple):
    rule: Rule
    start: int
    end: int
    """Bytes of the text."""


class Rules:
    def __init__(self, rules: Sequence[Rule]) -> None:
        """Raises ValueError where an expression is none."""
        import re2

        self._owners = [(rule, pattern) for rule in rules for pattern in rule.patterns]
        options = re2.Options()
        options.case_sensitive, options.max_mem, options.log_errors = False, MEMORY, False
        self._gates: list[Any] = []
        self._expressions: list[Any] = []
        for rule, pattern in self._owners:
            if len(self._expressions) % TOGETHER == 0:
                self._gates.append(re2.Set.SearchSet(options))
            try:
                self._expressions.append(re2.compile(pattern, options))
                self._gates[-1].Add(pattern)
            except re2.error as error:
                said = error.args[0]
                said = said.decode() if isinstance(said, bytes) else said
                raise ValueError(f"the rule {rule.name!r} has an expression that is none of RE2's: {said}") from None
        for gate in self._gates:
            gate.Compile()

    def hits(self, text: str, place: Place) -> list[Hit]:
        """One for each rule that the text fits: where it does first."""
        data = text.encode("utf-8", "replace")
        found: dict[str, Hit] = {}
        for first, gate in zip(range(0, len(self._owners), TOGETHER), self._gates, strict=True):
            for index in sorted(gate.Match(data) or ()):
                rule, _ = self._owners[first + index]
                if place in rule.places and rule.name not in found:
                    found[rule.name] = Hit(rule, *self._expressions[first + index].search(data).span())
        return list(found.values())


@cache
def shipped() -> tuple[Rule, ...]:
    return tuple(_read((files("headgate.injection") / "rules.yaml").read_text("utf-8"), "rules.yaml"))


def read(path: Path) -> list[Rule]:
    """Rules of a user's file. Raises ValueError, OSError."""
    return _read(path.read_text("utf-8"), str(path))


def _read(text: str, name: str) -> list[Rule]:
    try:
        return msgspec.convert(yaml.safe_load(text), list[Rule])
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise ValueError(f"{name} holds no list of rules with `name` and `patterns`: {error}") from None
