"""Make the request part of a trace, of which spans are made later, from its record, if it is to be seen."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Sequence

from headgate.core.exchange import Exchange
from headgate.core.ids import name_task
from headgate.core.reply import Reply
from headgate.core.trace import Sampling, Tracing
from headgate.stages.stage import Checked, Proceed, Stage

TOLD = frozenset({"authenticate", "receive", "limit", "route", "retry"})
"""Stages whose beginning is noted; the others take no time of their own, or it is that of an attempt."""


class Trace:
    """The first within `record`. No coroutine of its own: it has nothing to wait for."""

    def __init__(self, sampling: Sampling, names: Sequence[str]) -> None:
        """`names` of the stages whose beginning is noted, in their order."""
        self.sampling = sampling
        self.names = names
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
            begun = [round(mark - exchange.clock, 6) for mark in tracing.marks]
            trace.stages = list(zip(self.names, begun, strict=False))  # what is tried again begins again
            for attempt in exchange.attempts:
                attempt.began = round(attempt.began, 6) if attempt.began is not None else None
            trace.method, trace.operation = exchange.method, exchange.dialect.operation
            if exchange.place is not None:
                raw = exchange.dialect.takes == "raw"
                trace.route = f"/{exchange.place.model}" if raw else exchange.place.template


class Marked:
    """A stage whose beginning is noted."""

    __slots__ = ("stage",)

    def __init__(self, stage: Stage) -> None:
        self.stage = stage

    def __call__(self, exchange: Exchange, proceed: Proceed) -> Awaitable[Reply]:
        exchange.trace.marks.append(time.perf_counter())  # type: ignore[union-attr]  # `Trace` comes first
        return self.stage(exchange, proceed=proceed)


def traced(stages: Sequence[Stage], sampling: Sampling) -> list[Stage]:
    """The stages of a request, with what makes a trace of it behind the first of them."""
    record, *others = stages
    names = [_name(stage) for stage in others]
    marked = [Marked(stage) if name else stage for name, stage in zip(names, others, strict=True)]
    return [record, Trace(sampling, [name for name in names if name]), *marked]  # type: ignore[list-item]


def _name(stage: Stage) -> str:
    """ "" where its beginning is not noted."""
    if isinstance(stage, Checked):
        return stage.name
    name = type(stage).__module__.removeprefix("headgate.stages.")
    return name if name in TOLD else ""
