"""How counters stand that processes keep together: looked at beside the requests, on a connection of its own."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Iterable
from typing import Any

from headgate.core.limits.meter import Overview, Stands
from headgate.state.address import Address
from headgate.state.connection import Connection, connect
from headgate.state.limits_mirror import MICRO

PATIENCE = 1.0
"""Seconds to connect, for each answer, and for all that is looked through."""
TOGETHER = 1000
"""Keys looked through by one command, and counters asked for in one go."""
MOST = 20_000
"""Counters told of."""
GLOB = re.compile(r"([*?\[\]\\^])")


async def standing(where: Address, context: ssl.SSLContext | None, prefix: str) -> Overview:
    """Of counters with a window or of places, those of which something is used or held; `prefix` is that of their keys.

    Raises Refused, OSError, UnicodeError.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(PATIENCE):
        connection = await connect(where, context)
    connection.patience = PATIENCE
    found: dict[bytes, Stands] = {}
    try:
        until, cursor = loop.time() + PATIENCE, b"0"
        pattern = GLOB.sub(r"\\\1", prefix) + "[wc] *"
        while True:
            cursor, keys = await connection.ask("SCAN", cursor, "MATCH", pattern, "COUNT", TOGETHER)
            found.update(await _looked_at(connection, [key for key in keys if key not in found], len(prefix.encode())))
            if cursor == b"0" or loop.time() > until or len(found) >= MOST:
                return Overview("shared", list(found.values()), whole=cursor == b"0")
    finally:
        connection.close()


async def _looked_at(connection: Connection, keys: Iterable[bytes], named: int) -> dict[bytes, Stands]:
    """What of these there is to tell; `named`: where in a key the counter's name begins, after its kind."""
    clock = connection.send("TIME")
    asked = [(key, connection.send("HMGET", key, "u", "h", "n"), connection.send("PTTL", key)) for key in keys]
    seconds, micros = await clock
    now = int(seconds) * MICRO + int(micros)
    found = {}
    for key, fields, left in asked:
        used, held, expires = (int(field or 0) for field in await fields)
        if held and 0 < expires <= now:  # what nobody gave back, and nobody has looked at since
            held = _held(await connection.ask("HGETALL", key), now)
        lasts, kind, name = await left, key[named : named + 1], key[named + 2 :].decode("utf-8", "replace")
        if used or held:
            found[key] = Stands(name, used, held, max(lasts, 0) / 1000 if kind == b"w" else None)
    return found


def _held(fields: list[Any], now: int) -> int:
    """The sum of the holds that are in force; each is when it expires and how much it is."""
    pairs = (value.split() for name, value in zip(fields[::2], fields[1::2], strict=True) if name.startswith(b"i "))
    return sum(int(amount) for expires, amount in pairs if int(expires) > now)
