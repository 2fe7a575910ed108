"""The records' chain of hashes: a link for each batch that comes into the database, in the same transaction."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from headgate.core import chain
from headgate.core.chain import Link, digests, link
from headgate.records.row import Entry

COLUMNS = (*chain.COLUMNS, "digests")
"""Each row's digest stands beside its link, so that the row that was changed can be named."""
LAST = f"SELECT {', '.join(chain.COLUMNS)} FROM record_chain ORDER BY number DESC LIMIT 1"  # noqa: S608 - our names
APPEND = f"INSERT INTO record_chain ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608 - our names


def following(last: Sequence[Any] | None, number: int, entries: Sequence[Entry]) -> tuple[Any, ...]:
    """The row of the link for new records, the first of which is row `number`; `last` is what LAST finds."""
    found = digests([entry.line.encode() for entry in entries])
    previous = Link._make(last) if last is not None else None
    place = (number, number + len(entries) - 1)
    return (*link(previous, time.time_ns() // 1000, "rows", place, found), found)


def rows_before(last: Sequence[Any] | None, number: int) -> int:
    """The number of the last row that there ever was: `number` is that of the last one that is there."""
    return max(number, last[4] if last is not None else 0)
