"""Where requests are heard of: this machine's journal, or the database that several machines share."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from headgate.alerts.seen import Seen, read
from headgate.records import status
from headgate.records.drain import lines
from headgate.records.reading import Records
from headgate.store.database import POSTGRES, StoreAway

BLOCK = 4 << 20
"""Bytes of the journal that are read at once."""
BACK = 32 << 20
"""Bytes of it that are read when nothing is known yet."""
ROWS, ROWS_BACK = 5000, 50_000
BEHIND = 60.0
"""Seconds by which records may be late: what is later does not tell of now."""
Reached = dict[str, int]


class Feed(Protocol):
    reached: Reached
    """How far it was read; it goes on from there after a restart."""
    fresh: bool
    """Whether all that there is was read."""

    async def read(self, now: float) -> list[Seen]:
        """Some more. Raises StoreAway, OSError."""

    async def close(self) -> None: ...


def feed(data_dir: Path, records: str | None) -> Feed:
    shared = records is not None and records.partition(":")[0] in POSTGRES
    return OfDatabase(data_dir, records) if shared else OfJournal(data_dir / "journal")


class OfJournal:
    def __init__(self, folder: Path, back: int = BACK, block: int = BLOCK) -> None:
        self.reached: Reached = {}
        self.fresh = False
        self._folder = folder
        self._back, self._block = back, block

    async def read(self, now: float) -> list[Seen]:
        there = list(status.undrained(self._folder, self.reached))
        if not self.reached:
            left = self._back
            for path, _, end in reversed(there):
                self.reached[path.name] = max(end - max(left, 0), 0)
                left -= end
            there = [(path, self.reached[path.name], end) for path, _, end in there]
        found: list[Seen] = []
        self.fresh = True
        for path, start, end in there:
            data = lines(path, start, self._block)
            self.reached[path.name] = start + len(data)
            found += filter(None, map(read, data.split(b"\n")[:-1]))
            if data and start + len(data) < end:
                self.fresh = False  # there is more of it: next time
                break
        if len(self.reached) > len(there) + 100:
            self.reached = {name: at for name, at in self.reached.items() if (self._folder / name).exists()}
        return found

    async def close(self) -> None:
        """Nothing is open."""


class OfDatabase:
    """By the number of each record, which has no gaps and grows."""

    def __init__(self, data_dir: Path, url: str | None) -> None:
        self.reached: Reached = {}
        self.fresh = False
        self._data_dir = data_dir
        self._records = Records(data_dir, url)

    async def read(self, now: float) -> list[Seen]:
        self.fresh = False
        if "number" not in self.reached:
            ((last,),) = await self._records.rows("SELECT COALESCE(MAX(number), 0) FROM lines")
            self.reached["number"] = max(int(last) - ROWS_BACK, 0)
        rows = await self._records.rows(
            "SELECT number, line FROM lines WHERE number > ? ORDER BY number LIMIT ?", self.reached["number"], ROWS
        )
        if rows:
            self.reached["number"] = int(rows[-1][0])
        late = status.behind(self._data_dir / "journal", status.load(self._data_dir).positions, now)[1]
        self.fresh = len(rows) < ROWS and late < BEHIND
        return [seen for _, line in rows if (seen := read(line)) is not None]

    async def close(self) -> None:
        await self._records.close()


__all__ = ["Feed", "StoreAway", "feed"]
