"""The state that processes share, in Redis or Valkey."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import secrets
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headgate.core.agreement import HELD, KEPT
from headgate.core.ports import Fact, Heard, Order, StateAway
from headgate.state.address import address
from headgate.state.script import SCRIPT

if TYPE_CHECKING:
    import redis.asyncio

PACKAGE = "redis"
PATIENCE = 1.0
"""Seconds for an exchange, with all it takes to connect."""
SHA = hashlib.sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()
MICRO = 1_000_000


def installed() -> bool:
    """Whether the package for it is there."""
    return find_spec(PACKAGE) is not None


class Redis:
    """One connection, used by one exchange at a time (`core.ports.State`)."""

    def __init__(self, url: str, prefix: str, ca_file: Path | None = None) -> None:
        """Nothing is connected to yet. Raises ValueError for a URL that is none."""
        self.me = secrets.token_hex(8)
        self._address = address(url)
        self._key = f"{prefix}:state"
        self._ca_file = ca_file
        self._client: redis.asyncio.Redis | None = None
        self._seen = 0

    async def exchange(self, facts: Sequence[Fact], orders: Sequence[Order]) -> Heard:
        from redis.exceptions import RedisError

        try:
            async with asyncio.timeout(PATIENCE):
                version, whole, holders, found = await self._run(_arguments(self.me, self._seen, facts, orders))
        except TimeoutError:
            await self.close()
            raise StateAway(f"{self._where()} did not answer within {PATIENCE:g} s") from None
        except (RedisError, OSError, UnicodeError) as error:
            await self.close()
            raise StateAway(f"{self._where()}: {_told(error)}") from None
        self._seen = version
        places = range(0, len(found), 4)
        return Heard(
            [_fact(*found[at : at + 4]) for at in places],
            [holder.decode("utf-8", "replace") for holder in holders],
            whole == 1,
        )

    async def close(self) -> None:
        """Forget the connection; the next exchange makes another, and is told all there is."""
        client, self._client, self._seen = self._client, None, 0
        if client is None:
            return
        from redis.exceptions import RedisError

        with contextlib.suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(PATIENCE / 2):
                await client.aclose()

    def _where(self) -> str:
        return f"{self._address.host}:{self._address.port}"

    async def _run(self, arguments: list[bytes | str | int]) -> Any:
        from redis.exceptions import NoScriptError

        client = self._client = self._client or self._connected()
        try:
            return await client.evalsha(SHA, 1, self._key, *arguments)
        except NoScriptError:
            return await client.eval(SCRIPT, 1, self._key, *arguments)

    def _connected(self) -> redis.asyncio.Redis:
        # here, as it takes a third of a second and most gateways share nothing
        import redis.asyncio
        from redis.asyncio.retry import Retry
        from redis.backoff import NoBackoff

        where = self._address
        return redis.asyncio.Redis(
            host=where.host,
            port=where.port,
            db=where.database,
            username=where.user,
            password=where.password,
            protocol=2,
            socket_timeout=PATIENCE,
            socket_connect_timeout=PATIENCE,
            retry=Retry(NoBackoff(), 0),  # who asks knows when to ask again
            ssl=where.encrypted,
            ssl_ca_certs=str(self._ca_file) if self._ca_file else None,
        )


def _arguments(me: str, seen: int, facts: Sequence[Fact], orders: Sequence[Order]) -> list[bytes | str | int]:
    arguments: list[bytes | str | int] = [me, seen, int(KEPT * MICRO), int(HELD * MICRO), len(facts)]
    for fact in facts:
        arguments += (_written(fact.name), int(fact.age * MICRO), int(fact.left * MICRO), fact.told)
    for order in orders:
        arguments += (order.verb, _written(order.target), order.to)
    return arguments


def _fact(name: bytes, age: bytes, left: bytes, told: bytes) -> Fact:
    return Fact(name.decode("utf-8", "replace"), int(age) / MICRO, int(left) / MICRO, told)


def _written(name: str) -> bytes:
    return name.encode("utf-8", "replace")


def _told(error: Exception) -> str:
    """In one line. What this package and the system say of a connection holds its address at most."""
    return next(iter(str(error).splitlines()), "")[:200] or type(error).__name__
