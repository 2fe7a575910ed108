"""What is wrong with a document, told with its place and without its secrets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from headgate.config import stored
from headgate.config.document import made
from headgate.config.problems import ConfigError, Problem, dotted
from headgate.config.redaction import Redaction, masked
from headgate.config.schema import Config
from headgate.core.plugin import PACKAGE, names

COMMAND_LINE = "command line"


class Findings:
    """One document, and what is found to be wrong with it."""

    def __init__(self, file: str, overrides: Mapping[str, Any]) -> None:
        self.merged = stored.Merged()
        self.file = file
        self.overrides = dict(overrides)
        self.root = made({})
        self.problems: list[Problem] = []
        self.followed_from = 0
        """Problems not told, as each only follows from one that is."""
        self.unfilled: set[int] = set()
        """The nodes (their ids) whose variables could not be put in."""
        public = (*names("providers"), *names("stages.policies"), *Config.model_fields, PACKAGE)
        self.redaction = Redaction(public)

    def problem(self, path: Sequence[str | int], message: str, hint: str = "") -> None:
        path = self.root.located(path)
        if self.unfilled and any(id(self.root.at(path[:length])) in self.unfilled for length in range(len(path) + 1)):
            self.followed_from += 1
            return
        self.tell(path, message, hint)

    def tell(self, path: Sequence[str | int], message: str, hint: str) -> None:
        line, column = self.root.place(path)
        file = COMMAND_LINE if dotted(path) in self.overrides else self.file
        if not line and self.merged.stored:
            file, path = "store", self.by_name(path)
        place = dotted([masked(part) if isinstance(part, str) else part for part in path])
        self.problems.append(Problem(file, line, column, place, message, hint))

    def by_name(self, path: Sequence[str | int]) -> Sequence[str | int]:
        """A path into a list of the store's entries, which nobody has counted."""
        if len(path) > 1 and isinstance(path[1], int):
            name = self.root.at((*path[:2], "name"))
            if name is not None and isinstance(name.value, str):
                return (path[0], name.value, *path[2:])
        return path

    def wrong(self) -> int:
        """How much is wrong up to now."""
        return len(self.problems) + self.followed_from

    def stop_if_wrong(self) -> None:
        if self.problems:
            raise ConfigError(self.redaction.problems(self.problems))
