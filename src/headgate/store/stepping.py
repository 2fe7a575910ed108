"""Numbered SQL files by which tables change: what they are called, and what is in them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Template

NAME = re.compile(r"(\d{4})_\w+\.sql\Z")
FIRST = "CREATE TABLE IF NOT EXISTS steps (number INTEGER PRIMARY KEY)"
TAKEN = "SELECT number FROM steps"
TAKE = "INSERT INTO steps (number) VALUES (?)"
NEWER = "it was changed by a newer version of Headgate: install that one, or restore a copy"

Words = Mapping[str, str]
"""What an engine calls what stands as `$NAME` in the files."""
PLAIN: Words = {}


def steps(folder: Path, words: Words) -> Iterator[tuple[int, list[str]]]:
    """Each step's number and statements, in order."""
    for file in sorted(folder.iterdir()):
        match = NAME.match(file.name)
        if match:
            text = Template(file.read_text("utf-8")).substitute(words)
            yield int(match[1]), [each for each in map(str.strip, text.split(";")) if each]
