"""Write the one record of the request when it is over, and count it."""

from __future__ import annotations

import time

from headgate.catalog.cost import bill
from headgate.core.errors import Overloaded
from headgate.core.exchange import Exchange
from headgate.core.fingerprint import Fingerprints
from headgate.core.kept import Classes
from headgate.core.ports import Journal, Meter
from headgate.core.reply import Reply
from headgate.stages.stage import Proceed


class Record:
    """The outermost stage: what it pushes on `ending` first is unwound last, when all is known."""

    def __init__(
        self, journal: Journal, meter: Meter, fingerprints: Fingerprints | None = None, classes: Classes | None = None
    ) -> None:
        self.journal = journal
        self.meter = meter
        self.fingerprints = fingerprints
        self.classes = classes or Classes({})

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Reply:
        if self.journal.full:
            raise Overloaded("records of requests cannot be kept at the moment; try again later", retry_after=1)
        exchange.ending.callback(self.write, exchange)
        reply = await proceed(exchange)
        exchange.reply = reply
        return reply

    def write(self, exchange: Exchange) -> None:
        record = exchange.record
        record.duration = round(time.perf_counter() - exchange.clock, 6)
        record.model, record.effort = exchange.asked or None, exchange.effort
        tags = exchange.tags
        if tags:
            record.tags = list(tags)
        record.stream = exchange.stream
        record.attempts = exchange.attempts
        record.lost = exchange.lost
        if exchange.caller is not None:
            record.key = exchange.caller.key
            record.organisation, record.team, record.application, record.user = exchange.caller.belongs
            record.end_user = exchange.labels.user or None
        record.data_class = self.classes.of(exchange)
        if self.fingerprints is not None and exchange.body:
            record.fingerprint, record.prefix = _marks(exchange, self.fingerprints)
        if exchange.target is not None:
            record.target = exchange.target.name
        record.decision = exchange.decision.told(exchange.target, len(exchange.attempts))
        if exchange.reply is not None:
            account = exchange.reply.account
            record.finish = account.finish
            record.upstream_id = account.id if account.id != exchange.id else None
            if exchange.reply.lost:
                record.lost = [*exchange.lost, *exchange.reply.lost]
        bill(exchange)
        self.journal.append(record)
        self.meter.count(record)


def _marks(exchange: Exchange, fingerprints: Fingerprints) -> tuple[str, str | None]:
    known = exchange.known
    if known is None or known.body is not exchange.body:
        return fingerprints(exchange.body)
    if known.marks is None:
        known.marks = fingerprints(exchange.body)
    return known.marks
