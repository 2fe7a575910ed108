"""Numbered SQL files by which tables change: what they are called, and what is in them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
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
    made: str
    """The table that the first step makes."""

    @property
    def first(self) -> str:
        return f"CREATE TABLE IF NOT EXISTS {self.table} (number INTEGER PRIMARY KEY)"

    @property
    def taken(self) -> str:
        return f"SELECT number FROM {self.table}"  # noqa: S608 - our names

    @property
    def take(self) -> str:
        return f"INSERT INTO {self.table} (number) VALUES (?)"  # noqa: S608 - our names

    def there(self, *, sqlite: bool) -> str:
        """Asks how many tables there are that the first step makes."""
        if sqlite:
            return f"SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = '{self.made}'"  # noqa: S608 - ours
        return f"SELECT COUNT(to_regclass('{self.made}'))"

    def mended(self, taken: Collection[int], there: bool) -> tuple[set[int], list[str]]:
        """The steps that were taken, and what writes that down: once, both kinds were in the table `steps`."""
        if there and not taken:
            return {1}, [f"INSERT INTO {self.table} (number) VALUES (1)"]  # noqa: S608 - our names
        if taken and not there:
            return set(), [f"DELETE FROM {self.table}"]  # noqa: S608 - our names
        return set(taken), []


STORED = Tally("steps", "objects")
Words = Mapping[str, str]
"""What an engine calls what stands as `$NAME` in the files."""


def steps(folder: Path, words: Words) -> Iterator[tuple[int, list[str]]]:
    """Each step's number and statements, in order."""
    for file in sorted(folder.iterdir()):
        match = NAME.match(file.name)
        if match:
            text = Template(file.read_text("utf-8")).substitute(words)
            yield int(match[1]), [each for each in map(str.strip, END.split(text)) if each]
