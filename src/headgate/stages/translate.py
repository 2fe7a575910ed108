"""Say the request in the target's dialect: as the client's own bytes where that is possible, anew where it is not."""

from __future__ import annotations

from typing import Any

import msgspec

from headgate.core.dialect import Dialect
from headgate.core.exchange import Exchange
from headgate.core.reply import Reply
from headgate.core.target import Target
from headgate.dialects.dialect import crossed, decode, patch
from headgate.stages.stage import Proceed


class Translate:
    """Sets `spoken`, `outgoing` and `lost`, and waits until the reply has begun."""

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Reply:
        target = exchange.target
        assert target is not None
        provider, stream = target.provider, exchange.stream
        spoken = exchange.spoken = provider.dialect_for(exchange.dialect, target.model)
        how = provider.streams(spoken, target.model)
        exchange.streamed = stream if how == "both" or spoken.operation != "chat" else how == "always"
        exchange.lost = []
        alike = spoken is exchange.dialect and exchange.streamed is stream
        if alike and not exchange.edited and not spoken.foreign(exchange.body):
            exchange.outgoing = self._patched(exchange, target)
        else:
            exchange.outgoing = self._written(exchange, target, spoken)
        reply = await proceed(exchange)
        reply.time = int(exchange.record.time)
        await reply.begin(exchange.dialect, exchange.fields, exchange.stream)
        return reply

    def _patched(self, exchange: Exchange, target: Target) -> bytes:
        changes = self._changes(exchange.fields, target, exchange.dialect)
        if exchange.model != target.model and not exchange.dialect.in_url:
            changes["model"] = target.model
        return patch(exchange.body, changes, exchange.fields) if changes else exchange.body

    def _written(self, exchange: Exchange, target: Target, spoken: Dialect) -> bytes:
        request = msgspec.structs.replace(exchange.request, model=target.model, stream=exchange.streamed)
        outgoing = crossed(spoken, request, exchange.lost)
        if exchange.streamed or target.provider.adjusts:
            fields = decode(outgoing)
            outgoing = patch(outgoing, self._changes(fields, target, spoken), fields)
        return outgoing

    def _changes(self, fields: dict[str, Any], target: Target, spoken: Dialect) -> dict[str, Any]:
        """What the host wants otherwise than it was said, and what the gateway asks for itself."""
        provider = target.provider
        changes = {**provider.adjust(fields, spoken, target.model)} if provider.adjusts else {}
        if provider.asks_for_usage:
            changes.update(spoken.wanted(fields))
        return changes
