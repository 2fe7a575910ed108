"""The store's tables, step by step: forward only, each step once, by one process at a time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files

from headgate.store.database import Database, Statements, StoreAway

NAME = re.compile(r"(\d{4})_\w+\.sql\Z")
FIRST = "CREATE TABLE IF NOT EXISTS steps (number INTEGER PRIMARY KEY)"


def steps() -> Iterator[tuple[int, str]]:
    """Each step's number and SQL, in order."""
    for file in sorted((files("headgate.store") / "steps").iterdir(), key=lambda file: file.name):
        match = NAME.match(file.name)
        if match:
            yield int(match[1]), file.read_text("utf-8")


async def migrate(database: Database) -> None:
    """Take the steps that were not taken yet. Raises StoreAway, also for a store that a newer version has changed."""
    known = dict(steps())
    async with database.script(FIRST) as statements:
        taken = {number for (number,) in await statements.rows("SELECT number FROM steps")}
        if max(taken, default=0) > max(known):
            raise StoreAway("the store was changed by a newer version of Headgate: install that one, or restore a copy")
        for number, sql in known.items():
            if number not in taken:
                await _take(statements, number, sql)


async def _take(statements: Statements, number: int, sql: str) -> None:
    for statement in filter(None, map(str.strip, sql.split(";"))):
        await statements.run(statement)
    await statements.run("INSERT INTO steps (number) VALUES (?)", number)
