"""Checks a chain: that its links are whole, that the rows are those they were made of, that checkpoints still fit."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from headgate.core.chain import COLUMNS, Link, Ranges
from headgate.store import chain as audit
from headgate.store import checkpoints as signed
from headgate.store.checkpoints import Chained, Checkpoint
from headgate.store.database import Database, Row

PAGE = 500
MOST = 1000
"""Problems that are told of one chain."""
What = Literal["changed", "removed", "moved", "added", "cut", "unsigned"]


class Problem(NamedTuple):
    """`where`: the id of a record or an entry of the audit, a link or a checkpoint."""

    what: What
    where: str
    message: str


class Odd(NamedTuple):
    """A row that is not what the chain says."""

    where: str
    place: tuple[int, int]
    expected: str
    """The digest of what should be there."""
    found: Callable[[tuple[int, int]], str]
    """The digest that what is there would have at some place."""


@dataclass(slots=True)
class Verified:
    """What was checked of a chain, and what is wrong."""

    chain: str
    links: int = 0
    rows: int = 0
    tags: int = 0
    """Of records."""
    purged: int = 0
    """Rows that are gone by purges, which the chain tells."""
    unchained: int = 0
    """Rows from before there was a chain."""
    checkpoints: int = 0
    since: int = 0
    """The link behind which it was checked."""
    head: Link | None = None
    signed: Checkpoint | None = None
    """The last checkpoint that fits."""
    problems: list[Problem] = field(default_factory=list)

    def tell(self, what: What, where: str, message: str) -> None:
        if len(self.problems) < MOST:
            self.problems.append(Problem(what, where, message))

    def tell_odd(self, odd: Sequence[Odd]) -> None:
        """Rows that are somewhere else than they were are moved, all others changed."""
        for each in odd:
            places = (other for other in odd if other is not each and each.found(other.place) == other.expected)
            there = next(places, None)
            if there is not None:
                self.tell("moved", each.where, f"what stands here is what stood at {there.where}")
            else:
                self.tell("changed", each.where, "it is not what it was when it was written")


class Purged:
    """Numbers that purges took, as ranges."""

    def __init__(self, ranges: Iterable[tuple[int, int]]) -> None:
        self._ranges: list[tuple[int, int]] = []
        for first, last in sorted(ranges):
            if self._ranges and first <= self._ranges[-1][1] + 1:
                self._ranges[-1] = (self._ranges[-1][0], max(last, self._ranges[-1][1]))
            else:
                self._ranges.append((first, last))

    def __contains__(self, number: int) -> bool:
        at = bisect_right(self._ranges, (number, 1 << 63)) - 1
        return at >= 0 and self._ranges[at][0] <= number <= self._ranges[at][1]


def taken(body: str) -> Ranges:
    """What a purge took; nothing, where its body is none."""
    try:
        return [(int(first), int(last)) for first, last in json.loads(body)["ranges"]]
    except (ValueError, KeyError, TypeError):
        return []


class Chain:
    """A chain's links, in their order, checked as they come."""

    def __init__(
        self, database: Database, of: Chained, checkpoints: Collection[Checkpoint], begin: Checkpoint | None
    ) -> None:
        self._database = database
        self._of = of
        self._last: tuple[int, str] = (begin.number, begin.hash) if begin is not None else (0, "")
        self._signed: dict[int, list[Checkpoint]] = {}
        for each in checkpoints:
            self._signed.setdefault(each.number, []).append(each)
        self.verified = Verified(of.name, since=self._last[0])

    async def pages(self) -> AsyncIterator[list[Link]]:
        """Of those that are there now; those that come meanwhile are left out."""
        ((end,),) = await self._database.rows(f"SELECT COALESCE(MAX(number), 0) FROM {self._of.table}")  # noqa: S608
        while self._last[0] < end:
            rows = await self._database.rows(
                f"SELECT {', '.join(COLUMNS)} FROM {self._of.table} WHERE number > ? AND number <= ? "  # noqa: S608
                f"ORDER BY number LIMIT {PAGE}",
                self._last[0], end,
            )  # fmt: skip
            page = [Link._make(row) for row in rows]
            for link in page:
                self._check(link)
            if not page:
                break
            yield page
        for number in sorted(self._signed):
            if number > self._last[0]:
                self.verified.tell("cut", f"link {number}", f"the chain ends at link {self._last[0]}; it was longer")

    async def purged(self) -> Purged:
        rows = await self._database.rows(f"SELECT body FROM {self._of.table} WHERE kind = 'purge'")  # noqa: S608 - ours
        return Purged(each for (body,) in rows for each in taken(body))

    def _check(self, link: Link) -> None:
        number, hash = self._last
        if link.number != number + 1:
            missing = f"link {number + 1}" if link.number == number + 2 else f"links {number + 1} to {link.number - 1}"
            self.verified.tell("removed", missing, "the chain has a gap here")
        elif not link.fits(hash):
            self.verified.tell("changed", f"link {link.number}", "its hash is not that of what it says")
        for each in self._signed.get(link.number, ()):
            if each.hash == link.hash:
                self.verified.signed = each
            else:
                self.verified.tell(
                    "changed", f"link {link.number}", f"checkpoint {each.sequence} was signed of another chain"
                )
        self._last = link.number, link.hash
        self.verified.links += 1
        self.verified.head = link


async def trusted(
    database: Database, of: Chained, keys: Mapping[str, str], elsewhere: Iterable[Checkpoint], told: Verified
) -> list[Checkpoint]:
    """Checkpoints that are genuine: those beside the chain, and those that were kept elsewhere."""
    beside = await signed.known(database, of)
    for each, expected in zip(beside, range(beside[0].sequence if beside else 1, 1 << 62), strict=False):
        if each.sequence != expected:
            told.tell("removed", f"checkpoint {expected}", "it is missing between others")
            break
    if beside and beside[0].sequence != 1:
        told.tell("removed", "checkpoint 1", "the first ones are missing")
    found = []
    for each in (*beside, *(each for each in elsewhere if each.chain == of.name)):
        if each.genuine(keys):
            found.append(each)
        else:
            why = "signed with a key that is not known" if each.key not in keys else "its signature is not genuine"
            told.tell("unsigned", f"checkpoint {each.sequence}", why)
    told.checkpoints = len({each.sequence for each in found})
    return found


async def opened(
    database: Database, of: Chained, keys: Mapping[str, str], since: Checkpoint | None, elsewhere: Iterable[Checkpoint]
) -> tuple[Chain, Purged]:
    """A chain with what its checkpoints say of it, and what a purge has taken out of it."""
    first = Verified(of.name)
    chain = Chain(database, of, await trusted(database, of, keys, elsewhere, first), since)
    chain.verified.checkpoints, chain.verified.problems = first.checkpoints, first.problems
    return chain, await chain.purged()


async def verify_audit(database: Database, keys: Mapping[str, str], since: Checkpoint | None = None,
                       elsewhere: Sequence[Checkpoint] = ()) -> Verified:  # fmt: skip
    """The audit of changes, and who looked at what. Raises StoreAway."""
    chain, purged = await opened(database, signed.AUDIT, keys, since, elsewhere)
    told = chain.verified
    odd: list[Odd] = []
    async for page in chain.pages():
        links = [link for link in page if link.kind == "rows"]
        entries = await _entries(database, links)
        if any((link.first, link.last) not in entries and link.number not in purged for link in links):
            purged = await chain.purged()  # also of what went meanwhile
        for link in links:
            _check_entry(link, entries.get((link.first, link.last)), link.number in purged, told, odd)
    told.tell_odd(odd)
    await _check_added(database, told)
    return told


def _check_entry(link: Link, entry: Row | None, purged: bool, told: Verified, odd: list[Odd]) -> None:
    where = f"{link.first}.{link.last}"
    if entry is None:
        if purged:
            told.purged += 1
        else:
            told.tell("removed", where, "the entry is gone, and no purge took it")
        return
    told.rows += 1
    if purged:
        told.tell("added", where, "a purge took the entry, and it is there again")
    if audit.outer(entry) != link.digest and len(odd) < MOST:
        rest = entry[2:]
        odd.append(Odd(where, (link.first, link.last), link.digest, lambda place: audit.outer((*place, *rest))))


async def _entries(database: Database, links: Sequence[Link]) -> dict[tuple[int, int], Row]:
    if not links:
        return {}
    revisions = [link.first for link in links]
    rows = await database.rows(
        f"SELECT {', '.join(audit.ENTRY)} FROM audit WHERE revision BETWEEN ? AND ?",  # noqa: S608 - our names
        min(revisions), max(revisions),
    )  # fmt: skip
    return {(int(row[0]), int(row[1])): row for row in rows}


async def _check_added(database: Database, told: Verified) -> None:
    """Entries that are no link of the chain; where there is none yet, it begins with the next entry."""
    if told.head is None and not told.checkpoints:
        ((told.unchained,),) = await database.rows("SELECT COUNT(*) FROM audit")
        return
    rows = await database.rows(
        "SELECT revision, number FROM audit WHERE NOT EXISTS (SELECT 1 FROM audit_chain WHERE kind = 'rows' "  # noqa: S608
        f"AND first = revision AND last = audit.number) ORDER BY revision, number LIMIT {MOST}"
    )
    for revision, number in rows:
        told.tell("added", f"{revision}.{number}", "the entry is no link of the chain")
