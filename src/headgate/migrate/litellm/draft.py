"""The configuration that is being made, and how it is written: comments say where each part comes from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from headgate.config.document import resolved
from headgate.core.printable import printable

ORDER = (
    "server", "providers", "models", "catalogue", "organisations", "teams", "users", "keys", "limits", "key_policy",
    "authentication", "breaker", "retry", "state", "upstream", "log",
)  # fmt: skip
WIDTH = 120


@dataclass(slots=True)
class Draft:
    """`document` is plain data; `comments` stand above the section, or the entry of it, of that name (or index)."""

    document: dict[str, Any] = field(default_factory=dict)
    comments: dict[tuple[str, str | int | None], list[str]] = field(default_factory=dict)

    def put(self, section: str, values: dict[str, Any], comment: str = "") -> None:
        """Values of a section that is a mapping."""
        if values:
            self.document.setdefault(section, {}).update(values)
        if values and comment:
            self.comments.setdefault((section, next(iter(values))), []).append(comment)

    def append(self, section: str, value: dict[str, Any], comment: str = "") -> None:
        """An entry of a section that is a list."""
        entries = self.document.setdefault(section, [])
        if comment:
            self.comments.setdefault((section, len(entries)), []).append(comment)
        entries.append(value)

    def yaml(self, head: list[str]) -> str:
        """As YAML, under some lines of comment."""
        lines = [f"# {printable(line)}".rstrip() for line in head]
        for section in ORDER:
            if section in self.document:
                lines += ["", *self._section(section, self.document[section])]
        return "\n".join(lines) + "\n"

    def _section(self, section: str, value: dict[str, Any] | list[Any]) -> Iterator[str]:
        yield f"{section}:"
        waiting: list[tuple[Any, Any]] = []
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            comments = self.comments.get((section, key), ())
            if comments:
                yield from _entries(value, waiting)
                waiting = []
            yield from (f"  # {printable(comment)}" for comment in comments)
            waiting.append((key, inner))
        yield from _entries(value, waiting)


def _entries(section: dict[str, Any] | list[Any], pairs: list[tuple[Any, Any]]) -> Iterator[str]:
    """Entries of a section between two comments."""
    if pairs:
        written = _dumped(_Open(pairs) if isinstance(section, dict) else _Listed(inner for _, inner in pairs))
        yield from (f"  {line}".rstrip() for line in written.splitlines())


class _Open(dict[Any, Any]):
    """A mapping that is not written on one line."""


class _Listed(list[Any]):
    """A list of which every entry has its own line."""


SAFE: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Dumper(SAFE):  # type: ignore[misc]  # whichever of the two there is
    """Writes text so that YAML 1.2 reads it as text, too."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    plain = isinstance(resolved(text), str) and "$" not in text
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


def _open(dumper: yaml.SafeDumper, value: _Open) -> yaml.MappingNode:
    return dumper.represent_mapping("tag:yaml.org,2002:map", value, flow_style=False)


def _listed(dumper: yaml.SafeDumper, value: _Listed) -> yaml.SequenceNode:
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=False)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(_Listed, _listed)
_Dumper.add_representer(_Open, _open)


def _dumped(value: Any) -> str:
    text: str = yaml.dump(
        value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=WIDTH, default_flow_style=None
    )
    return text
