"""What an audit finds: how bad it is, where it stands, and how to mend it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from headgate.config.document import Node, parse
from headgate.config.load import Loaded
from headgate.config.problems import dotted

Severity = Literal["high", "medium", "low"]
SEVERITIES: Sequence[Severity] = ("high", "medium", "low")


@dataclass(slots=True, frozen=True)
class Finding:
    """No field ever holds a secret's value."""

    severity: Severity
    place: str
    """`file:line`, a file, or `store`."""
    object: str
    """What it is about: a key of the configuration (`server.tls`), or a name."""
    message: str
    hint: str

    def __str__(self) -> str:
        about = f" {self.object}:" if self.object else ""
        return f"{self.severity:<6} {self.place}:{about} {self.message}; {self.hint}"


class Places:
    """Where in the file what is found stands, as it was written there."""

    def __init__(self, loaded: Loaded) -> None:
        self.file = str(loaded.path) if loaded.path is not None else "environment"
        self.root = parse(loaded.path.read_bytes(), self.file) if loaded.path is not None else Node({}, 0, 0, keys={})

    def finding(self, severity: Severity, path: Sequence[str | int], message: str, hint: str) -> Finding:
        """Of what stands at a path: in the file, where it has that or what it would be set in, else by default."""
        line, _ = self.root.place(path)
        return Finding(severity, f"{self.file}:{line}" if line else self.file, dotted(path), message, hint)

    def entry(self, severity: Severity, section: str, index: int | str, name: str, message: str, hint: str) -> Finding:
        """Of an entry of a section: of the file, else of the store."""
        there = self.root.at((section, index))
        place = f"{self.file}:{there.line}" if there is not None else "store"
        return Finding(severity, place, f"{section}.{name}", message, hint)
