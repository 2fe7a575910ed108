"""Sessions in Redis or Valkey, for all workers and replicas: each is a list, to which one at a time can add."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from headgate.core.cached import Which
from headgate.core.kept_vault import MARK, Piece
from headgate.core.ports import VaultAway
from headgate.state.address import address
from headgate.state.connection import Connection, Refused, connect
from headgate.state.redis import context, told
from headgate.state.sealed_answers import Choose
from headgate.state.sealed_vaults import Seals

REST = 0.5
"""Seconds before it is tried again after it could not be connected to."""
CONNECTING = 5.0
"""Seconds that it may take to connect."""
CLEARING = 30.0
"""Seconds that it may take to answer while sessions are looked at to be taken out."""
BATCH = 50
ADD = f"""
local last = redis.call('LINDEX', KEYS[1], -1)
if (last and string.sub(last, 1, {MARK}) or '') ~= ARGV[1] then return 0 end
redis.call('RPUSH', KEYS[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
"""
log = logging.getLogger("headgate.state")


class SharedVaults:
    """Implements core.ports.Vaults. One connection, on which commands go out as they come."""

    def __init__(
        self, url: str, prefix: str, ca_file: Path | None, seconds: float, patience: float, choose: Choose
    ) -> None:
        """Nothing is connected to yet. Raises ValueError for a URL that is none, and a file without certificates."""
        self.prefix = f"{prefix}:session:".encode()
        self.keys = f"{prefix}:session-keys".encode()
        self.lasting = int(seconds * 1000)
        self.patience = patience
        self.why: str | None = None
        """It is away; in a sentence."""
        self.failures = 0
        self._choose = choose
        self._address = address(url)
        self._context = context(ca_file) if self._address.encrypted else None
        self._there: tuple[Connection, Seals] | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._again = 0.0

    async def read(self, name: bytes) -> Sequence[Piece]:
        connection, seals = await self._connected()
        name = seals.name(name)
        used = connection.send("PEXPIRE", self.prefix + name, self.lasting)
        found = connection.send("LRANGE", self.prefix + name, 0, -1)
        _, found = await self._reply(connection, asyncio.gather(used, found))
        return seals.read(name, found)

    async def add(self, name: bytes, after: bytes, piece: Piece) -> bool:
        connection, seals = await self._connected()
        name = seals.name(name)
        said = (1, self.prefix + name, after, seals.write(name, after, piece), self.lasting)
        added = bool(await self._reply(connection, connection.send("EVAL", ADD, *said)))
        self._back()  # a server that is full, or a copy of another one, is still read
        return added

    def late(self, why: str) -> None:
        self.failures += 1  # the connection sees by itself that it hangs

    async def clear(self, which: Which) -> int:
        """All are looked at, some at a time, on a connection for which no request waits. Raises OSError."""
        connection = None
        try:
            async with asyncio.timeout(CONNECTING):
                connection = await connect(self._address, self._context)
                seals = await self._sealing(connection)
            connection.patience = CLEARING
            return await self._clear(connection, seals, which)
        except (Refused, UnicodeError) as error:
            raise ConnectionError(told(error)) from error
        finally:
            if connection is not None:
                connection.close()

    async def _clear(self, connection: Connection, seals: Seals, which: Which) -> int:
        count, place, start = 0, b"0", len(self.prefix)
        pattern = self.prefix.replace(b"*", b"\\*").replace(b"[", b"\\[").replace(b"?", b"\\?") + b"*"
        while True:
            place, names = await connection.ask("SCAN", place, "MATCH", pattern, "COUNT", BATCH)
            firsts = await asyncio.gather(*(connection.send("LINDEX", each, 0) for each in names))
            gone = [
                each
                for each, data in zip(names, firsts, strict=True)
                if data is not None and seals.has(which, each[start:], data)
            ]
            if gone:
                count += await connection.ask("DEL", *gone)
            if place == b"0":
                return count

    async def expire(self) -> None:
        """The server sees to it."""

    def close(self) -> None:
        there, self._there = self._there, None
        if self._connecting is not None:
            self._connecting.cancel()
        if there is not None:
            there[0].close()

    async def _connected(self) -> tuple[Connection, Seals]:
        """Raises VaultAway."""
        while self._there is None or self._there[0].broken:
            self._there = None
            if time.monotonic() < self._again:
                raise VaultAway(self.why or "sessions cannot be asked")
            if self._connecting is None:
                self._connecting = asyncio.get_running_loop().create_task(self._connect())
            await asyncio.shield(self._connecting)
        return self._there

    async def _connect(self) -> None:
        made = None
        try:
            async with asyncio.timeout(CONNECTING):
                made = await connect(self._address, self._context)
                seals = await self._sealing(made)
            made.patience = self.patience
            self._there = made, seals
            self._back()
        except (Refused, OSError, UnicodeError) as error:
            if made is not None:
                made.close()
            self._away(error)
            self._again = time.monotonic() + REST
        finally:
            self._connecting = None

    async def _sealing(self, connection: Connection) -> Seals:
        """Raises Refused, OSError."""
        while True:
            words = [word.decode("latin-1") for word in await connection.ask("HGETALL", self.keys)]
            chosen = await asyncio.to_thread(self._choose, dict(zip(words[::2], words[1::2], strict=True)))
            if chosen.sealed is None:
                return Seals(chosen.key)
            await connection.ask("HSETNX", self.keys, chosen.id, chosen.sealed)

    async def _reply(self, connection: Connection, reply: asyncio.Future[Any]) -> Any:
        """Raises VaultAway."""
        try:
            return await reply
        except (Refused, OSError) as error:
            self._away(error)
            # what has become a copy of another one may be found elsewhere
            gone = isinstance(error, OSError) or str(error).startswith("READONLY")
            if gone and self._there is not None and self._there[0] is connection:
                self._there = None
                connection.close()
            raise VaultAway(self.why) from None

    def _away(self, error: BaseException) -> None:
        self.failures += 1
        known, self.why = self.why, f"{self._where()}: {told(error)}"
        if known is None:
            log.warning("sessions are not kept for now: %s", self.why)

    def _back(self) -> None:
        if self.why is not None:
            log.info("sessions are kept in %s again", self._where())
        self.why = None

    def _where(self) -> str:
        return f"{self._address.host}:{self._address.port}"
