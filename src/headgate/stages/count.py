"""Count the tokens of a request here, where the target's provider has no API for it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from functools import partial

import msgspec

from headgate.catalog import prompts
from headgate.catalog.menu import Menu
from headgate.core.errors import Unsupported
from headgate.core.events import Event, Result, Start, Stop
from headgate.core.exchange import Exchange
from headgate.core.reply import Reply
from headgate.core.target import Target
from headgate.stages.stage import Proceed

COUNTED_BY = b"x-headgate-counted-by"


class Count:
    """After `retry`, before `translate`. Answers with what `catalog.prompts` counts, and says in a header by what."""

    def __init__(self, menu: Menu) -> None:
        self.menu = menu

    def __call__(self, exchange: Exchange, proceed: Proceed) -> Awaitable[Reply]:
        return self._count(exchange, proceed) if exchange.dialect.operation == "count_tokens" else proceed(exchange)

    async def _count(self, exchange: Exchange, proceed: Proceed) -> Reply:
        target = exchange.target
        assert target is not None
        try:
            target.provider.dialect_for(exchange.dialect, target.model)
        except Unsupported:
            return await self._answer(exchange, target)
        reply = await proceed(exchange)
        if reply.dialect is not exchange.dialect:  # it is written anew anyhow
            reply.filters.append(partial(_limited, self._limit(target)))
        return reply

    async def _answer(self, exchange: Exchange, target: Target) -> Reply:
        client, lost = exchange.dialect, exchange.lost
        lost.clear()
        # a vocabulary takes half a second to load, a long prompt as long to count
        count = await asyncio.to_thread(prompts.count, exchange.request, target.model, lost)
        count.limit = self._limit(target)
        exchange.decision.said.append(f"counted here: {count.by}")
        exchange.spoken = client
        writer = client.writer(False, exchange.fields, lost)
        start = Start(id=exchange.id, model=target.model, created=int(exchange.record.time))
        body = writer.feed([start, Result(value=count), Stop(reason="stop")]) + writer.end()
        reply = Reply(client, stream=False, body=body, headers=[(COUNTED_BY, count.by.encode())])
        await reply.begin(client, exchange.fields, False)
        return reply

    def _limit(self, target: Target) -> int | None:
        entry = self.menu.catalogue.find(target.provider.name, target.model)
        return entry.context if entry is not None else None


async def _limited(limit: int | None, events: list[Event]) -> list[Event]:
    """The count with the model's limit, where its provider does not say it."""
    for place, event in enumerate(events):
        if isinstance(event, Result) and event.value.limit is None:
            value = msgspec.structs.replace(event.value, limit=limit)
            events[place] = msgspec.structs.replace(event, value=value)
    return events
