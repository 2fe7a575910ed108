"""What is wrong with a configuration: where, what, and how to mend it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(slots=True, frozen=True)
class Problem:
    """One thing that is wrong.

    `line` and `column` count from 1; 0 where there is no place (a command line option, a missing file). `path` is the
    key's place in the document (`models.chat.targets[0]`). No field ever holds a secret's value.
    """

    file: str
    line: int
    column: int
    path: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        where = f" {self.path}:" if self.path else ""
        return f"{place}:{where} {self.message}" + (f"; {self.hint}" if self.hint else "")


class ConfigError(Exception):
    """The configuration cannot be used. `problems` holds everything that is wrong with it, sorted by line."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = sorted(problems, key=lambda problem: (problem.file, problem.line, problem.column, problem.path))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def dotted(path: Sequence[str | int]) -> str:
    """("models", "chat", "targets", 0) → `models.chat.targets[0]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
