"""Make the request part of a trace, and decide whether spans are made of it: that is done later, from its record."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from math import inf

from headgate.core.errors import GatewayError, Overloaded, RequestError
from headgate.core.exchange import Exchange
from headgate.core.reply import Reply
from headgate.core.trace import Trace as Traced
from headgate.core.trace import new_span, new_trace, said
from headgate.stages.stage import Checked, Proceed, Stage

TOLD = frozenset({"authenticate", "receive", "limit", "route", "retry"})
"""Stages whose beginning is noted; the others take no time of their own, or it is that of an attempt."""


@dataclass(slots=True, frozen=True)
class Sampling:
    """Of which requests spans are made."""

    ratio: float = 0.0
    follow: bool = True
    """A client's own decision counts instead of `ratio`, once it is known who it is."""
    failed: bool = True
    """Of those that fail or break off, anyhow."""
    slower_than: float = inf
    """Seconds: of those that take so long, anyhow."""


class Trace:
    """The first within `record`. What a request that is not sampled costs is an id."""

    def __init__(self, sampling: Sampling) -> None:
        self.sampling = sampling
        self._below = round(sampling.ratio * 2**64)

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Reply:
        trace = exchange.trace = self._begun(exchange)
        exchange.ending.callback(self._end, exchange)
        try:
            reply = await proceed(exchange)
        except GatewayError as error:
            trace.kept = self._kept(exchange, failed=not isinstance(error, RequestError | Overloaded))
            raise
        trace.kept = self._kept(exchange, failed=False)
        return reply

    def _begun(self, exchange: Exchange) -> Traced:
        known = said(exchange.headers)
        if known is None:
            id, low = new_trace()
            return Traced(id, new_span(), sampled=low < self._below)
        if self.sampling.follow:
            return Traced(known.id, new_span(), known.parent, known.state, known.sampled)
        sampled = int(known.id[16:], 16) < self._below
        return Traced(known.id, new_span(), known.parent, known.state, sampled)

    def _kept(self, exchange: Exchange, failed: bool) -> bool:
        """As far as is known now."""
        sampling, trace = self.sampling, exchange.trace
        assert trace is not None
        if trace.sampled and (trace.parent is None or exchange.caller is not None):  # strangers decide nothing
            return True
        return (failed and sampling.failed) or time.perf_counter() - exchange.clock >= sampling.slower_than

    def _end(self, exchange: Exchange) -> None:
        record, trace = exchange.record, exchange.trace
        assert trace is not None
        trace.kept = self._kept(exchange, record.ending in ("failed", "cut"))
        if trace.kept:
            place = exchange.place
            if place is not None:
                trace.route = f"/{place.model}" if exchange.dialect.takes == "raw" else place.template
            trace.method, trace.operation = exchange.method, exchange.dialect.operation
        elif trace.parent is None:
            return  # nobody has heard of it
        else:
            trace.stages = []
        record.trace = trace


class Marked:
    """A stage whose beginning is noted in the trace."""

    __slots__ = ("name", "stage")

    def __init__(self, name: str, stage: Stage) -> None:
        self.name = name
        self.stage = stage

    def __call__(self, exchange: Exchange, proceed: Proceed) -> Awaitable[Reply]:
        assert exchange.trace is not None
        exchange.trace.stages.append((self.name, round(time.perf_counter() - exchange.clock, 6)))
        return self.stage(exchange, proceed=proceed)


def traced(stages: Sequence[Stage], sampling: Sampling) -> list[Stage]:
    """The stages of a request, with what makes a trace of it behind the first of them."""
    record, *others = stages
    return [record, Trace(sampling), *map(_marked, others)]


def _marked(stage: Stage) -> Stage:
    if isinstance(stage, Checked):
        return Marked(stage.name, stage)  # type: ignore[return-value]
    name = type(stage).__module__.removeprefix("headgate.stages.")
    return Marked(name, stage) if name in TOLD else stage  # type: ignore[return-value]
