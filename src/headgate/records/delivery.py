"""Brings the journal's records to one sink, batch by batch, each with an id that stays the same when it is sent again.

What is sent next is written down before it is sent, and that it was sent, afterwards. So a process that is killed
sends the same batch once more, and no record is left out; and whatever the sink does, nobody else waits for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

import msgspec
from pydantic import SecretStr

from headgate.core.secrecy import LONG
from headgate.core.unforeseen import unforeseen
from headgate.journal.segments import segments
from headgate.records import progress as stored
from headgate.records.drain import lines, source
from headgate.records.progress import Range
from headgate.records.selection import Selection
from headgate.records.sinks.sink import Away, Batch, Item, Settings, Sink, Unfit
from headgate.records.status import undrained
from headgate.telemetry.logs import Redactor

Tell = Callable[[str, str], None]
"""A level of `logging` by its name, and a sentence."""
Refusal = tuple[Item, str]
"""A record, and why."""
SAID = 300
"""Characters of what a sink says of its refusal."""
SOME = 64 << 10
"""Bytes of records by which it is found out whether a sink takes any, where it has refused all of a batch."""


class Outcome(NamedTuple):
    """Of sending a piece: records taken, those refused, those that the sink is not to get, damaged lines."""

    taken: int
    refused: list[Refusal]
    skipped: int
    damaged: int


class Delivery:
    """To one sink, of one data directory."""

    def __init__(self, data_dir: Path, name: str, sink: Sink, tell: Tell) -> None:
        self.name = name
        self.sink = sink
        self.progress = stored.load(data_dir, name)
        self.progress.kind = sink.settings.kind
        self._data_dir = data_dir
        self._source = source(data_dir)
        self._folder = data_dir / "journal"
        self._settings = sink.settings
        self._selection = Selection(sink.settings)
        self._tell = tell
        self._redact = Redactor(secrets(sink.settings))
        self._sizes: dict[str, int] = {}
        """Of each segment, as last seen."""
        self._waiting: dict[str, float] = {}
        """Since when each segment has had something to send."""

    def turn(self, now: float, *, last: bool = False) -> bool:
        """Send a batch, if there is enough for one or it has waited long enough; `last`: whatever there is.

        Whether there is more. Raises Away, OSError.
        """
        self._look()
        if self.progress.sending is None:
            self.progress.sending = self._next(now, last)
            if self.progress.sending is None:
                return False
            self._save()
        piece = self.progress.sending
        outcome = self._send(piece)
        if outcome.refused and not outcome.taken and not self._takes_others(piece):
            raise Away(f"it refuses all of them: {outcome.refused[0][1]}")
        self._sent(piece, outcome)
        self.progress.sending = self.progress.trying = None
        self._save()
        return True

    def failed(self, error: Exception, now: float) -> None:
        """A turn has come to nothing."""
        why = str(error) if isinstance(error, Away) else getattr(error, "strerror", None) or unforeseen(error)
        why = self._redact(why)  # what refuses likes to repeat what it was sent
        if self.progress.away is None:
            self._tell("warning", f"the sink {self.name} takes no records, which wait in the journal: {why[:SAID]}")
            self.progress.since = now
        self.progress.away = why[:SAID]
        self.progress.failures += 1
        with suppress(OSError):  # of a full disk the journal tells
            self._save()

    def worked(self) -> None:
        if self.progress.away is None:
            return
        self._tell("info", f"the sink {self.name} takes records again")
        self.progress.away = self.progress.since = None
        with suppress(OSError):
            self._save()

    def _save(self) -> None:
        stored.save(self._data_dir, self.name, self.progress)

    def _look(self) -> None:
        """See what has been deleted since, and whether it had been sent."""
        there = _sizes(self._folder)
        lost = 0
        for name in [name for name in {**self._sizes, **self.progress.positions} if name not in there]:
            lost += max(self._sizes.get(name, 0) - self.progress.positions.pop(name, 0), 0)
            self._waiting.pop(name, None)
            if self.progress.sending is not None and self.progress.sending.segment == name:
                self.progress.sending = None
            if self.progress.trying is not None and self.progress.trying.segment == name:
                self.progress.trying = None
        self._sizes = there
        if lost:
            self._lost(lost)

    def _lost(self, count: int) -> None:
        self.progress.lost_bytes += count
        told = f"{count} bytes of the journal were deleted before the sink {self.name} had them: see journal.max_bytes"
        self._tell("error", told)

    def _next(self, now: float, last: bool) -> Range | None:
        for path, start, size in undrained(self._folder, self.progress.positions):
            began = self._waiting.setdefault(path.name, now)
            enough = size - start >= self._settings.batch_bytes or now - began >= self._settings.batch_seconds
            if enough or last:
                data = lines(path, start, self._settings.batch_bytes)
                if data:
                    self._waiting.pop(path.name)
                    return Range(path.name, start, start + len(data))
        return None

    def _send(self, piece: Range) -> Outcome:
        """Raises Away."""
        data = lines(self._folder / piece.segment, piece.start, piece.end - piece.start)
        if missing := piece.end - piece.start - len(data):
            self._lost(missing)
        items, skipped, damaged = self._items(data)
        if not items:
            return Outcome(0, [], skipped, damaged)
        stem = piece.segment.partition(".jsonl")[0].replace(".", "")
        name = f"{self._source}-{stem}-{piece.start:012d}-{piece.end:012d}"
        return Outcome(*self._put(Batch(name, items)), skipped, damaged)

    def _items(self, data: bytes) -> tuple[list[Item], int, int]:
        """Those that the sink gets, how many it does not, and how many lines are damaged."""
        items: list[Item] = []
        skipped = damaged = 0
        for line in data.split(b"\n")[:-1]:
            try:
                item = self._selection.item(line)
            except (msgspec.DecodeError, UnicodeDecodeError):
                damaged += 1
                continue
            if item is None:
                skipped += 1
            else:
                items.append(item)
        return items, skipped, damaged

    def _sent(self, piece: Range, outcome: Outcome) -> None:
        """Count it, once for all, however often it was tried."""
        for item, why in outcome.refused:
            self._tell("error", f"the sink {self.name} does not take the record {item.id}: {self._redact(why)[:SAID]}")
        if outcome.damaged:
            told = f"{piece.segment}: {outcome.damaged} damaged lines are not sent to the sink {self.name}"
            self._tell("warning", told)
        self.progress.delivered += outcome.taken
        self.progress.skipped += outcome.skipped
        self.progress.unfit += len(outcome.refused) + outcome.damaged
        self.progress.positions[piece.segment] = max(self.progress.positions.get(piece.segment, 0), piece.end)

    def _takes_others(self, piece: Range) -> bool:
        """Whether it takes anything of what comes behind a batch of which it refuses all. Then the fault is with these
        records, which keep out nothing else; if not, it may be with the sink. Raises Away, OSError."""
        trying = self.progress.trying
        for other in [trying] if trying is not None else self._others(piece):
            self.progress.trying = other
            self._save()
            outcome = self._send(other)
            self.progress.trying = None
            if outcome.taken:
                self._sent(other, outcome)
                return True
        self._save()
        return False

    def _others(self, piece: Range) -> Iterator[Range]:
        """Some of what comes behind it, of each segment."""
        positions = {**self.progress.positions, piece.segment: piece.end}
        for path, start, _ in undrained(self._folder, positions):
            data = lines(path, start, SOME)
            if data:
                yield Range(path.name, start, start + len(data))

    def _put(self, batch: Batch) -> tuple[int, list[Refusal]]:
        """How many it has taken, and those that it refuses alone, which are found by halves. Raises Away."""
        try:
            left = self.sink.send(batch)
        except Unfit as error:
            if len(batch.items) == 1:
                return 0, [(batch.items[0], str(error))]
            half = len(batch.items) // 2
            parts = Batch(f"{batch.id}-a", batch.items[:half]), Batch(f"{batch.id}-b", batch.items[half:])
            taken, refused = zip(*map(self._put, parts), strict=True)
            return sum(taken), [each for some in refused for each in some]
        if left is None:
            return len(batch.items), []
        self.progress.unfit += left.records
        why = self._redact(left.why)[:SAID]
        told = f"the sink {self.name} does not take {left.records} of {len(batch.items)} records: {why}"
        self._tell("error", told)
        return len(batch.items) - left.records, []


def _sizes(folder: Path) -> dict[str, int]:
    """Of each segment."""
    found: dict[str, int] = {}
    for segment in segments(folder):
        with suppress(FileNotFoundError):
            found[segment.path.name] = segment.path.stat().st_size
    return found


def secrets(settings: Settings) -> Iterator[str]:
    """What a sink is told and nobody else may read: also the token behind `Bearer`, and what an address asks with."""
    for name, value in settings:
        for each in value.values() if isinstance(value, Mapping) else [value]:
            if isinstance(each, SecretStr):
                secret = each.get_secret_value()
                yield from {secret, secret.rpartition(" ")[2]}
        if name == "url":
            yield from (word for _, word in parse_qsl(urlsplit(value).query) if len(word) >= LONG)
