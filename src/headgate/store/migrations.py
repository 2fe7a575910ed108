"""Tables of a database, step by step: forward only, each step once, by one process at a time."""

from __future__ import annotations

from pathlib import Path

from headgate.store.database import Database, SQLite, StoreAway
from headgate.store.stepping import NEWER, STORED, Tally, Words, steps

STORE = Path(__file__).parent / "steps"


async def migrate(database: Database, folder: Path = STORE, words: Words | None = None, tally: Tally = STORED) -> None:
    """Take the steps that were not taken yet. Raises StoreAway, also where a newer version has changed the tables."""
    known = dict(steps(folder, database.words if words is None else words))
    async with database.script(tally.first) as statements:
        taken = {number for (number,) in await statements.rows(tally.taken)}
        if max(taken, default=0) > max(known):
            raise StoreAway(NEWER)
        ((there,),) = await statements.rows(tally.there(sqlite=isinstance(database, SQLite)))
        taken, mending = tally.mended(taken, bool(there))
        for each in mending:
            await statements.run(each)
        for number, parts in known.items():
            if number not in taken:
                for part in parts:
                    await statements.run(part)
                await statements.run(tally.take, number)
