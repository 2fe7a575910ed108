"""Which blocks of requests hold a value: by these a search finds what is rare among millions.

A block is what a batch has brought, up to BLOCK of it: numbers from `first` to `last`. For each value that some of its
requests have there is one mark, instead of an entry in an index for each request, which would go to a random place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from headgate.records.row import Entry, Row

BLOCK = 1000
NAMES = (
    "end_user", "client", "user", "key", "application", "error", "team", "model", "provider", "organisation",
    "cost_size", "duration_size",
    "data_class",
)  # fmt: skip
"""Columns that are marked, the most telling first."""
_PLACES = tuple((name, Row._fields.index(name)) for name in NAMES)
Mark = tuple[str, float, int, int, float]
"""`name=value`, the time of the newest request of the block, its first and last number, the time of its oldest."""


def marks(entries: Sequence[Entry], first: int) -> Iterator[Mark]:
    """Those of requests that are numbered from `first` on; in order, as a table that is sorted takes them best."""
    found = list[Mark]()
    for at in range(0, len(entries), BLOCK):
        some = entries[at : at + BLOCK]
        rows, number = [entry.row for entry in some], first + at
        values = {f"status={status // 100}" for status in {row.status for row in rows}}
        for name, place in _PLACES:
            values |= {f"{name}={value}" for value in {row[place] for row in rows} if value is not None}
        values |= {f"tag={tag}" for entry in some for tag in entry.tags}
        newest, oldest = max(row.time for row in rows), min(row.time for row in rows)
        found += ((value, newest, number, number + len(some) - 1, oldest) for value in values)
    return iter(sorted(found))
