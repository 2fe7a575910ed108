"""Say the request in the target's dialect: as the client's own bytes where that is possible, anew where it is not."""

from __future__ import annotations

import msgspec

from headgate.core.exchange import Exchange
from headgate.core.reply import Reply
from headgate.core.target import Target
from headgate.dialects.dialect import decode, patch
from headgate.stages.stage import Proceed


class Translate:
    """Sets `spoken`, `outgoing` and `lost`, and waits until the reply has begun."""

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Reply:
        target = exchange.target
        assert target is not None
        spoken = exchange.spoken = target.provider.dialect_for(exchange.dialect)
        exchange.lost = []
        if spoken is exchange.dialect and not exchange.edited:
            exchange.outgoing = self._patched(exchange, target)
        else:
            request = msgspec.structs.replace(exchange.request, model=target.model)
            exchange.outgoing = spoken.write_request(request, exchange.lost)
            if target.provider.adjusts:
                exchange.outgoing = patch(exchange.outgoing, target.provider.adjust(decode(exchange.outgoing)))
        reply = await proceed(exchange)
        reply.time = int(exchange.record.time)
        await reply.begin(exchange.dialect, exchange.fields)
        return reply

    def _patched(self, exchange: Exchange, target: Target) -> bytes:
        changes = {**target.provider.adjust(exchange.fields)} if target.provider.adjusts else {}
        if target.provider.asks_for_usage:
            changes.update(exchange.dialect.wanted(exchange.fields))
        if exchange.model != target.model:
            changes["model"] = target.model
        return patch(exchange.body, changes) if changes else exchange.body
