"""A connection to a Redis or Valkey: commands go out as they come, without waiting for the replies to those before."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable
from typing import Any, cast

from headgate.state.address import Address

GRACE = 0.005
"""Seconds in which a process that was itself held up reads what has come meanwhile."""


class Refused(Exception):
    """What the server does not do, in its own words."""


class Connection(asyncio.Protocol):
    """Has to be closed after whatever is raised but Refused.

    With a `patience`, it breaks, with a TimeoutError for all that wait, when a reply has not come in so many seconds.
    """

    def __init__(self) -> None:
        # here, as not everybody has the package for it
        import hiredis

        self.patience: float | None = None
        self.heard: Callable[[bytes], None] | None = None
        """Told of messages, once it has subscribed to any (https://redis.io/docs/latest/develop/reference/protocol-spec,
        pushes)."""
        self._push = hiredis.PushNotification
        self._loop = asyncio.get_running_loop()
        self._pack = hiredis.pack_command
        self._replies = hiredis.Reader(ConnectionError, Refused, notEnoughData=...)
        self._transport: asyncio.Transport | None = None
        self._outgoing: list[bytes] = []
        self._pending: deque[tuple[asyncio.Future[Any], float]] = deque()
        self._watch: asyncio.TimerHandle | None = None
        self._late: asyncio.Future[Any] | None = None
        self._broken: OSError | None = None

    @property
    def pending(self) -> int:
        """Commands whose replies have not come."""
        return len(self._pending)

    @property
    def broken(self) -> bool:
        return self._broken is not None

    def send(self, *command: bytes | str | int) -> asyncio.Future[Any]:
        """The reply to come: bytes, a number, None or a list of such, or Refused, or OSError."""
        reply = self._loop.create_future()
        if self._broken is not None:
            reply.set_exception(self._broken)
            return reply
        if not self._outgoing:
            self._loop.call_soon(self._write)
        self._outgoing.append(self._pack(command))  # type: ignore[arg-type]  # of any length
        now = self._loop.time()
        self._pending.append((reply, now))
        if self.patience is not None and self._watch is None:
            self._watch = self._loop.call_at(now + self.patience, self._check)
        return reply

    async def ask(self, *command: bytes | str | int) -> Any:
        """Raises Refused, OSError."""
        return await self.send(*command)

    def close(self) -> None:
        """At once."""
        self._break(ConnectionAbortedError("the connection was closed"))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._replies.feed(data)
        try:
            while (reply := self._replies.gets()) is not ...:
                self._take(reply)
        except ConnectionError as error:
            self._break(error)

    def connection_lost(self, exc: Exception | None) -> None:
        if isinstance(exc, OSError):
            self._break(exc)
        else:
            self._break(ConnectionResetError("the server has closed the connection"))

    def _take(self, reply: Any) -> None:
        if type(reply) is self._push and reply[0] == b"message":
            if self.heard is not None:
                self.heard(reply[2])
            return
        if not self._pending:
            raise ConnectionError("the server says what it was not asked")
        waiting, _ = self._pending.popleft()
        if waiting.done():  # whoever asked has gone
            return
        if isinstance(reply, Refused):
            waiting.set_exception(reply)
        else:
            waiting.set_result(reply)

    def _write(self) -> None:
        outgoing, self._outgoing = self._outgoing, []
        if self._transport is not None and outgoing:
            self._transport.write(b"".join(outgoing))

    def _check(self) -> None:
        """Whether the oldest reply is overdue; it is looked at twice, as it may be the process that was held up."""
        self._watch = None
        if not self._pending or self.patience is None:
            return
        oldest, sent = self._pending[0]
        due = sent + self.patience
        if self._loop.time() < due:
            self._watch = self._loop.call_at(due, self._check)
        elif self._late is not oldest:
            self._late = oldest
            self._watch = self._loop.call_later(GRACE, self._check)
        else:
            self._break(TimeoutError(f"no answer within {self.patience:g} s"))

    def _break(self, error: OSError) -> None:
        if self._broken is not None:
            return
        self._broken = error
        if self._transport is not None:
            self._transport.abort()
        if self._watch is not None:
            self._watch.cancel()
        pending, self._pending = self._pending, deque()
        for waiting, _ in pending:
            if not waiting.done():
                waiting.set_exception(error)


async def connect(where: Address, context: ssl.SSLContext | None) -> Connection:
    """One that is proven (https://redis.io/docs/latest/commands/auth) and at its database.

    Raises Refused, OSError, UnicodeError.
    """
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(Connection, where.host, where.port, ssl=context)
    try:
        if where.password is not None:
            await connection.ask("AUTH", *([where.user] if where.user is not None else []), where.password)
        if where.database:
            await connection.ask("SELECT", where.database)
    except BaseException:
        connection.close()
        raise
    return connection
