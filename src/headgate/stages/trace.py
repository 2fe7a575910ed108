"""Make the request part of a trace, of which spans are made later, from its record, if it is to be seen."""

from __future__ import annotations

from collections.abc import Awaitable

from headgate.core.exchange import Exchange
from headgate.core.ids import name_task
from headgate.core.reply import Reply
from headgate.core.trace import Sampling, Tracing
from headgate.stages.stage import Proceed


class Trace:
    """The first within `record`. No coroutine of its own: it has nothing to wait for."""

    def __init__(self, sampling: Sampling) -> None:
        self.sampling = sampling
        self._below = round(sampling.ratio * 2**64)

    def __call__(self, exchange: Exchange, proceed: Proceed) -> Awaitable[Reply]:
        tracing = exchange.trace = Tracing(self.sampling, self._below, exchange.headers)
        if tracing.sampled or tracing.said is not None:  # somebody may look for it
            name_task(exchange.id, tracing.id)
        exchange.ending.callback(self._end, exchange)
        return proceed(exchange)

    def _end(self, exchange: Exchange) -> None:
        tracing = exchange.trace
        assert tracing is not None
        kept = tracing.kept(exchange)
        if not kept:
            for attempt in exchange.attempts:
                attempt.began = None
            if tracing.said is None:
                return  # nobody has heard of it
        trace = exchange.record.trace = tracing.over()
        if kept:
            trace.kept = True
            begun = [(name, round(mark - exchange.clock, 6)) for name, mark in tracing.marks]
            trace.stages = [("authenticate", 0.0), *begun]
            for attempt in exchange.attempts:
                attempt.began = round(attempt.began, 6) if attempt.began is not None else None
            trace.method, trace.operation = exchange.method, exchange.dialect.operation
            if exchange.place is not None:
                raw = exchange.dialect.takes == "raw"
                trace.route = f"/{exchange.place.model}" if raw else exchange.place.template
