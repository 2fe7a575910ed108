"""One connection to a directory: an operation at a time, bounded in size, and TLS before any password is sent."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from headgate.identity.ldap.ber import LONGEST, BadBER, Element, read
from headgate.identity.ldap.messages import (
    BOUND,
    DONE,
    ENTRY,
    EXTENDED,
    REFERENCE,
    SUCCESS,
    Answer,
    Entry,
    Result,
    Search,
    bind,
    message,
    read_answer,
    read_entry,
    read_result,
    search,
    start_tls,
    unbind,
)

T = TypeVar("T")

MOST_BYTES = 8 << 20
"""Of all answers on one connection."""
FAREWELL = 0.1
"""Seconds until a socket has been closed, which takes a turn of the loop."""


class Away(Exception):
    """The directory cannot be asked; the message says why."""


class Server(NamedTuple):
    """Where a directory is. `tls`: from the first byte; `start_tls`: asked for in clear, then all goes over it."""

    host: str
    port: int
    tls: ssl.SSLContext | None
    start_tls: bool

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


class _Wire(asyncio.Protocol):
    """The bytes that have come, and who waits for them."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.seen = 0
        self.lost: str | None = None
        self.waiter: asyncio.Future[None] | None = None
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self.seen += len(data)
        if self.seen <= MOST_BYTES:
            self.data += data
        else:
            self.lost = self.lost or "it sends too much"
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = self.lost or (f"the connection was lost ({exc})" if exc else "it closed the connection")
        if not self.closed.done():
            self.closed.set_result(None)
        self._wake()

    def _wake(self) -> None:
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    async def more(self) -> None:
        """Wait for bytes. Raises Away."""
        if self.lost is not None:
            raise Away(self.lost)
        self.waiter = asyncio.get_running_loop().create_future()
        try:
            await self.waiter
        finally:
            self.waiter = None


class Connection:
    """Made by `open`; who has it closes it. Whoever uses it bounds the time."""

    def __init__(self, transport: asyncio.Transport, wire: _Wire) -> None:
        self._transport = transport
        self._wire = wire
        self._number = 0

    @classmethod
    async def open(cls, server: Server) -> Connection:
        """Raises Away."""
        loop = asyncio.get_running_loop()
        try:
            if server.start_tls:
                transport, wire = await loop.create_connection(_Wire, server.host, server.port)
            else:
                transport, wire = await loop.create_connection(_Wire, server.host, server.port, ssl=server.tls)
        except (OSError, ssl.SSLError) as error:
            raise Away(f"no connection to {server}: {_told(error)}") from error
        connection = cls(transport, wire)
        if server.start_tls:
            try:
                await connection._secure(server)
            except BaseException:
                await connection.close()
                raise
        return connection

    async def bind(self, dn: str, password: bytes) -> Result:
        """Raises Away."""
        return await self._ask(bind(dn, password), BOUND)

    async def search(self, wanted: Search) -> tuple[list[Entry], Result]:
        """What was found, and how it ended; parts of it that are elsewhere are left out. Raises Away."""
        found: list[Entry] = []
        self._send(search(wanted))
        while True:
            answer = await self._answer(ENTRY, REFERENCE, DONE)
            if answer.kind == DONE:
                return found, _read(read_result, answer)
            if answer.kind == ENTRY and len(found) < wanted.most:
                found.append(_read(read_entry, answer))

    async def close(self) -> None:
        """Says good-bye where that can be, and waits for no answer to it."""
        if self._wire.lost is None and not self._transport.is_closing():
            self._send(unbind())
        self._transport.abort()
        await asyncio.wait([self._wire.closed], timeout=FAREWELL)

    async def _secure(self, server: Server) -> None:
        """https://www.rfc-editor.org/rfc/rfc4511#section-4.14; what comes behind the answer in clear is anybody's."""
        result = await self._ask(start_tls(), EXTENDED)
        if result.code != SUCCESS:
            raise Away(f"it has no StartTLS ({result.code})")
        if self._wire.data:
            raise Away("something came in clear after it had agreed to TLS")
        assert server.tls is not None
        loop = asyncio.get_running_loop()
        try:
            transport = await loop.start_tls(self._transport, self._wire, server.tls, server_hostname=server.host)
        except (OSError, ssl.SSLError) as error:
            raise Away(f"no TLS with {server}: {_told(error)}") from error
        if transport is None:
            raise Away("it closed the connection")
        self._transport = transport

    async def _ask(self, operation: bytes, kind: int) -> Result:
        self._send(operation)
        return _read(read_result, await self._answer(kind))

    def _send(self, operation: bytes) -> None:
        self._number += 1
        self._transport.write(message(self._number, operation))

    async def _answer(self, *kinds: int) -> Answer:
        answer = await self._next()
        if answer.number == 0:  # the notice of disconnection is the only one there is
            raise Away("it ended the connection")
        if answer.number != self._number or answer.kind not in kinds:
            raise Away("it answered what was not asked")
        return answer

    async def _next(self) -> Answer:
        while True:
            try:
                found = read(self._wire.data)
                if found is not None:
                    element, size = found
                    del self._wire.data[:size]
                    return read_answer(element)
            except BadBER as error:
                raise Away(f"what it says is not LDAP: {error}") from None
            if len(self._wire.data) > LONGEST + 16:
                raise Away("what it says is not LDAP: it has no end")
            await self._wire.more()


def _read(read: Callable[[Element], T], answer: Answer) -> T:
    try:
        return read(answer.body)
    except BadBER as error:
        raise Away(f"what it says is not LDAP: {error}") from None


def _told(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate does not count ({error.verify_message})"
    return str(error) or type(error).__name__
