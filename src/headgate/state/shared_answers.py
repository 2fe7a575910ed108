"""Answers kept in Redis or Valkey, for all workers and replicas: what is away or slow has nothing."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import msgspec

from headgate.core.cached import Clock, Entry, Which
from headgate.state.address import address
from headgate.state.answers import CLEARED
from headgate.state.connection import Connection, Refused, connect
from headgate.state.redis import context, told

REST = 1.0
"""Seconds before it is tried again after it was lost."""
CONNECTING = 5.0
"""Seconds that it may take to connect."""
BATCH = 50
CLEARING = 30.0
"""Seconds that it may take to answer while answers are looked at to be taken out."""
WAITING = 10_000
"""Commands without a reply above which answers are not put there any more."""
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Entry).decode
log = logging.getLogger("headgate.state")


class SharedAnswers:
    """Implements core.ports.Cache. One connection, on which commands go out as they come."""

    def __init__(
        self, url: str, prefix: str, ca_file: Path | None = None, *, patience: float = 0.05, clock: Clock = time.time
    ) -> None:
        """Nothing is connected to yet. Raises ValueError for a URL that is none, and a file without certificates."""
        self.prefix = f"{prefix}:answer:".encode()
        self.claims = f"{prefix}:answering:".encode()
        self.patience = patience
        self.clock = clock
        self.why: str | None = None
        """It is away; in a sentence."""
        self.failures = 0
        self._cleared: deque[Which] = deque(maxlen=CLEARED)
        self._address = address(url)
        self._context = context(ca_file) if self._address.encrypted else None
        self._connection: Connection | None = None
        self._connecting: asyncio.Task[None] | None = None

    async def get(self, key: bytes) -> Entry | None:
        return self._read(await self._ask("GET", self.prefix + key))

    async def get_many(self, keys: Sequence[bytes]) -> Sequence[Entry | None]:
        found = await self._ask("MGET", *(self.prefix + key for key in keys))
        return [self._read(each) for each in found] if found is not None else [None] * len(keys)

    def _read(self, reply: Any) -> Entry | None:
        if reply is None:
            return None
        try:
            entry = _decode(reply)
        except msgspec.DecodeError:  # another version's, or somebody else's
            return None
        return entry if entry.end > self.clock() else None

    async def claim(self, key: bytes, seconds: float) -> bool:
        """Where it is away, everybody is to ask."""
        if self._connection is None:
            return True
        name = self.claims + key
        return await self._ask("SET", name, b"", "NX", "PX", int(seconds * 1000)) is not None or not self._connection

    def put(self, key: bytes, entry: Entry) -> None:
        left = int((entry.end - self.clock()) * 1000)
        connection = self._connection
        if connection is None or left <= 0 or connection.pending > WAITING:
            return
        if any(which.has(key, entry) for which in self._cleared):  # it was under way then
            return
        connection.send("SET", self.prefix + key, _encode(entry), "PX", left).add_done_callback(self._put)

    async def clear(self, which: Which) -> int:
        """All are looked at, some at a time, on a connection for which no request waits. Raises OSError."""
        if which.before is not None:
            self._cleared.append(which)
        connection = None
        try:
            async with asyncio.timeout(CONNECTING):
                connection = await connect(self._address, self._context)
            connection.patience = CLEARING
            return await self._clear(connection, which)
        except (Refused, UnicodeError) as error:
            raise ConnectionError(told(error)) from error
        finally:
            if connection is not None:
                connection.close()

    async def _clear(self, connection: Connection, which: Which) -> int:
        count, place, start = 0, b"0", len(self.prefix)
        if which.id is not None:
            key = bytes.fromhex(which.id)
            entry = await connection.ask("GET", self.prefix + key)
            return int(await connection.ask("DEL", self.prefix + key)) if _has(which, key, entry) else 0
        pattern = self.prefix.replace(b"*", b"\\*").replace(b"[", b"\\[").replace(b"?", b"\\?") + b"*"
        while True:
            place, names = await connection.ask("SCAN", place, "MATCH", pattern, "COUNT", BATCH)
            entries = await connection.ask("MGET", *names) if names else []
            gone = [name for name, entry in zip(names, entries, strict=True) if _has(which, name[start:], entry)]
            if gone:
                count += await connection.ask("DEL", *gone)
            if place == b"0":
                return count

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if self._connecting is not None:
            self._connecting.cancel()
        if connection is not None:
            connection.close()

    async def _ask(self, *command: bytes | str | int) -> Any:
        """None, too, where it is away, or does not answer in time."""
        connection = self._connection
        if connection is None:
            if self._connecting is None:
                self._connecting = asyncio.get_running_loop().create_task(self._connect())
            return None
        try:
            return await connection.ask(*command)
        except (Refused, OSError) as error:
            self._failed(connection, error)
            return None

    async def _connect(self) -> None:
        """Until it is there; requests do not wait for it."""
        while self._connection is None:
            try:
                async with asyncio.timeout(CONNECTING):
                    made = await connect(self._address, self._context)
            except (Refused, OSError, UnicodeError, TimeoutError) as error:
                self._away(error)
                await asyncio.sleep(REST)
            else:
                made.patience = self.patience
                self._connection = made
                if self.why is not None:
                    log.info("answers are kept in %s again", self._where())
                self.why = None
        self._connecting = None

    def _put(self, reply: asyncio.Future[Any]) -> None:
        error = None if reply.cancelled() else reply.exception()
        if isinstance(error, Refused | OSError) and self._connection is not None:
            self._failed(self._connection, error)

    def _failed(self, connection: Connection, error: Refused | OSError) -> None:
        self._away(error)
        if isinstance(error, OSError) and self._connection is connection:
            self._connection = None
            connection.close()
            self._connecting = asyncio.get_running_loop().create_task(self._rest())

    async def _rest(self) -> None:
        await asyncio.sleep(REST)
        await self._connect()

    def _away(self, error: BaseException) -> None:
        self.failures += 1
        if self.why is None:
            self.why = f"{self._where()}: {told(error)}"
            log.warning("answers are not kept for now: %s", self.why)

    def _where(self) -> str:
        return f"{self._address.host}:{self._address.port}"


def _has(which: Which, key: bytes, data: object) -> bool:
    try:
        return data is not None and which.has(key, _decode(cast("bytes", data)))
    except msgspec.DecodeError:
        return False
