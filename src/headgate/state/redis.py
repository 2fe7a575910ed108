"""The state that processes share, in Redis or Valkey."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import ssl
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from headgate.core.agreement import HELD, KEPT
from headgate.core.ports import Fact, Heard, Order, StateAway
from headgate.state.address import address
from headgate.state.connection import Connection, Refused, connect
from headgate.state.script import SCRIPT

PACKAGE = "hiredis"
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
        """Nothing is connected to yet. Raises ValueError for a URL that is none, and a file without certificates."""
        self.me = secrets.token_hex(8)
        self.key = f"{prefix}:state"
        self._address = address(url)
        self._context = context(ca_file) if self._address.encrypted else None
        self._connection: Connection | None = None
        self._seen = 0

    async def exchange(self, facts: Sequence[Fact], orders: Sequence[Order]) -> Heard:
        try:
            async with asyncio.timeout(PATIENCE):
                version, whole, holders, found = await self._run(_arguments(self.me, self._seen, facts, orders))
        except TimeoutError:
            self.close()
            raise StateAway(f"{self._where()} did not answer within {PATIENCE:g} s") from None
        except (Refused, OSError, UnicodeError) as error:
            self.close()
            raise StateAway(f"{self._where()}: {told(error)}") from None
        self._seen = version
        places = range(0, len(found), 4)
        return Heard([_fact(*found[at : at + 4]) for at in places], [_read(holder) for holder in holders], whole == 1)

    async def ask(self, *command: bytes | str | int) -> Any:
        """One command. Raises Refused, OSError, UnicodeError."""
        if self._connection is None:
            self._connection = await connect(self._address, self._context)
        return await self._connection.ask(*command)

    def close(self) -> None:
        """Forget the connection; the next exchange makes another, and is told all there is."""
        connection, self._connection, self._seen = self._connection, None, 0
        if connection is not None:
            connection.close()

    async def _run(self, arguments: list[bytes | str | int]) -> Any:
        try:
            return await self.ask("EVALSHA", SHA, 1, self.key, *arguments)
        except Refused as refused:
            if not str(refused).startswith("NOSCRIPT"):
                raise
        return await self.ask("EVAL", SCRIPT, 1, self.key, *arguments)

    def _where(self) -> str:
        return f"{self._address.host}:{self._address.port}"


def context(ca_file: Path | None) -> ssl.SSLContext:
    """Made once: to read the system's authorities takes longer than an exchange."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except ssl.SSLError as error:
        raise ValueError(f"state.ca_file holds no certificates: {error.reason or error}") from None


def _arguments(me: str, seen: int, facts: Sequence[Fact], orders: Sequence[Order]) -> list[bytes | str | int]:
    arguments: list[bytes | str | int] = [me, seen, int(KEPT * MICRO), int(HELD * MICRO), len(facts)]
    for fact in facts:
        arguments += (_written(fact.name), int(fact.age * MICRO), int(fact.left * MICRO), fact.told)
    for order in orders:
        arguments += (order.verb, _written(order.target), order.to)
    return arguments


def _fact(name: bytes, age: bytes, left: bytes, told: bytes) -> Fact:
    return Fact(_read(name), int(age) / MICRO, int(left) / MICRO, told)


def _written(name: str) -> bytes:
    return name.encode("utf-8", "replace")


def _read(name: bytes) -> str:
    return name.decode("utf-8", "replace")


def told(error: BaseException) -> str:
    """In one line. What the system and the server say of a connection holds its address at most."""
    return next(iter(str(error).splitlines()), "")[:200] or type(error).__name__
