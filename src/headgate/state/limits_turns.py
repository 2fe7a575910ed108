"""Lines in front of limits over several processes: which of them has its turn, and who tells it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from headgate.core.limits.meter import Demand, Waiting
from headgate.core.lines import SHARES
from headgate.state.connection import Connection, Refused
from headgate.state.redis import told

log = logging.getLogger("headgate.state")


class Standing(NamedTuple):
    """Where a process stands in line, as the script is told."""

    at: int = 0
    """Which of the request's counters, from 1; 0: it does not."""
    whose: Sequence[tuple[int, str]] = ()

    def told(self) -> Iterator[str | int]:
        """With what a turn of each counts."""
        yield self.at
        yield len(self.whose)
        for priority, tenant in self.whose:
            yield f"{priority} {tenant}"
            yield repr(1 / SHARES[priority])


NOWHERE = Standing()


class Turns:
    """Hears on a process's connection that it is its turn: messages (RESP3) on a channel of its own, subscribed to when
    somebody waits for the first time."""

    def __init__(self, prefix: str, me: str) -> None:
        self.freed: Callable[[str], None] = _nobody
        """Called with the counter."""
        self._prefix = prefix
        self._channel = f"{prefix}turn {me}"
        self._deaf = False
        """The state's user may not hear."""

    def stand(self, connection: Connection, demands: Sequence[Demand], waiting: Waiting) -> Standing:
        if connection.heard is None:
            connection.heard = self._called
            for command in (("HELLO", "3"), ("SUBSCRIBE", self._channel)):
                connection.send(*command).add_done_callback(self._subscribed)
        at = next(at for at, demand in enumerate(demands, 1) if demand.counter == waiting.counter)
        return Standing(at, waiting.whose)

    def _called(self, message: bytes) -> None:
        name = message.decode("utf-8", "replace").removeprefix(self._prefix)
        self.freed(name.partition(" ")[2])

    def _subscribed(self, reply: asyncio.Future[object]) -> None:
        if reply.cancelled():
            return
        error = reply.exception()
        if isinstance(error, Refused) and not self._deaf:
            self._deaf = True
            log.warning("who waits for a limit looks once a second, as the state does not tell: %s", told(error))


def _nobody(counter: str) -> None:
    """Nobody waits."""
