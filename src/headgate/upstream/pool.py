"""The connections to one origin: the last one used is the next one taken, and who waits is served in order."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from headgate.core.errors import Overloaded, ProviderTimeout, ProviderUnreachable
from headgate.upstream.connection import Connection, Limits
from headgate.upstream.dialer import Dialer
from headgate.upstream.proxy import Proxy, place

if TYPE_CHECKING:
    from headgate.core.target import Origin, Timeouts
    from headgate.upstream.deadlines import Deadlines
    from headgate.upstream.public import Resolve
    from headgate.upstream.tls import SessionContext


@dataclass(slots=True, frozen=True)
class PoolStats:
    """Connections to one origin: open now (idle and in use, those being made included), and opened so far."""

    open: int
    idle: int
    in_use: int
    opened: int
    waiting: int


class Pool:
    """At most `most` connections to `origin`.

    A slot is counted in `_open` from before the connection is made until it is gone; a freed slot or connection passes
    directly to whoever has waited longest.
    """

    def __init__(
        self,
        origin: Origin,
        proxy: Proxy | None,
        tls: SessionContext,
        watch: Deadlines,
        limits: Limits,
        most: int,
        resolve: Resolve | None = None,
    ) -> None:
        self._dialer = Dialer(origin, proxy, tls, resolve)
        self._host = origin.host
        self._where = place(origin.host, origin.port)
        self._tls = tls
        self._watch = watch
        self._limits = limits
        self._most = most
        self._open = 0
        self._opened = 0
        self._idle: dict[Connection, None] = {}
        self._waiters: deque[asyncio.Future[Connection | None]] = deque()
        self._closed = False
        self.forward = proxy if proxy is not None and origin.scheme == "http" else None
        """The proxy that wants whole URLs, for http://."""

    def take(self) -> Connection | None:
        """The connection that became idle last, if any is idle."""
        return self._idle.popitem()[0] if self._idle else None

    async def acquire(self, timeouts: Timeouts) -> Connection:
        """A new connection, or the next that becomes free when there are too many.

        Raises ProviderUnreachable, ProviderTimeout, or Overloaded when the client is being closed.
        """
        if self._closed:
            raise closing()
        if self._open >= self._most and self._idle:
            self._idle.popitem()[0].discard()  # asked for a fresh one
        if self._open < self._most:
            self._open += 1
            return await self._dial(timeouts)
        connection = await self._queue(timeouts.connect)
        if connection is None:
            return await self._dial(timeouts)
        return connection if connection.alive else await self.acquire(timeouts)

    async def _queue(self, seconds: float) -> Connection | None:
        """Wait in line. None stands for a slot: it is counted already, the connection is still to be made."""
        waiter: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        served = False
        try:
            async with asyncio.timeout(seconds):
                connection = await waiter
            served = True
        except TimeoutError:
            raise ProviderTimeout(
                f"All {self._most} connections to {self._where} were in use for {seconds:g} s. Allow more of them "
                "(upstream.max_connections), or fewer requests at a time."
            ) from None
        finally:
            if not served:
                self._give_back(waiter)
        return connection

    def _give_back(self, waiter: asyncio.Future[Connection | None]) -> None:
        """Who waited has gone: what was handed to it meanwhile goes to the next."""
        if not waiter.done():
            waiter.cancel()
        if waiter.cancelled() or waiter.exception() is not None:
            return
        connection = waiter.result()
        if connection is None:
            self._free_slot()
        elif connection.alive:
            self._free(connection)

    async def _dial(self, timeouts: Timeouts) -> Connection:
        connection = Connection(asyncio.get_running_loop(), self._watch, self._limits, self._where)
        try:
            await self._dialer.dial(connection, timeouts.connect)
            self._check(connection)
        except BaseException:
            connection.discard()
            self._free_slot()
            raise
        self._opened += 1
        connection.free = self._free
        connection.gone = self._gone
        self._watch.members.add(connection)
        return connection

    def _check(self, connection: Connection) -> None:
        if self._closed:
            connection.discard()
            raise closing()
        if not connection.alive:
            raise ProviderUnreachable(f"No connection to {self._where}: it was closed as soon as it was open.")

    def _free(self, connection: Connection) -> None:
        if connection.served == 1 and connection.secure is not None:
            self._tls.keep(self._host, connection.secure)
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        if self._closed:
            connection.discard()
        else:
            self._idle[connection] = None

    def _gone(self, connection: Connection) -> None:
        self._idle.pop(connection, None)
        self._watch.members.discard(connection)
        self._free_slot()

    def _free_slot(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
        self._open -= 1

    def close(self) -> None:
        """Take no more requests; close what is idle. What is in use closes when it becomes free."""
        self._closed = True
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(closing())
        self._waiters.clear()
        for connection in list(self._idle):
            connection.discard()

    def let_go(self) -> bool:
        """Close what is idle, if nothing is in use and nobody waits; whether it is so."""
        if self._waiters or self._open > len(self._idle):
            return False
        for connection in list(self._idle):
            connection.discard()
        return True

    def stats(self) -> PoolStats:
        idle = len(self._idle)
        waiting = sum(not waiter.done() for waiter in self._waiters.copy())
        return PoolStats(self._open, idle, self._open - idle, self._opened, waiting)


def closing() -> Overloaded:
    """What a request gets that comes while the client is being closed, or is still under way when it has been."""
    return Overloaded("The gateway is shutting down and asks providers nothing more. Try again.", retry_after=1.0)
