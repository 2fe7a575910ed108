"""Records out of the database, and beside them those that the journal has not brought there yet."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import AbstractContextManager, closing, nullcontext, suppress
from heapq import merge
from itertools import chain, repeat
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import unquote

import msgspec

from headgate.core.record import Record
from headgate.journal.read import Files, Filter, Source, Stored, follow, forwards
from headgate.records import statements as sql
from headgate.records.clickhouse import ClickHouseSettings, Engine
from headgate.records.payloads.statements import FEW, held, query, said
from headgate.records.search import (
    AT_ONCE,
    Block,
    Condition,
    Place,
    Scope,
    Search,
    candidates,
    direct,
    groups,
    named,
    within,
)  # fmt: skip
from headgate.records.status import undrained
from headgate.store.database import Database, Patience, StoreAway, connect

T = TypeVar("T")
PATIENCE = Patience(2.0, 30.0)
PAGE = 500
REST = 8 << 20
"""Bytes of the journal that a page looks through, of what is not in the database yet."""
_record = msgspec.json.Decoder(Record).decode


class Page(NamedTuple):
    """Records in order. `behind` is bytes of the journal that are neither in the database nor were looked at."""

    items: list[Stored]
    behind: int


class Records:
    """The database of a data directory. What is asked raises StoreAway, or OSError of the journal."""

    def __init__(self, data_dir: Path, url: str | None, search: ClickHouseSettings | None = None) -> None:
        """`url` None: there is no database, only the journal. `search`: where is searched instead."""
        self.data_dir = data_dir
        self.folder = data_dir / "journal"
        self._url = url
        self._database: Database | None = None
        self._engine = Engine(search) if search is not None else None

    @property
    def there(self) -> bool:
        """Whether there is one yet: a file is made by the first record."""
        if self._engine is not None:
            return True
        return self._stored_there

    @property
    def _stored_there(self) -> bool:
        if self._url is None:
            return False
        if self._shared:
            return True
        return Path(unquote(self._url.removeprefix("sqlite:///"))).exists()

    @property
    def _shared(self) -> bool:
        """It is a PostgreSQL."""
        return self._url is not None and not self._url.startswith("sqlite:///")

    async def page(self, search: Search, most: int | None = REST) -> Page:
        """A page of what is searched for; of what is not in the database yet, at most so many bytes are looked at."""
        rest, behind = await self.rest(search, most)
        return Page(_merged(await self.stored(search), rest, search), behind)

    async def stored(self, search: Search, *whole: Condition) -> list[Stored]:
        """A page of the database alone. Raises ValueError for a text without words."""
        if search.want.text is not None:  # what was said is in the database itself, whoever else has the records
            whole = (*whole, await self._said(search.want.text))
        elif self._engine is not None:
            return list(map(_stored, await self._engine.lines(search, whole)))
        numbers = [number for number, _, _ in await self._found(search, whole)]
        lines: dict[int, str] = {}
        for at in range(0, len(numbers), PAGE):
            some = numbers[at : at + PAGE]
            marks = ", ".join("?" * len(some))
            found = await self.rows(f"SELECT number, line FROM lines WHERE number IN ({marks})", *some)  # noqa: S608
            lines.update((number, line) for number, line in found)
        return [_stored(lines[number]) for number in numbers if number in lines]

    async def _said(self, text: str) -> Condition:
        asked = query(text, postgres=self._shared)
        statement, values = held(asked, postgres=self._shared)
        found = await self.rows(statement, *values)
        return said(asked, few=len(found) <= FEW, postgres=self._shared)

    async def _found(self, search: Search, whole: Sequence[Condition]) -> list[Sequence[Any]]:
        """Number, time and id of each record, in order."""
        wanted = groups(search)
        if whole or not wanted:
            text, values = direct(search, *whole)
            return await self.rows(text, *values)
        found: list[Sequence[Any]] = []
        after: Block | None = None
        steps = chain(AT_ONCE, repeat(AT_ONCE[-1])) if all(wanted) else ()
        for count in steps:
            text, values = candidates(search, wanted, after, count)
            blocks = [Block(*row) for row in await self.rows(text, *values)]
            if blocks:
                text, values = within(search, blocks)
                found += await self.rows(text, *values)
                found.sort(key=itemgetter(1, 2), reverse=search.newest_first)
                del found[search.limit :]
                after = blocks[-1]
            if len(blocks) < count or (len(found) == search.limit and _settled(search, found[-1][1], blocks[-1])):
                break
        return found

    async def rest(self, search: Search, most: int | None = None) -> tuple[list[Stored], int]:
        """What is wanted of what is not in the database yet, and how many bytes were not looked at."""
        return await asyncio.to_thread(self._rest, await self.positions(), search, most)

    async def find(self, want: Filter, most: int, scope: Scope | None = None) -> list[Stored]:
        """Of an id or a part of one, the newest; the one whose whole id it is, alone."""
        assert want.id is not None
        search = Search(want, most, scope)
        rest, _ = await self.rest(search)
        rows: list[Stored] = []
        if not any(each.record.id == want.id for each in rest):
            for condition in await self._ways(want.id):
                rows = [each for each in await self.stored(search, condition) if want.passes(each.record)]
                if rows:
                    break
        found = _merged(rows, rest, search)
        return [each for each in found if each.record.id == want.id] or found

    async def one(self, id: str, scope: Scope | None) -> Stored | None:
        """The request of an id, if it is in the database, or in the newest of what is not there yet."""
        search = Search(Filter(id), 1, scope)
        rest, _ = await self.rest(search, REST)
        rest = [each for each in rest if each.record.id == id]
        found = rest or await self.stored(search, ("requests.id = ?", [id]))
        return found[0] if found else None

    async def _ways(self, id: str) -> list[Condition]:
        if self._engine is not None:
            return self._engine.ways(id)
        spans = await self.rows("SELECT MIN(time), MAX(time) FROM requests")
        first, last = spans[0] if spans and spans[0][0] is not None else (0.0, 0.0)
        return list(named(id, first, last))

    async def positions(self) -> dict[str, int]:
        """How far each of our segments has been read into the database."""
        if self._engine is not None:
            return self._engine.positions(self.data_dir)
        return {str(name): int(position) for name, position in await self.rows(sql.POSITIONS, self.source())}

    def source(self) -> str:
        """The name of our data directory in the database; "" where there is none yet."""
        with suppress(FileNotFoundError):
            return (self.data_dir / sql.SOURCE).read_text("utf-8").strip()
        return ""

    async def rows(self, text: str, *values: Any) -> list[Sequence[Any]]:
        """What a statement finds; nothing where there is no database yet."""
        if self._database is None:
            if not self._stored_there or self._url is None:
                return []
            self._database = connect(self._url, PATIENCE)
        return await self._database.rows(text, *values)

    async def run(self, text: str, *values: Any) -> int:
        """How many rows a statement has changed, where there is a database."""
        await self.rows("SELECT 1")
        return await self._database.run(text, *values) if self._database is not None else 0

    async def close(self) -> None:
        database, self._database = self._database, None
        if database is not None:
            await database.close()
        if self._engine is not None:
            await self._engine.close()

    def _rest(self, positions: dict[str, int], search: Search, most: int | None) -> tuple[list[Stored], int]:
        """The newest segments first."""
        found: list[Stored] = []
        behind, left = 0, most
        for path, start, end in reversed(list(undrained(self.folder, positions))):
            first = start if left is None or left >= end - start else _line(path, end - left, end)
            behind += first - start
            found += (each for each in forwards(path, search.want, end, first) if _fits(each, search))
            left = None if left is None else max(left - (end - first), 0)
        return found, behind


def _settled(search: Search, time: float, block: Block) -> bool:
    """Whether all blocks behind this one lie beyond a time."""
    return block.reach < time if search.newest_first else block.reach > time


def _line(path: Path, place: int, end: int) -> int:
    """Where the first line begins behind a place."""
    with suppress(FileNotFoundError), path.open("rb") as file:
        file.seek(place)
        file.readline()
        return min(file.tell(), end)
    return end


def _stored(line: str) -> Stored:
    raw = line.encode()
    return Stored(raw, _record(raw))


def place(stored: Stored) -> Place:
    return Place(stored.record.time, stored.record.id)


def _fits(stored: Stored, search: Search) -> bool:
    if search.scope is not None and not search.scope.holds(stored.record):
        return False
    if search.behind is None:
        return True
    return place(stored) < search.behind if search.newest_first else place(stored) > search.behind


def _merged(found: Sequence[Stored], rest: Sequence[Stored], search: Search) -> list[Stored]:
    """Both, in order, each record once, as many as are wanted."""
    each = {stored.record.id: stored for stored in chain(rest, found)}
    ordered = sorted(((place(stored), stored) for stored in each.values()), key=itemgetter(0))
    if search.newest_first:
        ordered.reverse()
    return [stored for _, stored in ordered[: search.limit]]


class Reader:
    """Both as commands read them (`journal.read.Source`); the journal alone where there is no database yet, or it is
    away, which `tell` is told of."""

    def __init__(self, records: Records, data_dir: Path, tell: Callable[[str], None]) -> None:
        self._records = records
        self._files = Files(data_dir / "journal")
        self._tell = tell
        self._runner = asyncio.Runner()
        self.where = f"{data_dir} and its database"

    def read(self, want: Filter) -> Iterator[Stored]:
        first = Search(want, PAGE, newest_first=False)
        if self._asked(self._records.positions()) is None:
            yield from self._files.read(want)
            return
        rest, _ = self._run(self._records.rest(first))
        rest.sort(key=place)
        known = {stored.record.id for stored in rest}
        there = (stored for stored in self._pages(first) if stored.record.id not in known)
        yield from merge(there, rest, key=place)

    def latest(self, count: int, want: Filter) -> list[Stored]:
        found = self._asked(self._records.page(Search(want, count), None))
        return found.items[::-1] if found is not None else self._files.latest(count, want)

    def find(self, want: Filter, most: int) -> list[Stored]:
        found = self._asked(self._records.find(want, most))
        return found if found is not None else self._files.find(want, most)

    def follow(self, want: Filter, last: int) -> Iterator[Stored]:
        def before() -> Iterator[Stored]:
            return self.read(want) if want.since is not None else iter(self.latest(last, want) if last else ())

        return follow(self._files.folder, want, before=before)

    def close(self) -> None:
        self._runner.run(self._records.close())
        self._runner.close()

    def _pages(self, search: Search) -> Iterator[Stored]:
        while True:
            found = self._run(self._records.stored(search))
            yield from found
            if len(found) < search.limit:
                return
            search = search._replace(behind=place(found[-1]))

    def _asked(self, question: Coroutine[Any, Any, T]) -> T | None:
        """The answer; None where the database is not there or away."""
        if not self._records.there:
            question.close()
            return None
        try:
            return self._runner.run(question)
        except StoreAway as away:
            self._tell(f"the database of records is away, only the journal is read: {away}")
            return None

    def _run(self, question: Coroutine[Any, Any, T]) -> T:
        try:
            return self._runner.run(question)
        except StoreAway as away:
            raise OSError(errno.EIO, str(away)) from away


def source(
    data_dir: Path, url: str | None, search: ClickHouseSettings | None, tell: Callable[[str], None]
) -> AbstractContextManager[Source]:
    """Where the records of a data directory are read: its database (None: it has none) and its journal."""
    if url is None and search is None:
        return nullcontext(Files(data_dir / "journal"))
    return closing(Reader(Records(data_dir, url, search), data_dir, tell))
