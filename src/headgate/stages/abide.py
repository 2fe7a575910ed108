"""Keep to the clauses of the configuration: what they forbid of a request, and of who would be given it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from headgate.core.errors import ClauseViolated
from headgate.core.exchange import Exchange
from headgate.core.record import Violated
from headgate.core.reply import Reply
from headgate.core.target import Target
from headgate.stages.rules.clause import Case, Clause
from headgate.stages.rules.subject import Settings, Subject
from headgate.stages.stage import Proceed

LATER = frozenset({"findings", "knowledge"})
"""What is not known before guards have looked, and what is forwarded unread has been read."""


class Forewarn:
    """Before guards, some of which ask models what is in a request: those that it may not be given to are not asked."""

    def __init__(self, clauses: Sequence[Clause], settings: Settings, version: str) -> None:
        self.clauses = clauses
        self.settings = settings
        self.version = version
        self._known = [clause for clause in clauses if LATER.isdisjoint(clause.deny.names)]

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Reply:
        """Raises ClauseViolated as `Abide` does, for what is plain already."""
        notes: list[Violated] = []
        why = Case(self._known, _subject(exchange, self.settings), notes).refused()
        if why is not None:
            exchange.record.clauses, exchange.record.violated = self.version, notes
            raise _refusal(why)
        exchange.law = Meanwhile(self.clauses, exchange, self.settings)
        return await proceed(exchange)


class Meanwhile:
    """Implements core.needs.Law: by what is found so far, and nothing of it is noted."""

    __slots__ = ("_clauses", "_exchange", "_settings")

    def __init__(self, clauses: Sequence[Clause], exchange: Exchange, settings: Settings) -> None:
        self._clauses = clauses
        self._exchange = exchange
        self._settings = settings

    def forbids(self, target: Target) -> str | None:
        case = Case(self._clauses, _subject(self._exchange, self._settings), [])
        return case.refused() or case.forbids(target)


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
        case = Case(self.clauses, _subject(exchange, self.settings), record.violated)
        why = case.refused()
        if why is not None:
            raise _refusal(why)
        exchange.law = case
        return await proceed(exchange)


def _subject(exchange: Exchange, settings: Settings) -> Subject:
    return Subject(exchange, exchange.model, settings, strict=True)


def _refusal(why: str) -> ClauseViolated:
    return ClauseViolated(f"the request is not allowed, by {why}")
