"""Ask the target's provider: the end of the chain."""

from __future__ import annotations

from headgate.core.exchange import Exchange
from headgate.core.ports import Upstream
from headgate.core.reply import Reply


class Send:
    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream

    async def __call__(self, exchange: Exchange) -> Reply:
        assert exchange.host is not None
        return await exchange.host.send(exchange, self.upstream)
