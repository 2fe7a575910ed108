"""A connection to a Redis or Valkey: a command, then its reply. The caller sets the time limits."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

from headgate.state.address import Address

PIECE = 65536


class Refused(Exception):
    """What the server does not do, in its own words."""


class Connection:
    """Has to be closed after whatever is raised but Refused: a reply may still be on its way."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # here, as not everybody has the package for it
        import hiredis

        self._reader = reader
        self._writer = writer
        self._pack = hiredis.pack_command
        self._replies = hiredis.Reader(ConnectionError, Refused, notEnoughData=...)

    async def ask(self, *command: bytes | str | int) -> Any:
        """Bytes, a number, None or a list of such. Raises Refused, OSError."""
        self._writer.write(self._pack(command))  # type: ignore[arg-type]  # of any length
        await self._writer.drain()
        while (reply := self._replies.gets()) is ...:
            data = await self._reader.read(PIECE)
            if not data:
                raise ConnectionResetError("the server has closed the connection")
            self._replies.feed(data)
        if isinstance(reply, Refused):
            raise reply
        return reply

    def close(self) -> None:
        """At once."""
        self._writer.transport.abort()


async def connect(where: Address, context: ssl.SSLContext | None) -> Connection:
    """One that is proven (https://redis.io/docs/latest/commands/auth) and at its database.

    Raises Refused, OSError, UnicodeError.
    """
    connection = Connection(*await asyncio.open_connection(where.host, where.port, ssl=context))
    try:
        if where.password is not None:
            await connection.ask("AUTH", *([where.user] if where.user is not None else []), where.password)
        if where.database:
            await connection.ask("SELECT", where.database)
    except BaseException:
        connection.close()
        raise
    return connection
