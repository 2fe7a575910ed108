"""The audit's chain of hashes: extended with each entry, and told of each purge."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from headgate.core import chain
from headgate.core.chain import Link, link
from headgate.store.database import Row, Statements

COLUMNS = ", ".join(chain.COLUMNS)
ENTRY = ("revision", "number", "time", "actor", "address", "request", "action", "kind", "name", "before", "after")
_APPEND = f"INSERT INTO audit_chain ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - our names
_LAST = f"SELECT {COLUMNS} FROM audit_chain ORDER BY number DESC LIMIT 1"  # noqa: S608 - our names
_ALL = f"SELECT {', '.join(ENTRY)} FROM audit ORDER BY revision, number"  # noqa: S608 - our names


def digest(entry: Row) -> bytes:
    """Of an entry's columns, as they are in the table."""
    revision, number, time, *rest = entry
    return chain.digests([chain.canonical([int(revision), int(number), float(time), *rest])])


def outer(entry: Row) -> str:
    """The digest of the link that an entry is."""
    return hashlib.sha256(digest(entry)).hexdigest()


async def last(statements: Statements) -> Link | None:
    rows = await statements.rows(_LAST)
    return Link._make(rows[0]) if rows else None


async def extend(statements: Statements, entry: Row, now: float) -> None:
    """With an entry that stands in the audit already; in a transaction that others wait for."""
    previous = await last(statements)
    entries = [entry] if previous is not None else await statements.rows(_ALL)  # what came before there was a chain
    for each in entries:
        previous = link(previous, round(now * 1e6), "rows", (int(each[0]), int(each[1])), digest(each))
        await statements.run(_APPEND, *previous)


async def purge(statements: Statements, numbers: Sequence[int], why: dict[str, Any], now: float) -> int:
    """Take the entries of links away, and say so in the chain; how many there were."""
    found = chain.ranges(sorted(numbers))
    await statements.run("INSERT INTO audit_purging (number) VALUES (1)")
    for first, final in found:
        await statements.run(
            "DELETE FROM audit WHERE EXISTS (SELECT 1 FROM audit_chain WHERE kind = 'rows' AND first = revision "
            "AND last = audit.number AND audit_chain.number BETWEEN ? AND ?)",
            first, final,
        )  # fmt: skip
    await statements.run("DELETE FROM audit_purging")
    body = json.dumps({**why, "ranges": found}, separators=(",", ":"))
    await statements.run(_APPEND, *link(await last(statements), round(now * 1e6), "purge", (0, 0), b"", body))
    return len(numbers)
