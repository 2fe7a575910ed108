"""Who is told what of alerts, and when: routes, silences, reminders, groups, and tries until it was taken."""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import msgspec

from headgate.alerts.alert import Alert
from headgate.alerts.book import Book
from headgate.alerts.channels.channel import Channel, Item, Message, Undelivered
from headgate.alerts.engine import Event
from headgate.alerts.rule import Channel as Told
from headgate.alerts.rule import Rule, Silence, fits
from headgate.core.printable import printable
from headgate.core.unforeseen import unforeseen

log = logging.getLogger("headgate.alerts")

What = Literal["firing", "resolved", "repeated"]
SHORTEST, LONGEST = 2.0, 300.0
"""Seconds between two tries, the first and the last."""
GIVEN_UP = 86_400.0
"""Seconds after which what nobody takes is not sent any more."""
PATIENCE = 30.0
"""Seconds for one try."""
MOST = 2000
"""Notices that wait for one channel; of more, the oldest go."""
_encode = msgspec.json.Encoder().encode


class Notice(msgspec.Struct, kw_only=True):
    """That one channel is to be told of one alert, as it was then; those of one `batch` go together, again and again
    under the same name, so that who has had it knows."""

    id: str
    channel: str
    what: What
    alert: Alert
    made: float
    due: float
    tries: int = 0
    batch: str | None = None


class Desk:
    """`connect` makes a channel by what the configuration says of it."""

    def __init__(self, book: Book, connect: Callable[[Told], Channel]) -> None:
        self.sent: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self._book = book
        self._connect = connect
        self._channels: dict[str, Told] = {}
        self._silences: Sequence[Silence] = ()
        self._rules: dict[str, Rule] = {}
        self._group_wait, self._repeat = 10.0, 14_400.0
        self._url: str | None = None
        self._notices: dict[str, Notice] = {}
        self._busy: dict[str, asyncio.Task[None]] = {}

    def configure(
        self, rules: Iterable[Rule], channels: Iterable[Told], silences: Sequence[Silence],
        *, group_wait: float, repeat: float, url: str | None,
    ) -> None:  # fmt: skip
        self._rules = {rule.name: rule for rule in rules}
        self._channels = {channel.name: channel for channel in channels}
        self._silences = silences
        self._group_wait, self._repeat, self._url = group_wait, repeat, url

    @property
    def waiting(self) -> int:
        return len(self._notices)

    def take(self, bodies: Iterable[bytes], now: float) -> None:
        """Notices that were written down, by us before a restart or by an instance that is gone."""
        for body in bodies:
            try:
                notice = msgspec.json.decode(body, type=Notice)
            except msgspec.DecodeError:
                continue  # another version's
            if notice.id not in self._notices:
                notice.due = min(notice.due, now + LONGEST)
                self._notices[notice.id] = notice
                self._write(notice)

    def told(self, events: Iterable[Event], alerts: Iterable[Alert], now: float) -> None:
        """What has just become of alerts, and all that are: whoever is to know of it will."""
        for became, alert in events:
            self._book.happened(alert.id, became, alert.why or alert.summary, now)
            if became == "resolved":
                for name in alert.told:
                    channel = self._channels.get(name)
                    if channel is not None and not self._unsaid(name, alert, now) and channel.resolved:
                        self._add(name, "resolved", alert, now)
        for alert in alerts:
            if alert.state == "firing":
                self._firing(alert, now)

    def _unsaid(self, channel: str, alert: Alert, now: float) -> bool:
        """Whether it was over before the channel was told of it: then it need not be."""
        of_both = [each for each in self._notices.values() if each.channel == channel and each.alert.id == alert.id]
        if not of_both or any(each.what != "firing" or each.batch is not None for each in of_both):
            return False
        for notice in of_both:
            self._drop(notice, "it was over before", now)
        return True

    def _firing(self, alert: Alert, now: float) -> None:
        silence = self._silenced(alert, now)
        if silence is not None:
            if alert.silence != silence.name:
                alert.silence = silence.name
                about = f"by {silence.by or 'the configuration'}: {silence.name}"
                self._book.happened(
                    alert.id, "silenced", f"{about} ({silence.reason})" if silence.reason else about, now
                )
                self._book.alert(alert, now)
            return
        rule = self._rules.get(alert.rule)
        every = rule.repeat if rule is not None and rule.repeat is not None else self._repeat
        again = bool(alert.told) and now - alert.reminded >= every
        new = [name for name in self._whom(alert, rule) if again or name not in alert.told]
        if not new and alert.silence is None:
            return
        for name in new:
            self._add(name, "repeated" if name in alert.told else "firing", alert, now)
        alert.told = list(dict.fromkeys([*alert.told, *new]))
        alert.reminded, alert.silence = now if new else alert.reminded, None
        self._book.alert(alert, now)

    def _silenced(self, alert: Alert, now: float) -> Silence | None:
        fitting = (each for each in self._silences if each.since <= now < each.until and fits(each.match, alert.labels))
        return next(fitting, None)

    def _whom(self, alert: Alert, rule: Rule | None) -> list[str]:
        """A rule's own channels, else each whose labels fit."""
        if rule is not None and rule.channels:
            return [name for name in rule.channels if name in self._channels]
        return [name for name, channel in self._channels.items() if fits(channel.match, alert.labels)]

    def _add(self, channel: str, what: What, alert: Alert, now: float) -> None:
        copy = msgspec.structs.replace(alert)
        id, due = secrets.token_hex(10), now + self._group_wait
        notice = Notice(id=id, channel=channel, what=what, alert=copy, made=now, due=due)
        of_channel = [each.id for each in self._notices.values() if each.channel == channel]
        for old in of_channel[: len(of_channel) + 1 - MOST]:
            self._drop(self._notices[old], "too many wait", now)
        self._notices[id] = notice
        self._write(notice)

    def _write(self, notice: Notice) -> None:
        self._book.notice(notice.id, notice.made, _encode(notice))

    def deliver(self, now: float) -> None:
        """Begin to send what is due: one message at a time to each channel."""
        by_channel: dict[str, list[Notice]] = defaultdict(list)
        for notice in self._notices.values():
            by_channel[notice.channel].append(notice)
        for name, notices in by_channel.items():
            if name in self._busy:
                continue
            told = self._channels.get(name)
            if told is None:
                for notice in notices:
                    self._drop(notice, "its channel is gone", now)
                continue
            batch = self._batch(notices, now)
            if batch:
                self._busy[name] = asyncio.get_running_loop().create_task(self._send(told, batch, now))

    def _batch(self, notices: Sequence[Notice], now: float) -> list[Notice]:
        """What goes into one message: what was tried together, else all of a rule, once one of it is due."""
        due = min(notices, key=lambda each: each.due)
        if due.due > now:
            return []
        if due.batch is not None:
            return [each for each in notices if each.batch == due.batch]
        together = [each for each in notices if each.batch is None and each.alert.rule == due.alert.rule]
        batch = secrets.token_hex(10)
        for notice in together:
            notice.batch = batch
            self._write(notice)
        return together

    async def _send(self, told: Told, batch: Sequence[Notice], now: float) -> None:
        items = [Item(each.what, each.alert) for each in batch]
        message = Message(id=batch[0].batch or batch[0].id, rule=batch[0].alert.rule, items=items, url=self._url)
        await self._book.flush()  # under which name it goes is known after a restart, too
        try:
            async with asyncio.timeout(PATIENCE):
                await self._connect(told).send(message)
        except TimeoutError:
            self._again(told.name, batch, Undelivered(f"no answer within {PATIENCE:g} s"), now)
        except Undelivered as error:
            self._again(told.name, batch, error, now)
        except Exception as error:  # noqa: BLE001 - a channel may be somebody else's; it keeps nobody from being told
            self._again(told.name, batch, Undelivered(f"the channel failed: {unforeseen(error)}"), now)
        else:
            self.sent[told.name] += 1
            for notice in batch:
                self._notices.pop(notice.id, None)
                self._book.sent(notice.id)
                self._book.happened(notice.alert.id, "told", f"{told.name}: {notice.what}", now)
        finally:
            del self._busy[told.name]
            await self._book.flush()

    def _again(self, channel: str, batch: Sequence[Notice], error: Undelivered, now: float) -> None:
        self.failed[channel] += 1
        tries = batch[0].tries + 1
        wait = max(min(SHORTEST * 2 ** (tries - 1), LONGEST) * random.uniform(0.8, 1.0), error.after or 0.0)  # noqa: S311
        why = printable(str(error), limit=300)
        if tries == 1 or not error.again:
            log.warning("the channel %r was not told of %s: %s", channel, batch[0].alert.rule, why)
        for notice in batch:
            notice.tries, notice.due = tries, now + wait
            if not error.again or now - notice.made > GIVEN_UP:
                self._drop(notice, why, now)
            else:
                self._write(notice)

    def _drop(self, notice: Notice, why: str, now: float) -> None:
        self._notices.pop(notice.id, None)
        self._book.sent(notice.id)
        self._book.happened(notice.alert.id, "failed", f"{notice.channel}: {why}", now)

    async def settle(self, seconds: float) -> None:
        """Wait for what is being sent."""
        if self._busy:
            await asyncio.wait(self._busy.values(), timeout=seconds)
