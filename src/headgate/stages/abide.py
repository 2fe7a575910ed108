"""Keep to the clauses of the configuration: what they forbid of a request, and of who would be given it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from headgate.core.errors import ClauseViolated
from headgate.core.exchange import Exchange
from headgate.core.reply import Reply
from headgate.stages.rules.clause import Case, Clause
from headgate.stages.rules.subject import Settings, Subject
from headgate.stages.stage import Proceed

Read = Callable[[Exchange], Awaitable[None]]


class Abide:
    """Behind what finds out about the request, before all that has to do with targets, which ask `exchange.needs`."""

    def __init__(self, clauses: Sequence[Clause], settings: Settings, version: str, read: Read) -> None:
        """`read` reads what would be forwarded unread."""
        self.clauses = clauses
        self.settings = settings
        self.version = version
        self._read = read if any("knowledge" in clause.deny.names for clause in clauses) else None

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Reply:
        """Raises ClauseViolated where nobody may be given the request."""
        if self._read is not None and exchange.passing is not None:
            await self._read(exchange)
        record = exchange.record
        record.clauses = self.version
        case = Case(self.clauses, Subject(exchange, exchange.model, self.settings, strict=True), record.violated)
        why = case.refused()
        if why is not None:
            raise ClauseViolated(f"the request is not allowed, by {why}")
        exchange.law = case
        return await proceed(exchange)
