"""What is to be done by every process that shares a Redis or Valkey, each time once and soon: a stream of orders."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from headgate.state.address import address
from headgate.state.connection import Connection, Refused, connect
from headgate.state.redis import context, told

MOST = 1000
"""Orders that stand there, about."""
REST = 1.0
"""Seconds before it is tried again after it was lost."""
CONNECTING = 5.0
BLOCKING = 10.0
"""Seconds that the server waits for an order before it says that there is none."""
log = logging.getLogger("headgate.state")


class Orders:
    """https://redis.io/docs/latest/develop/data-types/streams: who was away reads on where it was."""

    def __init__(self, url: str, key: str, obey: Callable[[bytes], Awaitable[None]], ca_file: Path | None) -> None:
        """Nothing is connected to yet. Raises ValueError for a URL that is none, and a file without certificates."""
        self.key = key
        self.obey = obey
        self._address = address(url)
        self._context = context(ca_file) if self._address.encrypted else None
        self._last: bytes | None = None
        """The last that was seen; None: those that are there by now do not concern this process."""

    async def give(self, order: bytes) -> None:
        """Raises OSError."""
        connection = await self._connected()
        try:
            await connection.ask("XADD", self.key, "MAXLEN", "~", MOST, "*", "order", order)
        except Refused as error:
            raise ConnectionError(told(error)) from error
        finally:
            connection.close()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                connection = await self._connected()
                try:
                    await self._hear(connection)
                finally:
                    connection.close()
            except (Refused, OSError) as error:
                log.debug("orders cannot be heard: %s", told(error))
                await asyncio.sleep(REST)

    async def _hear(self, connection: Connection) -> None:
        connection.patience = CONNECTING + BLOCKING
        if self._last is None:
            newest = await connection.ask("XREVRANGE", self.key, "+", "-", "COUNT", 1)
            self._last = newest[0][0] if newest else b"0"
        while True:
            found: Any = await connection.ask(
                "XREAD", "COUNT", 100, "BLOCK", int(BLOCKING * 1000), "STREAMS", self.key, self._last
            )
            for id, fields in found[0][1] if found else ():
                self._last = id
                await self.obey(fields[1])

    async def _connected(self) -> Connection:
        try:
            async with asyncio.timeout(CONNECTING):
                connection = await connect(self._address, self._context)
        except (Refused, UnicodeError) as error:
            raise ConnectionError(told(error)) from error
        connection.patience = CONNECTING
        return connection
