"""Ask the target's provider: the end of the chain."""

from __future__ import annotations

from collections.abc import Awaitable

from headgate.core.exchange import Exchange
from headgate.core.ports import Upstream
from headgate.core.reply import Reply


class Send:
    def __init__(self, upstream: Upstream) -> None:
        self.upstream = upstream

    def __call__(self, exchange: Exchange) -> Awaitable[Reply]:
        assert exchange.host is not None
        return exchange.host.send(exchange, self.upstream)
