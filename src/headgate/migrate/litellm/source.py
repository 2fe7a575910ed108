"""LiteLLM's configuration as it is written: its parts with their places, and the files it includes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headgate.config.document import MAX_BYTES, Node, parse
from headgate.config.document import Path as Place
from headgate.config.problems import ConfigError, Problem, dotted

REFERENCE = "os.environ/"
"""https://docs.litellm.ai/docs/proxy/configs: what follows is an environment variable's name."""
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_SIGNS = re.compile(r"[^A-Za-z0-9_]+")
TRUE = frozenset({"true", "yes", "on", "y", "1"})
"""PyYAML reads YAML 1.1, in which more words than `true` are true."""


@dataclass(slots=True, frozen=True)
class Part:
    """A value of the source and where it stands."""

    file: str
    node: Node
    path: Place = ()

    @property
    def value(self) -> Any:
        """Without places."""
        return self.node.plain()

    @property
    def is_mapping(self) -> bool:
        return isinstance(self.node.value, dict)

    @property
    def name(self) -> str:
        """The last of its path."""
        return str(self.path[-1]) if self.path else ""

    def at(self, name: str) -> Part | None:
        """What stands under a name, unless that is null."""
        inner = self.node.value.get(name) if isinstance(self.node.value, dict) else None
        return Part(self.file, inner, (*self.path, name)) if inner is not None and inner.value is not None else None

    def each(self) -> Iterator[Part]:
        """The values of a list or a mapping, less those that are null."""
        value = self.node.value
        pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, inner in pairs:
            if inner.value is not None:
                yield Part(self.file, inner, (*self.path, key))

    def text(self) -> str:
        """As text; of a list or a mapping, none."""
        value = self.node.value
        return value if isinstance(value, str) else "" if isinstance(value, dict | list) else self.node.text

    def true(self) -> bool:
        return str(self.node.value).lower() in TRUE

    def number(self) -> float | int | None:
        """None where it is no number."""
        value = self.node.value
        if isinstance(value, str):
            try:
                value = float(value)
            except ValueError:
                return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return None
        return int(value) if isinstance(value, float) and value.is_integer() else value

    def texts(self) -> list[str]:
        """A list of texts, or one."""
        if isinstance(self.node.value, list):
            return [part.text() for part in self.each()]
        return [self.text()] if self.text() else []

    @property
    def variable(self) -> str | None:
        """The environment variable it refers to, by a name that may be one here."""
        value = self.node.value
        if not isinstance(value, str) or not value.startswith(REFERENCE):
            return None
        name = _SIGNS.sub("_", value.removeprefix(REFERENCE).strip())
        return name if NAME.match(name) else f"_{name}"


@dataclass(slots=True)
class Variables:
    """The environment variables that the result names, and what stands for each that is not set while it is checked."""

    samples: dict[str, str] = field(default_factory=dict)

    def named(self, name: str, sample: str = "") -> str:
        self.samples.setdefault(name, sample or f"placeholder-{name.lower().replace('_', '-')}")
        return f"${{{name}}}"

    def written(self, part: Part, sample: str = "") -> str:
        """A text of the source as it stands in the result: a reference to the environment, or the text itself."""
        name = part.variable
        return self.named(name, sample) if name is not None else literal(part.text())

    def number(self, part: Part) -> Any:
        """A number, or a variable that holds one; None where it is neither."""
        name = part.variable
        return self.named(name, "1") if name is not None else part.number()


def within(number: Any, least: float, most: float) -> Any:
    """A number as near as bounds allow; a variable, or nothing, as it is."""
    return min(max(number, least), most) if isinstance(number, int | float) else number


def literal(value: Any) -> Any:
    """What means itself here, where `${NAME}` and `$$` do not."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, dict):
        return {key: literal(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [literal(inner) for inner in value]
    return value


@dataclass(slots=True)
class Source:
    """The configuration with the files it includes: lists one after the other, of anything else what is said last."""

    root: Part
    sections: dict[str, list[Part]] = field(default_factory=dict)

    def section(self, name: str) -> Part | None:
        """A section that is no list."""
        found = self.sections.get(name)
        return found[-1] if found else None

    def entries(self, name: str) -> Iterator[Part]:
        """The entries of a section that is a list."""
        for part in self.sections.get(name, ()):
            yield from part.each()


def read(path: Path) -> Source:
    """Raises ConfigError where a file cannot be read, is not YAML, or is no configuration."""
    source = Source(_root(path))
    waiting, seen = [(path, source.root)], set()
    while waiting:
        place, root = waiting.pop(0)
        if place.resolve() in seen:
            continue
        seen.add(place.resolve())
        for part in root.each():
            if part.name == "include":
                waiting += [(found, _root(found)) for found in (_included(part, place, path))]
            else:
                source.sections.setdefault(part.name, []).append(part)
    return source


def _included(part: Part, place: Path, first: Path) -> Iterator[Path]:
    """Beside the file that includes it, or, as of old, beside the first."""
    for name in part.texts():
        beside = place.parent / name
        yield beside if beside.exists() or not (first.parent / name).exists() else first.parent / name


def _root(path: Path) -> Part:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise unreadable(path, error) from error
    root = Part(str(path), parse(data, str(path)))
    if not root.is_mapping:
        raise refused(root, "not a configuration of LiteLLM", "give the file that `litellm --config` is given")
    return root


def unreadable(path: Path, error: OSError) -> ConfigError:
    return ConfigError([Problem(str(path), 0, 0, "", f"cannot be read: {error.strerror}", "check the path")])


def refused(part: Part, message: str, hint: str) -> ConfigError:
    """The conversion cannot be made at all."""
    return ConfigError([Problem(part.file, part.node.line, part.node.column, dotted(part.path), message, hint)])
