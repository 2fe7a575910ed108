"""ClickHouse, over its HTTP interface: a row for each record, in a table where `records.search` may search.

What is inserted twice is one row: by its batch where the table keeps such tokens, else once ClickHouse has merged it.
"""

from __future__ import annotations

import msgspec

from headgate.records.clickhouse import ClickHouseSettings, creating, proof, url_of
from headgate.records.post import Post
from headgate.records.row import Entry, kinds, read
from headgate.records.sinks.sink import Away, Batch, Sink

INSERTING = {"async_insert": "0", "input_format_skip_unknown_fields": "1", "wait_end_of_query": "1"}


class ClickHouse(Sink):
    """Makes its table, and columns that are new, before it inserts for the first time."""

    Settings = ClickHouseSettings

    def __init__(self, settings: ClickHouseSettings) -> None:
        super().__init__(settings)
        self._post = Post(settings)
        self._columns = tuple(kinds())
        self._there = not settings.create

    def send(self, batch: Batch) -> None:
        settings = self.settings
        try:
            if not self._there:
                for text in creating(settings):
                    self._post.send(url_of(settings, {}), proof(settings), text.encode(), packed=False)
                self._there = True
            entries = [entry for item in batch.items if (entry := read(item.line)) is not None]
            query = f"INSERT INTO {settings.place} FORMAT JSONEachRow"
            url = url_of(settings, {"query": query, "insert_deduplication_token": batch.id, **INSERTING})
            self._post.send(url, proof(settings), b"\n".join(map(self._row, entries)), packed=True)
        except Away:
            self._there = not settings.create  # somebody may have dropped it
            raise

    def close(self) -> None:
        self._post.close()

    def _row(self, entry: Entry) -> bytes:
        told = {name: getattr(entry.row, name) for name in self._columns}
        return msgspec.json.encode({**told, "tags": entry.tags, "line": entry.line})
