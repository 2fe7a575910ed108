"""Numbered SQL files by which tables change: what they are called, and what is in them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Template
from typing import NamedTuple

END = re.compile(r";[ \t]*$", re.MULTILINE)
"""Of a statement: a semicolon inside a line is one of the body of a trigger."""
NAME = re.compile(r"(\d{4})_\w+\.sql\Z")
NEWER = "it was changed by a newer version of Headgate: install that one, or restore a copy"


class Tally(NamedTuple):
    """The table of steps that were taken: of each kind of database its own, as one may hold several kinds."""

    table: str

    @property
    def first(self) -> str:
        return f"CREATE TABLE IF NOT EXISTS {self.table} (number INTEGER PRIMARY KEY)"

    @property
    def taken(self) -> str:
        return f"SELECT number FROM {self.table}"  # noqa: S608 - our names

    @property
    def take(self) -> str:
        return f"INSERT INTO {self.table} (number) VALUES (?)"  # noqa: S608 - our names


STORED = Tally("steps")
Words = Mapping[str, str]
"""What an engine calls what stands as `$NAME` in the files."""


def steps(folder: Path, words: Words) -> Iterator[tuple[int, list[str]]]:
    """Each step's number and statements, in order."""
    for file in sorted(folder.iterdir()):
        match = NAME.match(file.name)
        if match:
            text = Template(file.read_text("utf-8")).substitute(words)
            yield int(match[1]), [each for each in map(str.strip, END.split(text)) if each]
