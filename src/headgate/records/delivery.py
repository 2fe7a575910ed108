"""Brings the journal's records to one sink, batch by batch, each with an id that stays the same when it is sent again.

What is sent next is written down before it is sent, and that it was sent, afterwards. So a process that is killed
sends the same batch once more, and no record is left out; and whatever the sink does, nobody else waits for it.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from headgate.journal.segments import segments
from headgate.records import progress as stored
from headgate.records.drain import lines, source
from headgate.records.progress import Range
from headgate.records.selection import Selection
from headgate.records.sinks.sink import Away, Batch, Item, Sink, Unfit
from headgate.records.status import undrained

Tell = Callable[[str, str], None]
"""A level of `logging` by its name, and a sentence."""
SAID = 300
"""Characters of what a sink says of its refusal."""


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
        self._send(piece)
        self.progress.sending = None
        self.progress.positions[piece.segment] = piece.end
        self._save()
        return True

    def failed(self, error: Exception, now: float) -> None:
        """A turn has come to nothing."""
        why = str(error) if isinstance(error, Away) else getattr(error, "strerror", None) or type(error).__name__
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
        there = {segment.path.name for segment in segments(self._folder)}
        lost = 0
        for name in [name for name in {**self._sizes, **self.progress.positions} if name not in there]:
            lost += max(self._sizes.pop(name, 0) - self.progress.positions.pop(name, 0), 0)
            self._waiting.pop(name, None)
            if self.progress.sending is not None and self.progress.sending.segment == name:
                self.progress.sending = None
        if lost:
            self._lost(lost)

    def _lost(self, count: int) -> None:
        self.progress.lost_bytes += count
        told = f"{count} bytes of the journal were deleted before the sink {self.name} had them: see journal.max_bytes"
        self._tell("error", told)

    def _next(self, now: float, last: bool) -> Range | None:
        for path, start, size in undrained(self._folder, self.progress.positions):
            self._sizes[path.name] = size
            began = self._waiting.setdefault(path.name, now)
            enough = size - start >= self._settings.batch_bytes or now - began >= self._settings.batch_seconds
            if enough or last:
                data = lines(path, start, self._settings.batch_bytes)
                if data:
                    self._waiting.pop(path.name)
                    return Range(path.name, start, start + len(data))
        return None

    def _send(self, piece: Range) -> None:
        data = lines(self._folder / piece.segment, piece.start, piece.end - piece.start)
        if missing := piece.end - piece.start - len(data):
            self._lost(missing)
        items = [item for line in data.split(b"\n")[:-1] if (item := self._item(piece, line)) is not None]
        if not items:
            return
        stem = piece.segment.partition(".jsonl")[0].replace(".", "")
        name = f"{self._source}-{stem}-{piece.start:012d}-{piece.end:012d}"
        taken, refused = self._put(Batch(name, items))
        if refused and not taken:
            raise Away(f"it refuses all of them: {refused[0][1]}")
        for item, why in refused:
            self._tell("error", f"the sink {self.name} does not take the record {item.id}: {why[:SAID]}")
        self.progress.delivered += taken
        self.progress.unfit += len(refused)

    def _item(self, piece: Range, line: bytes) -> Item | None:
        try:
            item = self._selection.item(line)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self.progress.unfit += 1
            self._tell("warning", f"{piece.segment}: a damaged line is not sent to the sink {self.name}")
            return None
        if item is None:
            self.progress.skipped += 1
        return item

    def _put(self, batch: Batch) -> tuple[int, list[tuple[Item, str]]]:
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
        told = f"the sink {self.name} does not take {left.records} of {len(batch.items)} records: {left.why[:SAID]}"
        self._tell("error", told)
        return len(batch.items) - left.records, []
