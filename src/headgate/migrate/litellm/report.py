"""What is told of a conversion: what has no counterpart, works otherwise, stood in clear, or is to be done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from headgate.config.problems import Problem, dotted
from headgate.core.printable import printable
from headgate.migrate.litellm.source import Part

Kind = Literal["lost", "otherwise", "secret", "todo", "needless"]
TITLES: dict[Kind, str] = {
    "lost": "without a counterpart",
    "otherwise": "carried over, but works otherwise",
    "secret": "secrets that stand in clear, also in the result",
    "todo": "to do before the start",
    "needless": "needs no counterpart",
}
"""In the order in which they are told."""
NAMED = 5
"""Of many that a line is about, so many are named."""


class Note(NamedTuple):
    """One line: what, and where in the source. What it says holds no secret."""

    kind: Kind
    problem: Problem


@dataclass(slots=True)
class Report:
    """Everything that is told."""

    notes: list[Note] = field(default_factory=list)

    def lost(self, part: Part, what: str, instead: str) -> None:
        self.add("lost", part, what, instead)

    def otherwise(self, part: Part, what: str, instead: str = "") -> None:
        self.add("otherwise", part, what, instead)

    def secret(self, part: Part, instead: str) -> None:
        self.add("secret", part, "a secret stands here in clear", instead)

    def todo(self, part: Part, what: str, instead: str = "") -> None:
        self.add("todo", part, what, instead)

    def needless(self, part: Part, why: str) -> None:
        self.add("needless", part, why, "")

    def of(self, kind: Kind) -> list[Problem]:
        """Those of a kind, as they stand in the source."""
        files = list(dict.fromkeys(note.problem.file for note in self.notes))
        found = [note.problem for note in self.notes if note.kind == kind]
        return sorted(found, key=lambda problem: (files.index(problem.file), problem.line, problem.column))

    def add(self, kind: Kind, part: Part, what: str, instead: str) -> None:
        place = printable(dotted(part.path), limit=200)
        note = Note(kind, Problem(part.file, part.node.line, part.node.column, place, what, instead))
        if note not in self.notes:
            self.notes.append(note)

    def lines(self) -> list[str]:
        """For people: under a title each."""
        told: list[str] = []
        for kind, title in TITLES.items():
            found = self.of(kind)
            if found:
                told += [f"{title} ({len(found)}):", *(f"  {problem}" for problem in found)]
        return told


def named(names: Sequence[str]) -> str:
    """`a, b, c`, the first few of many."""
    shown = ", ".join(printable(name, limit=100) for name in names[:NAMED])
    return shown + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
