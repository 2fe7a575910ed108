"""The contract of a stage, and how stages become one callable."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from headgate.core.exchange import Exchange
from headgate.core.reply import Reply
from headgate.core.target import Target

Clock = Callable[[], float]
"""Seconds that only advance, as of `time.monotonic`."""
Proceed = Callable[[Exchange], Awaitable[Reply]]


class Stage(Protocol):
    """One step of a request's way: look, change, answer by itself, or call `proceed` and look at what comes back.

    A stage of your own is a class whose instances are called like this, named in the configuration by its dotted
    path; its settings are the keyword arguments of its constructor.
    """

    def __call__(self, exchange: Exchange, proceed: Proceed) -> Awaitable[Reply]:
        """Mostly an `async def`; one that most requests only pass gives back what `proceed` gives, unawaited."""


class Taken(Protocol):
    """What an attempt at a target holds of limits, until one of these says what it came to; a second call does
    nothing."""

    def unasked(self) -> None:
        """Nothing was sent."""

    def unanswered(self) -> None:
        """It was asked, and there is no answer."""

    def left(self) -> None:
        """It was given up before there was an answer."""

    def over(self, reply: Reply) -> None:
        """The reply has come to its end, or not."""


class Allowance(Protocol):
    """Who is asked for leave before a target is asked."""

    async def take(self, exchange: Exchange, target: Target, seconds: float, *, patient: bool) -> Taken | None:
        """None: nothing limits it. Waits for at most so many `seconds`, and only if it is `patient`. Raises
        LimitExceeded, PriceUnknown."""


class Checked:
    """Somebody else's stage: what it gives back is looked at, so that a forgotten `return` is told by its name."""

    def __init__(self, name: str, stage: Stage) -> None:
        self.name = name
        self.stage = stage

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Reply:
        if exchange.trace is not None:
            exchange.trace.marks.append((self.name, time.perf_counter()))
        reply = await self.stage(exchange, proceed)
        if not isinstance(reply, Reply):
            raise TypeError(
                f"the stage {self.name} gave back {type(reply).__name__}, not a Reply: it must return what "
                "`await proceed(exchange)` gives, or a Reply of its own"
            )
        return reply


class Reread:
    """Behind somebody else's stages: what is known of the headers is found out anew, as there may be others now."""

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Reply:
        exchange.named, exchange._labels, exchange.memo = dict(exchange.headers), None, None
        return await proceed(exchange)


def chain(stages: Sequence[Stage], last: Proceed) -> Proceed:
    """The stages around `last`, first one outermost; built once, not per request."""
    proceed = last
    for stage in reversed(stages):
        proceed = _link(stage.__call__, proceed)
    return proceed


def _link(call: Callable[[Exchange, Proceed], Awaitable[Reply]], behind: Proceed) -> Proceed:
    """A third of what a `functools.partial` with a keyword takes."""

    def proceed(exchange: Exchange) -> Awaitable[Reply]:
        return call(exchange, behind)

    return proceed
