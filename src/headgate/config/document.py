"""Reads a YAML document into values that know their line; the YAML 1.2 core types, so `off` and `no` are words."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import yaml

from headgate.config.problems import ConfigError, Problem, dotted

MAX_BYTES = 4 << 20
LONGEST = 32 << 20
"""Bytes of a configuration, and of a document that is applied, which may hold many thousands of keys."""
MAX_DEPTH = 64
MAX_NODES = 500_000
"""Values in all, aliases counted as often as they are used: a few lines of aliases could stand for billions."""

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
TEXT_TAGS = frozenset({"!", "tag:yaml.org,2002:str"})
PLAIN_TAGS = frozenset({"tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"})

# https://yaml.org/spec/1.2.2/#1032-tag-resolution
NULL = frozenset({"", "~", "null", "Null", "NULL"})
TRUE = frozenset({"true", "True", "TRUE"})
FALSE = frozenset({"false", "False", "FALSE"})
INTEGER = re.compile(r"[-+]?[0-9]{1,300}\Z|0x[0-9a-fA-F]{1,300}\Z|0o[0-7]{1,300}\Z")
NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
SPECIAL = {".inf": "inf", "+.inf": "inf", "-.inf": "-inf", ".nan": "nan"}

Path = tuple[str | int, ...]


@dataclass(slots=True)
class Node:
    """A value and where it stands; lines and columns count from 1.

    `value` is a scalar, a list of nodes, or a dict of nodes; `keys` says where a dict's keys stand.
    `text` of a scalar is as it was written, before anything was put in.
    """

    value: Any
    line: int
    column: int
    text: str = ""
    keys: dict[str, tuple[int, int]] | None = None

    def plain(self) -> Any:
        """The value without places."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def at(self, path: Sequence[str | int]) -> Node | None:
        """The node at a path; None if there is none."""
        node: Node | None = self
        for part in path:
            value = node.value if node else None
            if isinstance(value, dict):
                node = value.get(str(part))
            elif isinstance(value, list) and isinstance(part, int) and 0 <= part < len(value):
                node = value[part]
            else:
                return None
        return node

    def written(self, path: Sequence[str | int], value: str) -> str:
        """`value`, which stands at a path, as it is written in the file: with `${NAME}`, where there is one in it."""
        node = self.at(self.located(path))
        return node.text if node is not None and node.value == value and node.text else value

    def located(self, path: Sequence[str | int]) -> Path:
        """A path as the file has it: without the parts that a short form (a text, a list) leaves out."""
        found: list[str | int] = []
        node: Node | None = self
        for part in path:
            value = node.value if node else None
            if isinstance(value, list) and isinstance(part, str):
                continue
            if value is not None and not isinstance(value, dict | list):
                break
            found.append(part)
            node = node.at((part,)) if node else None
        return tuple(found)

    def place(self, path: Sequence[str | int]) -> tuple[int, int]:
        """Line and column of the key at a path, or of the nearest thing above it that is there."""
        for length in range(len(path), 0, -1):
            parent = self.at(path[: length - 1])
            last = path[length - 1]
            if parent is not None and parent.keys is not None and last in parent.keys:
                return parent.keys[str(last)]
            node = self.at(path[:length])
            if node is not None:
                return node.line, node.column
        return self.line, self.column

    def scalars(self, path: Path = ()) -> Iterator[tuple[Path, Node]]:
        """Every scalar below, with its path."""
        if isinstance(self.value, dict):
            for key, node in self.value.items():
                yield from node.scalars((*path, key))
        elif isinstance(self.value, list):
            for index, node in enumerate(self.value):
                yield from node.scalars((*path, index))
        else:
            yield path, self


def parse(data: bytes, file: str, most: int = MAX_BYTES) -> Node:
    """A document's bytes → its tree; an empty one is an empty mapping. Raises ConfigError."""
    if len(data) > most:
        raise ConfigError([Problem(file, 0, 0, "", f"the file is larger than {most >> 20} MiB")])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        hint = "save the file as UTF-8"
        raise ConfigError([Problem(file, line, column, "", "this is not UTF-8 text", hint)]) from error
    try:
        return _Builder(file, text).document()
    except yaml.YAMLError as error:
        raise ConfigError([_syntax(error, file, text)]) from error


def _syntax(error: yaml.YAMLError, file: str, text: str) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    said = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read"
    hint = ""
    line = column = 0
    if mark is not None:
        line, column = mark.line + 1, mark.column + 1
        lines = text.splitlines()
        start = lines[line - 1][: column + 1] if line <= len(lines) else ""
        if "\t" in start:
            hint = "indent with spaces, not tabs"
        elif "mapping values are not allowed" in said:
            hint = "put a value that holds `: ` in quotes, and check the indentation"
        elif "expected ','" in said and "${" in (lines[line - 1] if line <= len(lines) else ""):
            hint = "put ${NAME} in quotes where it stands within { } or [ ]"
    return Problem(file, line, column, "", f"not valid YAML: {said}", hint)


class _Builder:
    """Events of the YAML parser → nodes."""

    def __init__(self, file: str, text: str) -> None:
        self.file = file
        self.events = yaml.parse(text, Loader=LOADER)
        self.anchors: dict[str, tuple[Node, int]] = {}
        self.count = 0
        self.problems: list[Problem] = []

    def document(self) -> Node:
        root = Node({}, 1, 1, keys={})
        documents = 0
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self.stop(event, (), "there is more than one document in the file", "remove the `---` line")
            elif isinstance(event, yaml.NodeEvent):
                root = self.node(event, ())
        if root.value is None:
            root = Node({}, 1, 1, keys={})
        if self.problems:
            raise ConfigError(self.problems)
        return root

    def stop(self, event: Any, path: Path, message: str, hint: str = "") -> NoReturn:
        mark = event.start_mark
        raise ConfigError([Problem(self.file, mark.line + 1, mark.column + 1, dotted(path), message, hint)])

    def problem(self, event: Any, path: Path, message: str, hint: str = "") -> None:
        mark = event.start_mark
        self.problems.append(Problem(self.file, mark.line + 1, mark.column + 1, dotted(path), message, hint))

    def node(self, event: Any, path: Path) -> Node:
        if len(path) > MAX_DEPTH:
            self.stop(event, path[:4], f"nested more than {MAX_DEPTH} deep")
        self.tally(event, path, 1)
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event, path)
        before = self.count
        mark: Any = event.start_mark
        node = Node(None, mark.line + 1, mark.column + 1)
        if isinstance(event, yaml.ScalarEvent):
            node.text = event.value
            node.value = self.scalar(event, path)
        elif isinstance(event, yaml.MappingStartEvent):
            self.untagged(event, path)
            node.value, node.keys = self.mapping(path)
        else:
            self.untagged(event, path)
            node.value = self.sequence(path)
        if event.anchor:
            self.anchors[event.anchor] = (node, self.count - before + 1)
        return node

    def tally(self, event: Any, path: Path, more: int) -> None:
        self.count += more
        if self.count > MAX_NODES:
            self.stop(event, path[:4], f"more than {MAX_NODES:,} values, aliases counted as often as they are used")

    def alias(self, event: Any, path: Path) -> Node:
        if event.anchor not in self.anchors:
            self.stop(
                event, path, f"alias `*{event.anchor}` stands for nothing", f"mark a value with `&{event.anchor}`"
            )
        node, size = self.anchors[event.anchor]
        self.tally(event, path, size)
        return node

    def untagged(self, event: Any, path: Path) -> None:
        if event.tag is not None and event.tag not in PLAIN_TAGS:
            self.problem(event, path, f"the tag `{event.tag}` is not understood", "remove it")

    def sequence(self, path: Path) -> list[Node]:
        found: list[Node] = []
        for event in self.events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            found.append(self.node(event, (*path, len(found))))
        return found

    def mapping(self, path: Path) -> tuple[dict[str, Node], dict[str, tuple[int, int]]]:
        found: dict[str, Node] = {}
        keys: dict[str, tuple[int, int]] = {}
        merged: list[Node] = []
        for event in self.events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            if not isinstance(event, yaml.ScalarEvent):
                self.stop(event, path, "a key must be plain text")
            key = event.value
            node = self.node(next(self.events), (*path, key))
            if key == "<<" and event.implicit[0]:
                merged += node.value if isinstance(node.value, list) else [node]
                continue
            if key in found:
                first = keys[key][0]
                self.problem(event, (*path, key), f"this key is there twice, first in line {first}", "remove one")
                continue
            found[key] = node
            where: Any = event.start_mark
            keys[key] = (where.line + 1, where.column + 1)
        for node in merged:
            self.merge(node, found, keys, path)
        return found, keys

    def merge(self, node: Node, found: dict[str, Node], keys: dict[str, tuple[int, int]], path: Path) -> None:
        if not isinstance(node.value, dict):
            message = "`<<` takes a mapping, or a list of mappings"
            self.problems.append(Problem(self.file, node.line, node.column, dotted(path), message))
            return
        for key, value in node.value.items():
            if key not in found:
                found[key] = value
                keys[key] = (node.keys or {}).get(key, (node.line, node.column))

    def scalar(self, event: Any, path: Path) -> Any:
        if event.tag is not None:
            if event.tag not in TEXT_TAGS:
                self.problem(event, path, f"the tag `{event.tag}` is not understood", "remove it")
            return event.value
        return resolved(event.value) if event.implicit[0] else event.value


def resolved(text: str) -> Any:
    """What a plain scalar stands for in YAML 1.2's core schema."""
    if text in NULL:
        return None
    if text in TRUE or text in FALSE:
        return text in TRUE
    if INTEGER.match(text):
        return int(text, 0) if text[1:2] in ("x", "o") else int(text)
    if NUMBER.match(text):
        number = float(text)
        return text if math.isinf(number) else number
    special = SPECIAL.get(text.lower())
    return float(special) if special else text


def made(value: Any) -> Node:
    """The tree of a value that stands in no file: line and column are 0."""
    if isinstance(value, dict):
        return Node({key: made(part) for key, part in value.items()}, 0, 0, keys=dict.fromkeys(value, (0, 0)))
    if isinstance(value, list):
        return Node([made(part) for part in value], 0, 0)
    return Node(value, 0, 0, text=value if isinstance(value, str) else "")
