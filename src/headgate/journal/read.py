"""The reading end of the journal: records of all workers in order: forwards, from the end backwards, as they come."""

from __future__ import annotations

import heapq
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

from headgate.core.errors import Origin
from headgate.core.record import Ending, Record
from headgate.journal.segments import BLOCK, segments, sound_end

_BIG_BLOCK = 1 << 20
_SLACK = 5.0
"""Seconds a request may have been over before the segment it is in was opened."""
_DECODER = msgspec.json.Decoder(Record)


class Stored(NamedTuple):
    """A record, and its line (without the line feed) exactly as it is in the file."""

    raw: bytes
    record: Record

    @property
    def finished(self) -> float:
        """When the request was over, in Unix seconds: what the journal is ordered by."""
        return self.record.time + self.record.duration


Ends = Mapping[Path, int]
"""How far to read each segment; a segment that is not in it is not read."""


EQUAL = (
    "key", "model", "ending", "error", "origin", "client", "organisation", "team", "application", "user", "end_user",
    "data_class",
)  # fmt: skip
"""Filters that are the value of the record's field of this name."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which records are wanted; None does not care.

    `id` is any part of an id; `target` provider/model or a provider; `statuses` the lowest and highest status; `since`
    and `until` are Unix seconds, compared with the time the request came in: from `since` on, before `until`;
    `min_cost` is nanodollars, of all answers together; `text` are words of what was said, of which no record tells.
    """

    id: str | None = None
    key: str | None = None
    model: str | None = None
    target: str | None = None
    statuses: tuple[int, int] | None = None
    ending: Ending | None = None
    since: float | None = None
    until: float | None = None
    error: str | None = None
    origin: Origin | None = None
    client: str | None = None
    organisation: str | None = None
    team: str | None = None
    application: str | None = None
    user: str | None = None
    end_user: str | None = None
    data_class: str | None = None
    tag: str | None = None
    min_cost: int | None = None
    min_seconds: float | None = None
    trace: str | None = None
    text: str | None = None

    def passes(self, record: Record) -> bool:
        for name in EQUAL:
            wanted = getattr(self, name)
            if wanted is not None and getattr(record, name) != wanted:
                return False
        return self.text is None and (
            (self.id is None or self.id in record.id)
            and (self.target is None or self._hits(record.target))
            and (self.statuses is None or self.statuses[0] <= record.status <= self.statuses[1])
            and (self.since is None or record.time >= self.since)
            and (self.until is None or record.time < self.until)
            and (self.tag is None or self.tag in record.tags)
            and (self.trace is None or (record.trace is not None and record.trace.id == self.trace))
            and (self.min_cost is None or (record.spent() or 0) >= self.min_cost)
            and (self.min_seconds is None or record.duration >= self.min_seconds)
        )

    def _hits(self, target: str | None) -> bool:
        return target is not None and (target == self.target or target.startswith(f"{self.target}/"))

    @property
    def needle(self) -> bytes | None:
        """Bytes every wanted line holds, to find them before anything is decoded."""
        rarest = (
            self.id or self.trace or self.end_user or self.error or self.client or self.user or self.key or self.tag
            or self.application or self.team or self.target or self.model
        )  # fmt: skip
        if not rarest:
            return None
        # what was typed at a terminal may be no text at all, which no record holds
        return msgspec.json.encode(rarest.encode("utf-8", "backslashreplace").decode())[1:-1]


EVERYTHING = Filter()
_HIGHEST = 6
"""Digits of a status at most."""


def statuses(text: str | None) -> tuple[int, int] | None:
    """The lowest and highest of `429` or `5xx`. Raises ValueError."""
    if text is None:
        return None
    text = text.lower()
    if not text.isascii() or len(text) > _HIGHEST:
        text = ""
    if len(text) == 3 and text[0].isdigit() and text[1:] == "xx":
        return int(text[0]) * 100, int(text[0]) * 100 + 99
    if not text.isdigit():
        raise ValueError("that is no status: give a number such as 429, or a class such as 5xx")
    return int(text), int(text)


class Source(Protocol):
    """Where records are read."""

    where: str
    """In words."""

    def read(self, want: Filter) -> Iterator[Stored]:
        """All that are wanted, in their order."""

    def latest(self, count: int, want: Filter) -> list[Stored]:
        """The last of them, in their order."""

    def find(self, want: Filter, most: int) -> list[Stored]:
        """Of an id or a part of one, at most so many; the one whose whole id it is, alone."""

    def follow(self, want: Filter, last: int) -> Iterator[Stored]:
        """The last of them (with `since`, all), then each new one."""


class Files:
    """The journal alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.where = str(folder)

    def read(self, want: Filter) -> Iterator[Stored]:
        return read(self.folder, want)

    def latest(self, count: int, want: Filter) -> list[Stored]:
        return latest(self.folder, count, want)

    def find(self, want: Filter, most: int) -> list[Stored]:
        return find(self.folder, want, most)

    def follow(self, want: Filter, last: int) -> Iterator[Stored]:
        return follow(self.folder, want, last=last)


def read(folder: Path, want: Filter = EVERYTHING, ends: Ends | None = None) -> Iterator[Stored]:
    """Wanted records of all workers, in the order they finished; lazily, few files open at a time.

    Torn or damaged lines are passed over, and so are segments deleted meanwhile.
    """
    waiting = [segment for segment in reversed(segments(folder)) if ends is None or segment.path in ends]
    heap: list[tuple[float, int, Stored, Iterator[tuple[float, Stored]]]] = []
    count = 0
    while waiting or heap:
        while waiting and (not heap or waiting[-1].start - _SLACK <= heap[0][0]):
            segment = waiting.pop()
            flow = _ordered(forwards(segment.path, want, None if ends is None else ends[segment.path]))
            for finished, stored in islice(flow, 1):
                count += 1
                heapq.heappush(heap, (finished, count, stored, flow))
        if not heap:
            continue
        _, number, stored, flow = heap[0]
        yield stored
        following = next(flow, None)
        if following is None:
            heapq.heappop(heap)
        else:
            heapq.heapreplace(heap, (following[0], number, following[1], flow))


def latest(folder: Path, count: int, want: Filter = EVERYTHING, ends: Ends | None = None) -> list[Stored]:
    """The `count` wanted records that finished last, in order; read from the ends of the files backwards."""
    if count <= 0:
        return []
    sized = []
    for segment in segments(folder):
        end = _end(segment.path) if ends is None else ends.get(segment.path, 0)
        last = next(_backwards(segment.path, EVERYTHING, end), None)
        if last is not None:
            sized.append((last.finished, segment.path, end))
    sized.sort(key=itemgetter(0), reverse=True)
    best: list[Stored] = []
    for finished, path, end in sized:
        if len(best) >= count and best[-count].finished > finished:
            break
        best += islice(_backwards(path, want, end), count)
        best.sort(key=lambda stored: stored.finished)
        del best[: max(0, len(best) - count)]
    return best


def find(folder: Path, want: Filter, most: int) -> list[Stored]:
    """Wanted records, one of each id, the newest first and at most so many; alone the one whose whole id is `want.id`.

    Newest segments are searched first, as bytes: only lines that hold the id are decoded.
    """
    found: dict[str, Stored] = {}
    for segment in reversed(segments(folder)):
        for stored in _backwards(segment.path, want, _end(segment.path)):
            if stored.record.id == want.id:
                return [stored]
            found.setdefault(stored.record.id, stored)
            if len(found) == most:
                return list(found.values())
    return list(found.values())


def follow(
    folder: Path,
    want: Filter = EVERYTHING,
    *,
    last: int = 10,
    poll: float = 0.2,
    stopped: Callable[[], bool] = lambda: False,
    before: Callable[[], Iterator[Stored]] | None = None,
) -> Iterator[Stored]:
    """The `last` wanted records (with `since`, all of them), then each new one of any worker as it is written.

    Looks every `poll` seconds, also for new segments; ends when `stopped` says so. `before` gives what comes first
    instead, of which nothing is given again.
    """
    read_to = {segment.path: _end(segment.path) for segment in segments(folder)}
    shown: set[str] = set()
    if before is not None:
        for stored in before():
            shown.add(stored.record.id)
            yield stored
    elif want.since is not None:
        yield from read(folder, want, dict(read_to))
    elif last:
        yield from latest(folder, last, want, read_to)
    while not stopped():
        found: list[Stored] = []
        for segment in segments(folder):
            start = read_to.get(segment.path, 0)
            read_to[segment.path] = end = _end(segment.path, start)
            found += (one for one in forwards(segment.path, want, end, start) if one.record.id not in shown)
        found.sort(key=lambda stored: stored.finished)
        yield from found
        if not found:
            time.sleep(poll)


def _end(path: Path, start: int = 0) -> int:
    """Where the last whole line ends; `start`, a known line's start, spares a look where nothing was added."""
    try:
        with open(path, "rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            return sound_end(file.fileno(), size) if size > start else start
    except FileNotFoundError:
        return start


def _ordered(flow: Iterator[Stored]) -> Iterator[tuple[float, Stored]]:
    """With a key that never falls: one worker's lines stand as they were finished, whatever its clock said."""
    newest = 0.0
    for stored in flow:
        newest = max(newest, stored.finished)
        yield newest, stored


def forwards(path: Path, want: Filter, end: int | None = None, start: int = 0) -> Iterator[Stored]:
    """Wanted records of one segment between two places, each the start of a line."""
    try:
        file = open(path, "rb", buffering=0)  # noqa: SIM115 - closed below, with the generator
    except FileNotFoundError:
        return
    with file:
        file.seek(start)
        left = None if end is None else end - start
        needle, rest = want.needle, b""
        while left is None or left > 0:
            block = file.read(_BIG_BLOCK if left is None else min(left, _BIG_BLOCK))
            if not block:
                break
            left = None if left is None else left - len(block)
            block = rest + block
            cut = block.rfind(b"\n") + 1
            rest = block[cut:]
            if needle is None or block.find(needle, 0, cut) >= 0:
                yield from _wanted(block[:cut].split(b"\n"), want, needle)


def _backwards(path: Path, want: Filter, end: int) -> Iterator[Stored]:
    """Wanted records before `end` (the end of a whole line), last first; stops at what finished before `since`."""
    try:
        file = open(path, "rb", buffering=0)  # noqa: SIM115 - closed below, with the generator
    except FileNotFoundError:
        return
    needle, rest, width = want.needle, b"", BLOCK
    with file:
        while end > 0:
            start = max(0, end - width)
            block = os.pread(file.fileno(), end - start, start) + rest
            cut = block.find(b"\n") + 1 if start else 0
            if start and not cut:
                rest, end = block, start
                continue
            rest, end, width = block[:cut], start, _BIG_BLOCK
            if want.since is not None and _before(block[cut:], want.since):
                return
            if needle is None or block.find(needle, cut) >= 0:
                yield from _wanted(block[cut:].split(b"\n")[::-1], want, needle)


def _before(block: bytes, since: float) -> bool:
    """The block's last record had finished before `since`, so that nothing in front of it can be wanted."""
    last = _decode(block.rstrip(b"\n").rpartition(b"\n")[2])
    return last is not None and last.finished < since


def _wanted(lines: list[bytes], want: Filter, needle: bytes | None) -> Iterator[Stored]:
    everything = want is EVERYTHING
    for line in lines:
        if not line or (needle is not None and needle not in line):
            continue
        stored = _decode(line)
        if stored is not None and (everything or want.passes(stored.record)):
            yield stored


def _decode(line: bytes) -> Stored | None:
    try:
        return Stored(line, _DECODER.decode(line))
    except (msgspec.DecodeError, UnicodeDecodeError):
        if line.startswith(b"\0"):  # zeros of a power cut, in front of a line that survived it
            return _decode(line.lstrip(b"\0"))
        return None
