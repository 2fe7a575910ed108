"""What guards ask of others: models behind the gateway, recorded like requests, and servers of their own."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from math import inf
from typing import Any

from headgate.core.caller import Caller
from headgate.core.dialect import Dialect
from headgate.core.errors import GuardUnavailable
from headgate.core.exchange import Exchange
from headgate.core.guard import Question
from headgate.core.needs import Needs
from headgate.core.ports import Upstream
from headgate.core.question import answer, question
from headgate.core.target import Target
from headgate.stages.rules.topic import Topics
from headgate.stages.stage import Proceed

PATH = "guard"
"""What stands in records instead of a path."""


class Outside:
    """One configuration's."""

    def __init__(
        self,
        upstream: Upstream,
        ask: Proceed,
        faces: Mapping[Question, Dialect],
        next_id: Callable[[], str],
        aimed: Callable[[Exchange], bytes] | None,
        topics: Topics | None,
        callers: Mapping[str, Caller],
    ) -> None:
        """`ask` sends a question, recorded; `aimed` tells whether guards change what some providers are asked;
        `callers` by the name of their key."""
        self.upstream = upstream
        self.ask = ask
        self.faces = faces
        self.next_id = next_id
        self.aimed = aimed
        self.topics = topics
        self.callers = callers


class Help:
    """Implements core.guard.Help: for one request."""

    __slots__ = ("_exchange", "_outside", "until")

    def __init__(self, outside: Outside, exchange: Exchange, until: float = inf) -> None:
        self._outside = outside
        self._exchange = exchange
        self.until = until

    def within(self, until: float) -> Help:
        return Help(self._outside, self._exchange, until)

    @property
    def upstream(self) -> Upstream:
        return self._outside.upstream

    @property
    def kept(self) -> bool:
        """What goes to such a provider, or comes from there, has been changed already."""
        exchange, aimed = self._exchange, self._outside.aimed
        abroad = exchange.target is not None and not exchange.target.provider.internal
        return aimed is not None and not abroad and bool(aimed(exchange))

    async def ask(self, about: Question, fields: Mapping[str, Any], key: str | None = None) -> bytes:
        outside, worker = self._outside, self._exchange.record.worker
        asked = question(outside.next_id(), outside.faces[about], fields, PATH, worker)
        asked.imposed = self._needs()
        asked.caller = _admitted(outside.callers[key]) if key is not None else None
        return await answer(asked, outside.ask)

    async def topic(self, text: str) -> tuple[str, float, str]:
        topics = self._outside.topics
        if topics is None:
            raise GuardUnavailable("there are no topics in `matching.topics`")
        found = await topics.find(text, self._exchange.record.worker, self._needs())
        if not found.known:
            raise GuardUnavailable("no model tells the topic")
        return found.topic, found.score, found.said

    def _needs(self) -> Needs:
        """What must be so of a model that is shown what is said."""
        exchange, aimed = self._exchange, self._outside.aimed
        if aimed is None or not aimed(exchange):
            return exchange.needs
        return Needs(exchange.needs.traits, Within(exchange.needs))


def _admitted(caller: Caller) -> Caller:
    """Raises GuardUnavailable where its key is let in no more."""
    if caller.barred is not None or time.time() >= caller.expires:
        raise GuardUnavailable(f"the key {caller.key!r}, whose its questions are, {caller.barred or 'has expired'}")
    return caller


class Within:
    """Implements core.needs.Law: only one's own providers are shown what guards keep from others."""

    def __init__(self, needs: Needs) -> None:
        self._needs = needs

    def forbids(self, target: Target) -> str | None:
        if not target.provider.internal:
            return "is not internal, and guards keep something of it from others"
        return self._needs.lacking(target)
