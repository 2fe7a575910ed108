"""The process that watches: beside the gateway, told by it what the configuration says and how its metrics are.

`python -m headgate.alerts.watcher` reads lines of JSON from its standard input, the first of which says where it is;
its end means that the gateway is gone. It may be killed at any moment: alerts, and what is still to be sent, are in the
store.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from headgate.alerts import keeping, saying
from headgate.alerts.alert import resolve
from headgate.alerts.book import Book
from headgate.alerts.channels.channel import Channel
from headgate.alerts.desk import Desk
from headgate.alerts.engine import Engine, Event, place_of
from headgate.alerts.feed import Feed, feed
from headgate.alerts.hearing import Begin, Now, Samples
from headgate.alerts.post import Way, Ways
from headgate.alerts.rule import Channel as OfChannel
from headgate.alerts.rule import Told
from headgate.core.plugin import load
from headgate.records.beside import aside
from headgate.store.database import StoreAway, connect

log = logging.getLogger("headgate.alerts")

LOOK = 1.0
"""Seconds, at most, between two looks at what is due."""
KEEP = 60.0
"""Seconds between two times that sums are written down, and signs of life are given."""
LAST = 3.0
"""Seconds that are left to send what is due, once the gateway is gone."""
LONGEST = 64 << 20


_decode = msgspec.json.Decoder(Begin | Now | Samples).decode


class Watcher:
    def __init__(
        self, begin: Begin, clock: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic
    ) -> None:
        self.data_dir = Path(begin.data_dir)
        self.clock = clock
        self.steady = steady
        self.engine = Engine(begin.me, begin.instance)
        self.book = Book(connect(begin.store), begin.me)
        self.feed: Feed = feed(self.data_dir, begin.records)
        self.told = Told()
        self.ways = Ways()
        self.desk = Desk(self.book, self._channel)
        self._known = False
        """Whether what was before the start is known."""
        self._led = False
        self._turned = self._kept = 0.0
        self._tidied = 0.0
        self._feed_away = False

    async def now(self, told: Told) -> None:
        """From now on as the configuration says."""
        first = not self.engine.rules
        if (told.networks, told.ca_file) != (self.told.networks, self.told.ca_file):
            await self.ways.close()
            self.ways = Ways(told.networks, told.ca_file)
        self.told = told
        self.engine.configure(told.rules)
        if first:
            self.feed.reached = keeping.load(self.data_dir, self.engine.views)
        self.desk.configure(
            told.rules, told.channels, told.silences,
            group_wait=told.group_wait, repeat=told.repeat, url=told.url,
        )  # fmt: skip

    def _channel(self, told: OfChannel) -> Channel:
        kind = load("alerts.channels", told.kind, Channel)  # type: ignore[type-abstract]  # python/mypy#4717
        return kind(kind.Settings.model_validate(told.settings), Way(self.ways, anywhere=told.anywhere))

    async def look(self) -> None:
        """Read what is new; evaluate, where it is time to; send what is due."""
        now = self.clock()
        await self._read(now)
        if now - self._turned >= self.told.every:
            self._turned = now
            await self.turn(now)
        self.desk.deliver(now)
        if now - self._kept >= KEEP:
            self._kept = now
            self.keep()

    async def turn(self, now: float) -> None:
        leading = await self.book.lead(self.steady())
        if not self._known or leading != self._led:
            await self._take(now)
        before = {place: alert.state for place, alert in self.engine.alerts.items()}
        pending = {place: alert for place, alert in self.engine.alerts.items() if alert.state == "pending"}
        events = list(self.engine.turn(now, leading=leading, fresh=self.feed.fresh))
        for _, alert in events:
            self.book.alert(alert, now)
        for place, alert in self.engine.alerts.items():
            if alert.state == "pending" and before.get(place) is None:
                self.book.alert(alert, now)
        resolved = {place_of(alert) for _, alert in events}
        for place, alert in pending.items():
            if place not in self.engine.alerts and place not in resolved:
                self.book.forget(alert)
        self.desk.told(events, self.engine.alerts.values(), now)
        await self.book.flush()
        self.tell()

    async def _take(self, now: float) -> None:
        """What was before: at the start, and when this instance begins to lead."""
        try:
            alerts, notices = await self.book.mine()
            for alert in alerts:
                self.engine.alerts.setdefault(place_of(alert), alert)
            self.desk.take(notices, now)
        except StoreAway as away:
            self.book.why = str(away)
            return
        if self._led and not self.book.leading:
            self.engine.alerts = {place: each for place, each in self.engine.alerts.items() if each.owner}
        self._known, self._led = True, self.book.leading

    async def _read(self, now: float) -> None:
        try:
            for _ in range(20):
                found = await self.feed.read(now)
                for seen in found:
                    self.engine.add(seen)
                if self.feed.fresh or not found:
                    break
            self._feed_away = False
        except (StoreAway, OSError) as error:
            self.feed.fresh = False
            if not self._feed_away:
                log.warning("requests are not heard of, and no alert is about them: %s", error)
            self._feed_away = True

    def keep(self) -> None:
        """Write down what is not in the store."""
        with suppress(OSError):  # of a full disk the journal tells
            keeping.save(self.data_dir, self.feed.reached, self.engine.views)
        self.book.alive((each for each in self.engine.alerts.values() if each.state == "firing"), self.clock())

    async def tidy(self, now: float) -> None:
        """Of whoever leads: what is old goes, and what instances that are gone have left is looked after."""
        if not self.book.leading or now - self._tidied < KEEP:
            return
        self._tidied = now
        self.book.tidy(now - self.told.keep_days * 86_400)
        try:
            alerts, notices = await self.book.orphans(now)
        except StoreAway:
            return
        for alert in alerts:
            event = Event(resolve(alert, now, "its instance is gone"), alert)
            self.book.alert(alert, now)
            self.desk.told([event], [], now)
        self.desk.take(notices, now)

    def tell(self) -> None:
        counts = Counter((each.rule, each.severity) for each in self.engine.alerts.values() if each.state == "firing")
        firing: list[tuple[str, str, int]] = [(*of, count) for of, count in counts.items()]
        status = saying.Status(
            firing, dict(self.desk.sent), dict(self.desk.failed), self.desk.waiting, self.book.leading, self.book.why
        )
        with suppress(OSError):
            saying.save(self.data_dir, status)

    async def end(self) -> None:
        self.keep()
        await self.desk.settle(LAST)
        await self.book.flush()
        self.tell()
        await self.feed.close()
        await self.ways.close()
        await self.book.close()


async def run() -> None:
    reader = asyncio.StreamReader(limit=LONGEST)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    begin = _decode(await reader.readline())
    assert isinstance(begin, Begin)
    sys.path += begin.plugins
    watcher = Watcher(begin)
    with _alone(Path(begin.data_dir)):
        listening = asyncio.get_running_loop().create_task(_listen(reader, watcher))
        while not listening.done():
            if watcher.told.rules:
                await watcher.look()
                await watcher.tidy(watcher.clock())
            await asyncio.wait({listening}, timeout=min(LOOK, watcher.told.every))
        await listening
        await watcher.end()


async def _listen(reader: asyncio.StreamReader, watcher: Watcher) -> None:
    """Until the gateway is gone."""
    while line := await reader.readline():
        said = _decode(line)
        if isinstance(said, Now):
            await watcher.now(said.told)
        elif isinstance(said, Samples):
            watcher.engine.sample(said.items, watcher.clock())


class _alone:
    """Holds the lock of which there is one for a data directory; waits for it."""

    def __init__(self, data_dir: Path) -> None:
        path = data_dir / saying.FILE.with_suffix(".lock")
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        self._fd = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o640)

    def __enter__(self) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)


def main() -> None:
    aside()
    root = logging.getLogger()
    root.addHandler(saying.Out())
    root.setLevel("WARNING")
    asyncio.run(run())


if __name__ == "__main__":
    main()
