"""Payloads into PostgreSQL, in transactions of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from headgate.records import postgres
from headgate.records import statements as sql
from headgate.records.payloads import statements as own
from headgate.records.payloads.payload import Entry
from headgate.store.database import numbered

LOCK = "SELECT pg_advisory_xact_lock(7205)"
"""As that of records: numbers have no gaps."""


class Postgres(postgres.Connected):
    def add(self, source: str, entries: Sequence[Entry], reached: Mapping[str, int]) -> int:
        """Payloads with how far the segments have been read by them; how many of them are new. Raises Away, Unfit."""
        return self.alone(LOCK, _add, source, entries, reached)


async def _add(connection: Any, source: str, entries: Sequence[Entry], reached: Mapping[str, int]) -> int:
    ids = [entry.row.id for entry in entries]
    known = {id for (id,) in await connection.fetch("SELECT id FROM payloads WHERE id = ANY($1)", ids)}
    new = sql.once(entries, known)
    placed = list(enumerate(new, await connection.fetchval(own.LAST) + 1))
    await connection.executemany(numbered(own.KEY), list(own.keys(new)))
    await connection.copy_records_to_table(
        "payloads", records=[(number, *entry.row) for number, entry in placed], columns=own.PAYLOAD
    )
    words = [(number, entry.words.split(" ")) for number, entry in placed if entry.words]
    await connection.executemany(
        "INSERT INTO payload_words (rowid, words) VALUES ($1, array_to_tsvector($2::text[]))", words
    )
    await connection.executemany(
        numbered(sql.REACHED), [(source, name, position) for name, position in reached.items()]
    )
    return len(new)
