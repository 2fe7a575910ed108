"""Who asks what is asked already waits for that; else a provider is asked, and whoever comes meanwhile waits for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import chain

from headgate.core.cached import Entry, Terms
from headgate.core.errors import GatewayError, NotCached, ProviderRefused
from headgate.core.exchange import Exchange
from headgate.core.record import Cached
from headgate.core.reply import Reply
from headgate.core.target import Target
from headgate.stages.cache.control import Wish
from headgate.stages.cache.flight import Alone, Flight
from headgate.stages.stage import Proceed

HEADER = b"x-headgate-cache"
ENTRY = b"x-headgate-cache-entry"
"""What the answer is kept under, or would be."""
Keep = Callable[[Flight], None]
"""Called with a call that was answered, once nobody joins it any more."""


class Flights:
    """The calls under way, by their keys."""

    def __init__(self) -> None:
        self._under_way: dict[bytes, Flight] = {}

    async def ask(
        self,
        exchange: Exchange,
        proceed: Proceed,
        key: bytes,
        wanted: Wish,
        keep: Keep,
        terms: Terms,
        fork: Exchange | None = None,
        note: Callable[[Cached], None] | None = None,
    ) -> Reply:
        """`fork`: what is asked, if not what the client asks; `note` is given what the record says of a call of its
        own."""
        again = True
        while True:
            flight = self._under_way.get(key) if terms.coalesce and wanted.read else None
            if flight is None:
                break
            exchange.record.cached = Cached(how="coalesced", key=key.hex(), of=flight.first.id)
            try:
                return told(await flight.board(exchange), b"coalesced", key)
            except Alone:
                break
            except GatewayError as error:
                final = isinstance(error, ProviderRefused) and not error.retryable
                if final or not again or flight.payer is exchange:
                    raise
                again = False
        if wanted.only:
            raise not_there()
        if exchange.nobody is not None:
            raise exchange.nobody
        exchange.record.cached = Cached(how="refresh" if exchange.refreshing else "miss", key=key.hex())
        if note is not None:
            note(exchange.record.cached)
        flight = Flight(exchange, partial(self._landed, key=key, keep=keep), terms.largest, fork)
        if terms.coalesce and key not in self._under_way and not (exchange.manner.resume and exchange.stream):
            self._under_way[key] = flight
        flight.begin(proceed)
        return told(await flight.board(exchange), b"miss", key)

    def _landed(self, flight: Flight, key: bytes, keep: Keep) -> None:
        if self._under_way.get(key) is flight:
            del self._under_way[key]
        reply, fork = flight.reply, flight.fork
        if not flight.answered or reply is None or fork.target is None or reply.parted or reply.broken:
            return
        if not (reply.private or fork.private or flight.first.private):
            keep(flight)

    def __contains__(self, key: bytes) -> bool:
        return key in self._under_way


def told(reply: Reply, how: bytes, key: bytes | None = None) -> Reply:
    reply.headers = [*reply.headers, (HEADER, how)]
    if key is not None:
        reply.headers.append((ENTRY, key.hex().encode()))
    return reply


def again(exchange: Exchange, entry: Entry, key: str, how: str, age: int) -> list[tuple[bytes, bytes]]:
    """Say of whom the answer is that is given again, and give the headers."""
    decision = exchange.decision
    exchange.target, exchange.lost = _of(exchange, entry.target), list(entry.lost)
    decision.said.append(f"answered by the cache, as {entry.of} was")
    return [(HEADER, how.encode()), (b"age", b"%d" % age), (ENTRY, key.encode())]


def _of(exchange: Exchange, name: str) -> Target | None:
    """The target of this name, if it is one that might have been asked."""
    first = exchange.targets[0] if exchange.targets else None
    if first is not None and first.name == name:
        return first
    decision = exchange.decision
    out, instead = (each for each, _, _ in decision.out), chain.from_iterable(exchange.manner.instead.values())
    return next((each for each in chain(exchange.targets, decision.among, out, instead) if each.name == name), None)


def not_there() -> NotCached:
    return NotCached("no such answer is kept, and `cache-control: only-if-cached` has nobody asked; leave that out")
