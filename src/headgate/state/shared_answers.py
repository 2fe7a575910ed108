"""Answers kept in Redis or Valkey, for all workers and replicas: what is away or slow has nothing."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from headgate.core.cached import Clock, Entry, Which
from headgate.state.address import address
from headgate.state.answers import CLEARED
from headgate.state.connection import Connection, Refused, connect
from headgate.state.redis import context, told
from headgate.state.sealed_answers import Choose, Form, Plain, Sealed

REST = 1.0
"""Seconds before it is tried again after it was lost."""
CONNECTING = 5.0
"""Seconds that it may take to connect."""
BATCH = 50
CLEARING = 30.0
"""Seconds that it may take to answer while answers are looked at to be taken out."""
WAITING = 10_000
"""Commands without a reply above which answers are not put there any more."""
log = logging.getLogger("headgate.state")


class SharedAnswers:
    """Implements core.ports.Cache. One connection, on which commands go out as they come."""

    def __init__(
        self,
        url: str,
        prefix: str,
        ca_file: Path | None = None,
        *,
        patience: float = 0.05,
        choose: Choose | None = None,
        clock: Clock = time.time,
    ) -> None:
        """Nothing is connected to yet. Raises ValueError for a URL that is none, and a file without certificates."""
        self.prefix = f"{prefix}:answer:".encode()
        self.keys = f"{prefix}:answer-keys".encode()
        self.claims = f"{prefix}:answering:".encode()
        self.patience = patience
        self.clock = clock
        self.why: str | None = None
        """It is away; in a sentence."""
        self.failures = self.timeouts = 0
        self._choose = choose
        self._form: Form = Plain()
        self._cleared: deque[Which] = deque(maxlen=CLEARED)
        self._address = address(url)
        self._context = context(ca_file) if self._address.encrypted else None
        self._connection: Connection | None = None
        self._connecting: asyncio.Task[None] | None = None

    async def get(self, key: bytes) -> Entry | None:
        name = self._form.name(key)
        return self._read(name, await self._ask("GET", self.prefix + name))

    async def get_many(self, keys: Sequence[bytes]) -> Sequence[Entry | None]:
        names = [self._form.name(key) for key in keys]
        found = await self._ask("MGET", *(self.prefix + name for name in names))
        return [self._read(*each) for each in zip(names, found or [None] * len(names), strict=True)]

    def _read(self, name: bytes, data: bytes | None) -> Entry | None:
        entry = self._form.read(name, data) if data is not None else None
        return entry if entry is not None and entry.end > self.clock() else None

    async def claim(self, key: bytes, seconds: float) -> bool:
        """Where it is away, everybody is to ask."""
        if self._connection is None:
            return True
        name = self.claims + self._form.name(key)
        return await self._ask("SET", name, b"", "NX", "PX", int(seconds * 1000)) is not None or not self._connection

    async def release(self, key: bytes) -> None:
        if self._connection is not None:
            await self._ask("DEL", self.claims + self._form.name(key))

    def put(self, key: bytes, entry: Entry) -> None:
        left = int((entry.end - self.clock()) * 1000)
        connection = self._connection
        if connection is None or left <= 0 or connection.pending > WAITING:
            return
        if any(which.has(key, entry) for which in self._cleared):  # it was under way then
            return
        name = self._form.name(key)
        said = self._form.write(name, entry)
        connection.send("SET", self.prefix + name, said, "PX", left).add_done_callback(self._put)

    async def clear(self, which: Which) -> int:
        """All are looked at, some at a time, on a connection for which no request waits. Raises OSError."""
        await self.heard(which)
        connection = None
        try:
            async with asyncio.timeout(CONNECTING):
                connection = await connect(self._address, self._context)
            connection.patience = CLEARING
            self._form = await self._formed(connection)
            return await self._clear(connection, which)
        except (Refused, UnicodeError) as error:
            raise ConnectionError(told(error)) from error
        finally:
            if connection is not None:
                connection.close()

    async def heard(self, which: Which) -> None:
        if which.before is not None:
            self._cleared.append(which)

    async def _clear(self, connection: Connection, which: Which) -> int:
        count, place, start = 0, b"0", len(self.prefix)
        if which.id is not None:
            name = self._form.name(bytes.fromhex(which.id))
            entry = await connection.ask("GET", self.prefix + name)
            return int(await connection.ask("DEL", self.prefix + name)) if self._has(which, name, entry) else 0
        pattern = self.prefix.replace(b"*", b"\\*").replace(b"[", b"\\[").replace(b"?", b"\\?") + b"*"
        while True:
            place, names = await connection.ask("SCAN", place, "MATCH", pattern, "COUNT", BATCH)
            entries = await connection.ask("MGET", *names) if names else []
            gone = [name for name, entry in zip(names, entries, strict=True) if self._has(which, name[start:], entry)]
            if gone:
                count += await connection.ask("DEL", *gone)
            if place == b"0":
                return count

    def _has(self, which: Which, name: bytes, data: object) -> bool:
        entry = self._form.read(name, cast("bytes", data)) if data is not None else None
        return entry is not None and which.has(bytes.fromhex(which.id or ""), entry)

    async def _formed(self, connection: Connection) -> Form:
        """As answers are written there. Raises Refused, OSError."""
        if self._choose is None:
            return Plain()
        while True:
            said = await connection.ask("HGETALL", self.keys)
            words = [word.decode("latin-1") for word in said]
            chosen = await asyncio.to_thread(self._choose, dict(zip(words[::2], words[1::2], strict=True)))
            if chosen.sealed is None:
                return Sealed(chosen.key)
            await connection.ask("HSETNX", self.keys, chosen.id, chosen.sealed)

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
            made = None
            try:
                async with asyncio.timeout(CONNECTING):
                    made = await connect(self._address, self._context)
                made.patience = CONNECTING
                form = await self._formed(made)
            except (Refused, OSError, UnicodeError, TimeoutError) as error:
                if made is not None:
                    made.close()
                self._away(error)
                await asyncio.sleep(REST)
            else:
                made.patience = self.patience
                self._connection, self._form = made, form
                if self.why is not None:
                    log.info("answers are kept in %s again", self._where())
                self.why = None
        self._connecting = None

    def _put(self, reply: asyncio.Future[Any]) -> None:
        error = None if reply.cancelled() else reply.exception()
        if isinstance(error, Refused | OSError) and self._connection is not None:
            self._failed(self._connection, error)

    def _failed(self, connection: Connection, error: Refused | OSError) -> None:
        self.timeouts += isinstance(error, TimeoutError)
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
