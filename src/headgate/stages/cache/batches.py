"""Embeddings: those that are kept, and a provider asked for the others."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from operator import attrgetter
from typing import Literal

import msgspec

from headgate.core.cached import Clock, Terms
from headgate.core.embeddings import EmbeddingsRequest, Input
from headgate.core.errors import GatewayError, ProviderRefused
from headgate.core.events import Result, Start, Stop, Used
from headgate.core.exchange import Exchange
from headgate.core.ports import Cache as Store
from headgate.core.record import Attempt, Cached
from headgate.core.reply import Reply
from headgate.stages.cache import items, keeping
from headgate.stages.cache.control import Wish
from headgate.stages.cache.flight import Flight
from headgate.stages.cache.flights import HEADER, Flights, again
from headgate.stages.cache.stale import UNREACHED, allowed
from headgate.stages.stage import Proceed

LONGEST = 16 << 20
"""Bytes of an answer above which its vectors are not kept: it would take too long to take it apart."""
log = logging.getLogger("headgate.stages")


class Batches:
    """Gives again, and keeps, vectors one by one."""

    def __init__(self, store: Store, flights: Flights, clock: Clock) -> None:
        self.store = store
        self.flights = flights
        self.clock = clock

    async def __call__(self, exchange: Exchange, proceed: Proceed, key: bytes, wanted: Wish, terms: Terms) -> Reply:
        """`key`: of what the inputs have in common."""
        request: EmbeddingsRequest = exchange.request
        keys = items.keys(key, request.inputs)
        entries = await self.store.get_many(keys) if wanted.read else [None] * len(keys)
        kept = items.Kept(request, keys, entries, wanted.oldest, self.clock())
        ask = partial(self._ask, exchange, proceed, key, wanted, terms)
        tried: list[Attempt] = []
        if kept.all:
            try:
                return _hit(exchange, kept, items.together(key, keys), self.clock())
            except GatewayError as error:
                log.warning("vectors that were kept do not go together, and are asked for anew: %s", error.code)
        elif kept.target is not None and any(each.name == kept.target for each in exchange.targets):
            try:
                return _filled(exchange, await ask(kept.lacking, kept.asked, _ahead(exchange, kept)), kept)
            except GatewayError as error:
                if wanted.only or (isinstance(error, ProviderRefused) and not error.retryable):
                    raise
                tried = exchange.attempts  # who gave the others fails: all are asked for, of anybody
        try:
            reply = await ask(keys, request.inputs)
        except GatewayError as error:
            late = allowed(terms, wanted, error)
            stale = items.Kept(request, keys, entries, wanted.oldest, self.clock(), late)
            if not (late and stale.all):
                raise
            exchange.attempts = [*tried, *exchange.attempts]
            exchange.decision.said.append(f"nobody could be asked ({error.code})")
            return _hit(exchange, stale, items.together(key, keys), self.clock(), how="stale")
        exchange.attempts = [*tried, *exchange.attempts] if tried else exchange.attempts
        return reply

    async def _ask(
        self,
        exchange: Exchange,
        proceed: Proceed,
        key: bytes,
        wanted: Wish,
        terms: Terms,
        keys: Sequence[bytes],
        inputs: Sequence[Input],
        fork: Exchange | None = None,
    ) -> Reply:
        keep = partial(self._keep, keys=keys, inputs=inputs, terms=terms)
        # what is to go with another's vectors is not shared with who is content with anybody's
        only = [fork.targets[0].name.encode()] if fork is not None else []
        return await self.flights.ask(exchange, proceed, items.together(key, [*keys, *only]), wanted, keep, terms, fork)

    def _keep(self, flight: Flight, keys: Sequence[bytes], inputs: Sequence[Input], terms: Terms) -> None:
        body, reply = b"".join(flight.pieces), flight.reply
        if reply is None or reply.stream or len(body) > LONGEST:
            return
        now = self.clock()
        for key, item in zip(keys, items.parts(reply.dialect, body, inputs), strict=False):
            data = items.packed(item)
            if len(data) <= terms.largest:
                self.store.put(key, keeping.entry(flight, terms, now, items.FORM, data))


def _hit(exchange: Exchange, kept: items.Kept, key: bytes, now: float, how: Literal["hit", "stale"] = "hit") -> Reply:
    """Raises ProviderNonsense where what is kept does not go together."""
    first = min(kept.entries, key=attrgetter("time"))
    age = max(int(now - first.time), 0)
    start = Start(id=exchange.id, model=first.target.partition("/")[2], created=int(first.time))
    result = Result(value=items.value(kept.request, kept.there))
    reply = Reply.of(exchange.dialect, [start, result, Used(usage=kept.usage), Stop(reason="stop")])
    exchange.record.cached = Cached(how=how, key=key.hex(), age=age, of=first.of, inputs=len(kept.there))
    reply.headers = again(exchange, first, key.hex(), how, age)
    if how == "stale":
        reply.headers.append((b"warning", UNREACHED))
    return reply


def _ahead(exchange: Exchange, kept: items.Kept) -> Exchange:
    """What is asked for the rest: only of whoever gave the others."""
    targets = [target for target in exchange.targets if target.name == kept.target]
    fork = exchange.fork(targets, msgspec.structs.replace(kept.request, inputs=kept.asked))
    fork.manner = replace(fork.manner, instead={})
    return fork


def _filled(exchange: Exchange, reply: Reply, kept: items.Kept) -> Reply:
    reply.filters = [*reply.filters, kept.fill]
    cached = exchange.record.cached
    assert cached is not None
    cached.usage, cached.inputs = kept.usage, len(kept.there)
    exchange.decision.said.append(f"the cache had {len(kept.there)} of {len(kept.items)} vectors")
    if cached.how == "miss":
        cached.how = "partial"
        reply.headers = [(name, b"partial" if name == HEADER else value) for name, value in reply.headers]
    return reply
