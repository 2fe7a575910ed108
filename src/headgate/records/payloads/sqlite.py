"""Payloads into SQLite, in transactions of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from headgate.records import sqlite
from headgate.records import statements as sql
from headgate.records.payloads import statements as own
from headgate.records.payloads.payload import Entry


class SQLite(sqlite.Connected):
    def add(self, source: str, entries: Sequence[Entry], reached: Mapping[str, int]) -> int:
        """Payloads with how far the segments have been read by them; how many of them are new. Raises Away, Unfit."""
        with self._transaction() as connection:
            known = sqlite.known(connection, [entry.row.id for entry in entries], "payloads")
            new = sql.once(entries, known)
            ((last,),) = connection.execute(own.LAST)
            numbered = list(enumerate(new, last + 1))
            connection.executemany(own.KEY, own.keys(new))
            connection.executemany(
                sql.inserting("payloads", own.PAYLOAD), ((number, *entry.row) for number, entry in numbered)
            )
            words = ((number, entry.words) for number, entry in numbered if entry.words)
            connection.executemany("INSERT INTO payload_words (rowid, words) VALUES (?, ?)", words)
            connection.executemany(sql.REACHED, ((source, name, position) for name, position in reached.items()))
        return len(new)
