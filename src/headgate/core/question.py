"""A request of the gateway's own: asked and recorded like a client's, but by no key."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec

from headgate.core.dialect import Dialect
from headgate.core.errors import GatewayError
from headgate.core.exchange import Exchange
from headgate.core.record import Record
from headgate.core.reply import Reply
from headgate.core.target import Target


def question(id: str, dialect: Dialect, fields: Mapping[str, Any], path: str, worker: int) -> Exchange:
    """To be sent; `path` is what stands in the record instead of one."""
    record = Record(id=id, time=time.time(), dialect=dialect.name, path=path, worker=worker)
    exchange = Exchange(id, dialect, path, (), _nothing, time.perf_counter(), record)
    exchange.model, exchange.fields, exchange.body = fields["model"], dict(fields), msgspec.json.encode(fields)
    return exchange


def once_more(exchange: Exchange, targets: Sequence[Target], id: str, shadow_of: str | None = None) -> Exchange:
    """The same request to these targets, for nobody who waits, with a record of its own."""
    made, seen = exchange.fork(targets), exchange.record
    made.id, made.clock = id, time.perf_counter()
    made.record = Record(
        id=id,
        time=time.time(),
        client=seen.client,
        dialect=seen.dialect,
        path=seen.path,
        worker=seen.worker,
        shadow_of=shadow_of,
        ending="failed",  # until it is over
    )
    return made


async def answer(exchange: Exchange, ask: Callable[[Exchange], Awaitable[Reply]]) -> bytes:
    """All of it, in the question's dialect. However it ends, it is recorded. Raises GatewayError."""
    record = exchange.record
    try:
        reply = await ask(exchange)
        said = await reply.whole(exchange.dialect, exchange.fields)
        record.status = reply.status
    except GatewayError as error:
        record.ending, record.status, record.origin = "failed", error.status, error.origin
        record.error, record.message = error.code, error.message[:1000]
        raise
    except asyncio.CancelledError:
        record.ending, record.status = "cancelled", 499
        raise
    else:
        return said
    finally:
        await exchange.ending.aclose()


async def follow(exchange: Exchange, ask: Callable[[Exchange], Awaitable[Reply]]) -> None:
    """To the end of an answer, whole or streamed, that nobody waits for. However it ends, it is recorded."""
    record = exchange.record
    try:
        reply = await ask(exchange)
        record.status = reply.status
        if exchange.stream:
            async for _ in reply.frames(exchange.dialect, exchange.fields):
                if record.first_token is None and reply.account.started:
                    record.first_token = round(time.perf_counter() - exchange.clock, 6)
        else:
            await reply.whole(exchange.dialect, exchange.fields)
            record.first_token = round(time.perf_counter() - exchange.clock, 6)
        if reply.account.failed is not None:
            raise reply.account.failed
        record.ending = "complete"
    except GatewayError as error:
        record.ending = "cut" if record.status else record.ending
        record.status = record.status or error.status
        record.error, record.message, record.origin = error.code, error.message[:1000], error.origin
    except asyncio.CancelledError:
        record.ending, record.status = "cancelled", record.status or 499
        raise
    finally:
        await exchange.ending.aclose()


async def _nothing() -> bytes:
    return b""
