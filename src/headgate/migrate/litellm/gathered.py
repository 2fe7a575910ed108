"""What is told of many rows at once: one line for all that are alike in it."""

from __future__ import annotations

from dataclasses import dataclass, field

from headgate.config.document import Node
from headgate.migrate.litellm.report import Kind, Report, named
from headgate.migrate.litellm.source import Part
from headgate.migrate.litellm.tables import Row


@dataclass(slots=True)
class Gathered:
    """Tells when `tell` is called."""

    report: Report
    _found: dict[tuple[Kind, str, str, str, str, str], list[str]] = field(default_factory=dict)

    def lost(self, row: Row, column: str, what: str, instead: str, name: str) -> None:
        self._add("lost", row, column, what, instead, name)

    def otherwise(self, row: Row, column: str, what: str, name: str) -> None:
        self._add("otherwise", row, column, what, "", name)

    def todo(self, row: Row, column: str, what: str, name: str) -> None:
        self._add("todo", row, column, what, "", name)

    def needless(self, row: Row, column: str, what: str, name: str) -> None:
        self._add("needless", row, column, what, "", name)

    def _add(self, kind: Kind, row: Row, column: str, what: str, instead: str, name: str) -> None:
        names = self._found.setdefault((kind, row.file, row.table, column, what, instead), [])
        if name not in names:
            names.append(name)

    def tell(self) -> None:
        for (kind, file, table, column, what, instead), names in self._found.items():
            part = Part(file, Node(None, 0, 0), (table, column))
            self.report.add(kind, part, f"{what} ({len(names)}: {named(names)})", instead)
        self._found.clear()
