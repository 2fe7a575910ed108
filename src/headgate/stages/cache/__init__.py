"""Give an answer again that was given before, and ask a provider once where many ask the same at the same time.

An answer is kept as its provider gave it, bytes and dialect; whoever is given it again reads it as if it came from the
provider just now, so it is written in any client's dialect, whole or streamed.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Literal

from headgate.core.cached import Clock, Entry, Narrowed, Terms
from headgate.core.chat import ChatRequest
from headgate.core.dialect import Dialect
from headgate.core.errors import GatewayError
from headgate.core.exchange import Exchange
from headgate.core.ports import Cache as Store
from headgate.core.record import Cached
from headgate.core.repeats import Repeats
from headgate.core.reply import Reply
from headgate.stages.cache import beyond, items
from headgate.stages.cache.batches import Batches
from headgate.stages.cache.control import ANEW, ANYTHING, Wish, wish
from headgate.stages.cache.flight import Flight
from headgate.stages.cache.flights import Flights, again, not_there, told
from headgate.stages.cache.identity import LIVE, depends
from headgate.stages.cache.identity import key as key_of
from headgate.stages.cache.keeping import entry as entry_of
from headgate.stages.cache.keeping import fit
from headgate.stages.cache.replay import paced, whole
from headgate.stages.cache.similar import NOTHING, Sought
from headgate.stages.cache.stale import STALE, UNREACHED, Refresh, instead, meanwhile
from headgate.stages.stage import Proceed

log = logging.getLogger("headgate.stages")

APART = b" no calls"
"""Of what is said of callers who are given no calls of tools, where others are."""
REMEMBERED = 10_000
Meaning = Callable[[str | None, str | None], bytes]
"""A hash of all that the configuration says of an alias and a rule (None: of neither), so that what was answered before
a change of it is not given after it."""


class Cache:
    """Behind `route`, so that it is known who may ask for what and who would be asked, before all that asks."""

    def __init__(
        self,
        store: Store,
        terms: Mapping[str, Terms | None],
        others: Terms | None,
        dialects: Mapping[str, Dialect],
        headers: frozenset[bytes],
        meaning: Meaning,
        clock: Clock = time.time,
        refresh: Refresh | None = None,
        apart: Callable[[Exchange], bytes] | None = None,
        repeats: Repeats | None = None,
    ) -> None:
        """`terms` by alias, None: its answers are not kept; `others`: of all names that have none there; `headers`:
        those of clients that go on to providers; `apart`: what else of the gateway's an answer depends on; `repeats`:
        what need not be found out again of a request."""
        self.store = store
        self.terms = terms
        self.others = others
        self.dialects = dialects
        self.headers = headers
        self.meaning = meaning
        self.clock = clock
        self.refresh = refresh
        self.apart = apart
        self.repeats = repeats
        self.flights = Flights()
        self.batches = Batches(store, self.flights, clock)
        self._meant: dict[tuple[str | None, str | None], bytes] = {}
        self._narrowed: dict[tuple[str, Narrowed], Terms] = {}

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Reply:
        terms = self._terms(exchange)
        operation = exchange.dialect.operation
        if terms is None or not (operation == "chat" or operation in beyond.OPERATIONS):
            return await _asked(exchange, proceed)
        if exchange.form is not None and exchange.form.length > beyond.LARGE:
            await asyncio.to_thread(beyond.read_files, exchange.fields)
        said = exchange.wishes is not None or b"cache-control" in exchange.named
        wanted = ANEW if exchange.refreshing else wish(exchange.headers, exchange.wishes) if said else ANYTHING
        if wanted.ttl < terms.seconds:
            terms = replace(terms, seconds=wanted.ttl, stale=0.0, stale_if_error=0.0)
        if terms.oldest < wanted.oldest:
            wanted = wanted._replace(oldest=terms.oldest)
        key = self._key(exchange, terms) if wanted.store and not exchange.private else None
        if key is None:
            if wanted.only:
                raise not_there()
            exchange.record.cached = Cached(how="bypass")
            return told(await _asked(exchange, proceed), b"bypass")
        if operation == "embeddings" and items.meant(exchange.request) is not None:
            return await self.batches(exchange, proceed, key, wanted, terms)
        return await self._whole(exchange, proceed, key, terms, wanted)

    async def _whole(self, exchange: Exchange, proceed: Proceed, key: bytes, terms: Terms, wanted: Wish) -> Reply:
        """An answer that is kept as one, or the provider's."""
        entry = await self.store.get(key) if wanted.read else None
        if entry is None or entry.dialect not in self.dialects or self.clock() - entry.time >= wanted.oldest + 1:
            return await self._ask(exchange, proceed, key, terms, wanted)
        now = self.clock()
        if now < entry.until or (exchange.form is None and meanwhile(entry, terms, wanted, now)):
            try:
                reply = await self._again(exchange, entry, key, terms, stale=now >= entry.until)
            except GatewayError as error:  # what was put there is no answer of that dialect
                log.warning("an answer that was kept cannot be read, and is asked for anew: %s", error.code)
                return await self._ask(exchange, proceed, key, terms, wanted)
            if now >= entry.until and self.refresh is not None and not wanted.only and exchange.nobody is None:
                self.refresh.begin(exchange, key, self.store)
            elif terms.similar is not None:
                terms.similar.met(key, entry)
            return reply
        try:
            return await self._ask(exchange, proceed, key, terms, wanted)
        except GatewayError as error:
            if not instead(entry, terms, wanted, now, error):
                raise
            exchange.decision.said.append(f"nobody could be asked ({error.code})")
            return await self._again(exchange, entry, key, terms, stale=True, warning=UNREACHED)

    async def _alike(self, exchange: Exchange, key: bytes, terms: Terms, wanted: Wish, sought: Sought) -> Reply | None:
        """The answer to a question that is like this one."""
        found = sought.found
        if found is None or found.entry.dialect not in self.dialects:
            return None
        age = self.clock() - found.entry.time
        if age >= wanted.oldest + 1:
            return None
        try:
            reply = await self._again(exchange, found.entry, key, terms, stale=False)
        except GatewayError as error:
            log.warning("an answer that was kept cannot be read, and is asked for anew: %s", error.code)
            return None
        reply.headers = terms.similar.told(exchange, found, max(int(age), 0))
        return reply

    def _terms(self, exchange: Exchange) -> Terms | None:
        """Those of the name, as far as the caller allows."""
        name, caller = exchange.decision.alias or "", exchange.caller
        terms = self.terms.get(name, self.others)
        narrowed = caller.narrowed if caller is not None else None
        if terms is None or narrowed is None:
            return terms
        found = self._narrowed.get((name, narrowed))
        if found is None:
            if len(self._narrowed) >= REMEMBERED:
                self._narrowed.clear()
            found = self._narrowed[name, narrowed] = narrowed.of(terms)
        return found

    def _meaning_of(self, exchange: Exchange, terms: Terms) -> bytes:
        of = exchange.decision.alias, exchange.decision.rule
        meant = self._meant.get(of)
        if meant is None:
            meant = self._meant[of] = self.meaning(*of)
        if self.apart is not None:
            meant += self.apart(exchange)
        return meant + APART if terms.apart else meant

    def _key(self, exchange: Exchange, terms: Terms) -> bytes | None:
        """None: it is nothing to be kept."""
        caller = exchange.caller
        if caller is not None and not caller.cache:
            return None
        known, meaning = exchange.known, self._meaning_of(exchange, terms)
        place = depends(exchange, meaning, terms, self.headers) if known is not None and known.holds(exchange) else None
        key = known.keys.get(place) if known is not None and place is not None else None
        if key is not None:
            return key
        try:
            request = exchange.request
        except GatewayError:  # it is for its provider alone to understand
            return None
        if not _keepable(exchange, request, terms):
            return None
        key = key_of(exchange, meaning, terms.per, self.headers)
        if known is not None and place is not None and key is not None:
            known.kept_under(place, key)
        return key

    async def _again(
        self, exchange: Exchange, entry: Entry, key: bytes, terms: Terms, *, stale: bool, warning: bytes = STALE
    ) -> Reply:
        """An answer that is kept."""
        how: Literal["hit", "stale"] = "stale" if stale else "hit"
        age = max(int(self.clock() - entry.time), 0)
        dialect = self.dialects[entry.dialect]
        if terms.pace is not None and exchange.stream and exchange.dialect.operation == "chat":
            reply = paced(entry, dialect, terms.pace)
        else:
            reply = whole(entry, dialect)
        reply.id, reply.model, reply.time = exchange.id, entry.target.partition("/")[2], int(entry.time)
        if entry.kind and reply.dialect is exchange.dialect and entry.stream is exchange.stream:
            reply.content_type = entry.kind
        if reply.source is None:
            await self._begin(exchange, reply, entry)
        if exchange.dialect.operation != "chat":  # whose providers say what was used
            exchange.reckoned = exchange.request.reckoned()
        named = key.hex()
        exchange.record.cached = Cached(how=how, key=named, age=age, of=entry.of)
        reply.headers = again(exchange, entry, named, how, age)
        if stale:
            reply.headers.append((b"warning", warning))
        return reply

    async def _begin(self, exchange: Exchange, reply: Reply, entry: Entry) -> None:
        known = exchange.known
        if known is None or self.repeats is None or not known.holds(exchange):
            await reply.begin(exchange.dialect, exchange.fields, exchange.stream)
            return
        if known.relay is not None and known.given == entry.of:
            reply.resume(known.relay)
        else:
            await reply.begin(exchange.dialect, exchange.fields, exchange.stream)
            known.given, known.relay = entry.of, reply.relayed
        self.repeats.keep(known)

    async def _ask(self, exchange: Exchange, proceed: Proceed, key: bytes, terms: Terms, wanted: Wish) -> Reply:
        """Somebody, if no answer to the like is kept."""
        sought = NOTHING
        if terms.similar is not None and key not in self.flights:
            meant = self._meaning_of(exchange, terms)
            sought = await terms.similar.look(exchange, key, meant, self.headers, terms.per, read=wanted.read)
            alike = await self._alike(exchange, key, terms, wanted, sought)
            if alike is not None:
                return alike
        keep = partial(self._keep, key=key, terms=terms, sought=sought)
        return await self.flights.ask(exchange, proceed, key, wanted, keep, terms, note=sought.note)

    def _keep(self, flight: Flight, key: bytes, terms: Terms, sought: Sought) -> None:
        body, reply = b"".join(flight.pieces), flight.reply
        if reply is None or len(body) > terms.largest or not fit(reply, body, terms):
            return
        entry = entry_of(flight, terms, self.clock(), reply.dialect.name, body, sought.asked)
        self.store.put(key, entry)
        if sought.asked is not None:
            terms.similar.keep(key, entry, sought.vector)


async def _asked(exchange: Exchange, proceed: Proceed) -> Reply:
    if exchange.nobody is not None:
        raise exchange.nobody
    return await proceed(exchange)


def _keepable(exchange: Exchange, request: Any, terms: Terms) -> bool:
    """Whether the same request is to have the same answer."""
    if exchange.dialect.operation != "chat":
        return beyond.keepable(exchange, request, deterministic_only=terms.deterministic_only)
    if request.bound or exchange.fields.get("store") or (not terms.tool_calls and _searches(exchange, request)):
        return False
    return not terms.deterministic_only or request.temperature == 0 or request.seed is not None


def _searches(exchange: Exchange, request: ChatRequest) -> bool:
    """Whether the provider may look things up, or do them, before it answers."""
    return any(tool.builtin is not None for tool in request.tools) or not LIVE.isdisjoint(exchange.fields)
