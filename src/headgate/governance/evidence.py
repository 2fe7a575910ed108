"""A file of records with the proof that each is as it was written: for an investigation, or for whom they are about.

Lines of JSON: first what was asked for and the public keys, then the records, the links of the chain from each to the
next signed checkpoint, these checkpoints, and last how many records there are.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from headgate.core.chain import COLUMNS, Link
from headgate.governance.databases import Databases
from headgate.journal.read import Filter
from headgate.records.payloads.reading import one
from headgate.records.payloads.reading import told as payload_told
from headgate.records.reading import Records, place
from headgate.records.search import Search
from headgate.store import checkpoints as signed
from headgate.store.checkpoints import RECORDS, take
from headgate.store.database import Database
from headgate.store.signing import able, own, signer

FORM = "headgate evidence 1"
PAGE = 500
Line = dict[str, Any]


class Asked(NamedTuple):
    """Whose records; `said` is that in words of the command, for the file."""

    want: Filter
    said: Mapping[str, Any]
    payloads: bool = False
    """Also what was said in them, as far as it is kept. The chain does not prove it."""


async def evidence(databases: Databases, asked: Asked, now: float, *, proof: bool = True) -> AsyncIterator[Line]:
    """The file's lines. What is not in the database yet is not in it. Without `proof`, only the records are of use, and
    nothing is signed for them. Raises StoreAway, Unsealable, Damaged."""
    keys = await _sealed(databases, now) if proof else {}
    said = {name: value for name, value in asked.said.items() if value not in (None, False, ())}
    yield {"evidence": FORM, "made": datetime.fromtimestamp(now, UTC).isoformat(), "asked": said, "keys": keys}
    database, count, links = await databases.records(), 0, set[int]()
    if database is not None:
        async for line in _records(database, databases.searching(), asked.want):
            count += 1
            links.add(line["link"])
            yield line
            if asked.payloads:
                found = await one(databases.searching(), json.loads(line["record"])["id"], databases.seal)
                if found is not None:
                    yield {"payload": payload_told(found)}
        async for line in _proof(database, sorted(links - {0}) if proof else ()):
            yield line
    yield {"end": count}


async def _sealed(databases: Databases, now: float) -> Mapping[str, str]:
    """The public keys, once all that is there is signed; none where nothing can be."""
    records = await databases.records()
    if not able() or records is None:
        return {}
    store, seal = await databases.store(), databases.seal()
    await take(records, RECORDS, await signer(store, seal), round(now * 1e6))
    return await own(store, seal)


async def _records(database: Database, known: Records, want: Filter) -> AsyncIterator[Line]:
    """The oldest first, with where they stand in the chain."""
    search = Search(want, PAGE, newest_first=False)
    while True:
        found = await known.stored(search)
        places = await _places(database, [each.record.id for each in found])
        for each in found:
            number, link = places.get(each.record.id, (0, 0))
            yield {"record": each.raw.decode(), "number": number, "link": link}
        if len(found) < PAGE:
            return
        search = search._replace(behind=place(found[-1]))


async def _places(database: Database, ids: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Row and link of each."""
    if not ids:
        return {}
    marks = ", ".join("?" * len(ids))
    rows = await database.rows(
        "SELECT id, number, (SELECT CASE WHEN first <= requests.number THEN record_chain.number END FROM record_chain "  # noqa: S608
        "WHERE kind = 'rows' AND last >= requests.number ORDER BY last, record_chain.number LIMIT 1) "
        f"FROM requests WHERE id IN ({marks})",
        *ids,
    )
    return {id: (int(number), int(link or 0)) for id, number, link in rows}


async def _proof(database: Database, links: Sequence[int]) -> AsyncIterator[Line]:
    """Each link with the digests beside it, those from it to the next checkpoint, and these."""
    there = await signed.known(database, RECORDS)
    runs, wanted = list(_runs(links, [each.number for each in there])), set(links)
    for first, last in runs:
        async for link, digests in _links(database, first, last):
            line: Line = {"link": link._asdict()}
            if link.number in wanted:
                line["digests"] = digests.hex()
            if link.number == first:
                line["before"] = await _hash(database, first - 1)
            yield line
    ends = {last for _, last in runs}
    for each in there:
        if each.number in ends:
            yield {"checkpoint": each._asdict()}


def _runs(links: Sequence[int], checkpoints: Sequence[int]) -> Iterator[tuple[int, int]]:
    """From each link to the first checkpoint that is not before it; what overlaps is one."""
    current: tuple[int, int] | None = None
    for link in links:
        at = bisect_left(checkpoints, link)
        last = checkpoints[at] if at < len(checkpoints) else link
        if current is not None and link <= current[1] + 1:
            current = current[0], max(current[1], last)
            continue
        if current is not None:
            yield current
        current = link, last
    if current is not None:
        yield current


async def _links(database: Database, first: int, last: int) -> AsyncIterator[tuple[Link, bytes]]:
    text = f"SELECT {', '.join(COLUMNS)}, digests FROM record_chain WHERE number BETWEEN ? AND ? ORDER BY number"  # noqa: S608
    for at in range(first, last + 1, PAGE):
        for row in await database.rows(text, at, min(at + PAGE - 1, last)):
            yield Link._make(row[:-1]), bytes(row[-1])


async def _hash(database: Database, number: int) -> str:
    rows = await database.rows("SELECT hash FROM record_chain WHERE number = ?", number)
    return str(rows[0][0]) if rows else ""


def written(line: Line) -> str:
    return json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n"
