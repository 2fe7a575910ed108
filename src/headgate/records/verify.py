"""Checks the records in the database against their chain: each line, what is searched of it, and its tags."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from headgate.core.chain import Link, digests, each
from headgate.records.row import Entry, read
from headgate.records.statements import REQUEST, quoted
from headgate.store import checkpoints as signed
from headgate.store.checkpoints import Checkpoint
from headgate.store.database import Database, Row
from headgate.store.verify import MOST, PAGE, Odd, Purged, Verified, opened

ASKED = 400
"""Tags that are asked for at once."""


class Batch(NamedTuple):
    """What is there of a link's rows, by their numbers."""

    digests: bytes
    lines: Mapping[int, str]
    entries: Mapping[int, Entry | None]
    requests: Mapping[int, Row]
    tags: Mapping[int, Sequence[tuple[str, float]]]


async def verify_records(database: Database, keys: Mapping[str, str], since: Checkpoint | None = None,
                         elsewhere: Sequence[Checkpoint] = ()) -> Verified:  # fmt: skip
    """Every record that is in the database. Raises StoreAway."""
    chain, purged = await opened(database, signed.RECORDS, keys, since, elsewhere)
    told = chain.verified
    odd: list[Odd] = []
    async for page in chain.pages():
        for link in page:
            if link.kind != "rows":
                continue
            batch = await _batch(database, link)
            if any(each not in batch.lines and each not in purged for each in range(link.first, link.last + 1)):
                purged = await chain.purged()  # also of what went meanwhile
            _check_batch(link, batch, purged, told, odd)
    told.tell_odd(odd)
    await _check_added(database, told)
    return told


async def _batch(database: Database, link: Link) -> Batch:
    span = (link.first, link.last)
    beside = await database.rows("SELECT digests FROM record_chain WHERE number = ?", link.number)
    rows = await database.rows("SELECT number, line FROM lines WHERE number BETWEEN ? AND ?", *span)
    requests = await database.rows(
        f"SELECT {quoted(REQUEST)} FROM requests WHERE number BETWEEN ? AND ?",  # noqa: S608 - our names
        *span,
    )
    lines = {int(number): line for number, line in rows}
    entries = {number: read(line.encode()) for number, line in lines.items()}
    tags = await _tags(database, [entry for entry in entries.values() if entry is not None])
    found = bytes(beside[0][0]) if beside else b""
    return Batch(found, lines, entries, {int(row[0]): row for row in requests}, tags)


async def _tags(database: Database, entries: Sequence[Entry]) -> Mapping[int, Sequence[tuple[str, float]]]:
    """With their times, by the number of the row; also of some rows of other batches, as they are found by time."""
    found = defaultdict[int, list[tuple[str, float]]](list)
    tagged = [entry for entry in entries if entry.tags]
    names = sorted({tag for entry in tagged for tag in entry.tags})
    times = [entry.row.time for entry in tagged]
    for at in range(0, len(names), ASKED):
        some = names[at : at + ASKED]
        marks = ", ".join("?" * len(some))
        for number, tag, time in await database.rows(
            f"SELECT number, tag, time FROM tags WHERE tag IN ({marks}) AND time BETWEEN ? AND ?",  # noqa: S608 - marks
            *some, min(times), max(times),
        ):  # fmt: skip
            found[int(number)].append((tag, time))
    return found


def _check_batch(link: Link, batch: Batch, purged: Purged, told: Verified, odd: list[Odd]) -> None:
    numbers = range(link.first, link.last + 1)
    beside = each(batch.digests)
    if hashlib.sha256(batch.digests).hexdigest() != link.digest:
        if not batch.digests and all(number in purged for number in numbers):
            beside = [b""] * len(numbers)
        else:
            found = digests(batch.lines.get(number, "").encode() for number in numbers)
            told.tell("changed", f"link {link.number}", "the digests beside it are not those that it was made of")
            beside = each(found) if hashlib.sha256(found).hexdigest() == link.digest else beside
    if len(beside) != len(numbers):
        return  # told above: another number of digests has another hash
    for number, expected in zip(numbers, beside, strict=True):
        _check_row(number, expected.hex(), batch, number in purged, told, odd)


def _check_row(number: int, expected: str, batch: Batch, purged: bool, told: Verified, odd: list[Odd]) -> None:
    line, row = batch.lines.get(number), batch.requests.get(number)
    if line is None and row is None and purged:
        told.purged += 1
        return
    entry = batch.entries.get(number)
    where = entry.row.id if entry is not None else str(row[1]) if row is not None else f"row {number}"
    if purged:
        told.tell("added", where, "a purge took the record, and it is there again")
        return
    if line is None:
        told.tell("removed", where, f"the record is gone{_beside(number, batch)}, and no purge took it")
        return
    told.rows += 1
    told.tags += len(entry.tags) if entry is not None else 0
    found = hashlib.sha256(line.encode()).hexdigest()
    if found != expected:
        if len(odd) < MOST:
            odd.append(Odd(where, (number, number), expected, lambda _: found))
        return
    if row is None:
        told.tell("removed", where, "what is searched of the record (`requests`) is gone")
    elif entry is not None:
        _check_columns(where, entry, row, batch.tags.get(number, ()), told)


def _beside(number: int, batch: Batch) -> str:
    """Between which others of the batch a row was."""
    there = {each: entry.row.id for each, entry in batch.entries.items() if entry is not None}
    before = max((each for each in there if each < number), default=None)
    behind = min((each for each in there if each > number), default=None)
    said = [f"behind {there[before]}"] if before is not None else []
    said += [f"in front of {there[behind]}"] if behind is not None else []
    return f" ({', '.join(said)})" if said else ""


def _check_columns(where: str, entry: Entry, row: Row, tags: Sequence[tuple[str, float]], told: Verified) -> None:
    """What is searched of a record is what stands in its line."""
    for name, expected, found in zip(REQUEST[1:], entry.row, row[1:], strict=True):
        if expected != found:
            told.tell("changed", where, f"its `{name}` in `requests` is not that of the record")
            return
    if sorted(tags) != [(tag, entry.row.time) for tag in entry.tags]:
        told.tell("changed", where, "its tags are not those of the record")


async def _check_added(database: Database, told: Verified) -> None:
    """Rows that no link knows of: in front of the first one, or behind the last."""
    if told.head is None and not told.checkpoints:
        ((told.unchained,),) = await database.rows("SELECT COUNT(*) FROM lines")
        return
    ((first, last),) = await database.rows(
        "SELECT COALESCE(MIN(first), 1), COALESCE(MAX(last), 0) FROM record_chain WHERE kind = 'rows'"
    )
    if first > 1:
        ((told.unchained,),) = await database.rows("SELECT COUNT(*) FROM lines WHERE number < ?", first)
    if not told.since:
        ((count,),) = await database.rows("SELECT COUNT(*) FROM tags WHERE number BETWEEN ? AND ?", first, last)
        if count > told.tags:
            await _name_added_tags(database, (first, last), told)
    for table in ("lines", "requests", "tags"):
        rows = await database.rows(
            f"SELECT number FROM {table} WHERE number > (SELECT COALESCE(MAX(last), 0) FROM record_chain) "  # noqa: S608
            f"OR number < {1 if first == 1 else -(1 << 62)} LIMIT {MOST}"
        )
        for (number,) in rows:
            told.tell("added", f"row {number} of `{table}`", "it is no part of the chain")


async def _name_added_tags(database: Database, span: tuple[int, int], told: Verified) -> None:
    """Those that stand in no record; all are looked at, as there are too many."""
    place: tuple[Any, ...] = ("", -1.0, 0)
    while rows := await database.rows(
        "SELECT tags.tag, tags.time, tags.number, lines.line FROM tags LEFT JOIN lines ON lines.number = tags.number "  # noqa: S608
        f"WHERE (tags.tag, tags.time, tags.number) > (?, ?, ?) ORDER BY 1, 2, 3 LIMIT {PAGE}",
        *place,
    ):
        for tag, _, number, line in rows:
            entry = read(line.encode()) if line is not None else None
            if span[0] <= number <= span[1] and (entry is None or tag not in entry.tags):
                told.tell(
                    "added", entry.row.id if entry is not None else f"row {number}", f"the tag {tag!r} is not its"
                )
        place = tuple(rows[-1][:3])
