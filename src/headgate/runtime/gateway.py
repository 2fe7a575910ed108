"""The Gateway: the immutable snapshot that serves requests, swapped in one assignment."""

from __future__ import annotations

import ipaddress
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from headgate.catalog.menu import Menu
from headgate.config.schema import Config
from headgate.core.caller import Caller, Network
from headgate.core.dialect import Dialect
from headgate.core.errors import GatewayError
from headgate.core.exchange import Exchange, Place
from headgate.core.limits.ledger import Ledger
from headgate.core.ports import Cache, Embedder, Index, Journal, Meter, Payloads, Upstream, Vaults
from headgate.core.ports import Fetch as FetchPort
from headgate.core.reply import Reply
from headgate.core.standing import Board
from headgate.core.target import Target
from headgate.identity.introspection import Introspection
from headgate.identity.jwt import Issuer
from headgate.stages.authenticate import Asked, Authenticate
from headgate.stages.record import Record
from headgate.stages.route import Route
from headgate.stages.stage import Proceed, chain

Headers = Sequence[tuple[bytes, bytes]]

ADMIN = "admin"
DEFAULT_FACE = b"/v1/chat/completions"
"""Whose dialect an error is in where nothing tells what the client speaks: the one most clients know."""
LIKENESS = 150
"""Bytes at either end of a path in which it may be like another."""


@dataclass(slots=True, frozen=True)
class Ports:
    """What outlives a configuration: connections, the journal, the counters."""

    journal: Journal
    meter: Meter
    upstream: Upstream
    fetch: FetchPort | None = None
    """None: nothing that a client names is fetched."""
    payloads: Payloads | None = None
    """None: nothing is kept of what is said."""
    cache: Cache | None = None
    """None: no answers are kept."""
    index: Index | None = None
    """None: they are given only to who asks the very same."""
    embedders: dict[str, Embedder] = field(default_factory=dict)
    """Those that run in this process, by the folder of their weights ("": without any)."""
    board: Board = field(default_factory=Board)
    ledger: Ledger = field(default_factory=Ledger)
    issuers: dict[str, Issuer | Introspection] = field(default_factory=dict)
    """Those of tokens, by their settings, with the keys they have published."""
    vaults: Vaults | None = None
    """None: what guards hide is known for one request."""


@dataclass(slots=True, frozen=True)
class Gateway:
    """Everything a request needs, immutable; requests under way keep the one they began with."""

    config: Config
    chain: Proceed
    check: Proceed
    """A chain for requests of the gateway's own, whose target is known."""
    record: Record
    authenticate: Authenticate
    route: Route
    menu: Menu
    """What callers may ask for, and what is known of it."""
    named: Sequence[Target]
    """The targets of all names and rules."""
    faces: Mapping[bytes, Dialect]
    """The dialect a path speaks."""
    templates: Mapping[str, tuple[re.Pattern[bytes], Dialect]]
    """Paths with placeholders, and what they speak; `model` is a group of the pattern."""
    opaque: Mapping[bytes, Dialect]
    """Of each provider, what is forwarded unread below its name."""
    trusted: Sequence[Network]

    def locate(self, path: bytes, query: bytes) -> tuple[Dialect, Place] | None:
        """The dialect of a path that holds the model, and the parts of the URL."""
        for template, (pattern, dialect) in self.templates.items():
            found = pattern.fullmatch(path)
            if found is not None:
                return dialect, Place(template, unquote(found["model"].decode("latin-1")), query)
        return None

    def forwards(self, path: bytes, query: bytes, address: str) -> tuple[Dialect, Place] | None:
        """What goes unread to a provider, by the path's first segment. `address`: scheme and host as the client sees
        them."""
        name, slash, rest = path[1:].partition(b"/")
        forwarded = self.opaque.get(name) if slash else None
        if forwarded is None:
            return None
        provider = name.decode()
        return forwarded, Place(f"{address}/{provider}", f"{provider}/*", query, slash + rest)

    def turn_away(self, error: GatewayError) -> Proceed:
        """A chain that records the request and refuses it."""

        async def refuse(exchange: Exchange) -> Reply:
            raise error

        return chain([self.record], refuse)

    def face_like(self, path: bytes, headers: Headers) -> Dialect:
        """The dialect to answer in where no path says it: whose headers the client sent, else whose path is nearest."""
        sent = {name for name, _ in headers}
        if len(path) > 2 * LIKENESS:  # it is compared with some sixty others, by anybody without a key
            path = path[:LIKENESS] + b"/" + path[-LIKENESS:]
        faces = [*self.faces.items(), *((path.encode(), face) for path, (_, face) in self.templates.items())]
        return max(
            faces,
            key=lambda face: (len(sent & face[1].request_headers), _shared(path, face[0]), face[0] == DEFAULT_FACE),
        )[1]

    def client_of(self, peer: tuple[str, int] | None, headers: Headers) -> str | None:
        """The client's address: the peer's, or what a trusted proxy says it is."""
        if peer is None:
            return None
        address = peer[0]
        if not self.trusted or not self._trusts(address):
            return address
        hops = [hop for name, value in headers if name == b"x-forwarded-for" for hop in value.split(b",")]
        for hop in reversed(hops):
            said = _address(hop)
            if said is None:
                break
            address = said
            if not self._trusts(address):
                break
        return address

    async def admit(self, scope: Mapping[str, Any], operation: str | None) -> Caller:
        """Who asks for a page, where they may. Raises what `stages.authenticate` raises."""
        headers = scope["headers"]
        client = self.client_of(scope["client"], headers)
        return await self.authenticate.admit(
            Asked(headers, client, scope["path"], operation, time.time(), self.proxied(scope["client"]))
        )

    def address_of(self, scope: Mapping[str, Any]) -> str:
        """Scheme and host by which the client reaches the gateway, as it says itself or as a trusted proxy says."""
        headers = dict(scope["headers"])
        scheme, peer = scope["scheme"], scope["client"]
        if self.trusted and peer is not None and self._trusts(peer[0]):
            scheme = "https" if headers.get(b"x-forwarded-proto") == b"https" else scheme
        return f"{scheme}://{headers.get(b'host', b'').decode('latin-1')}"

    def proxied(self, peer: tuple[str, int] | None) -> bool:
        """Whether a connection is that of a proxy that is trusted."""
        return peer is not None and self._trusts(peer[0])

    def _trusts(self, address: str) -> bool:
        try:
            known = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(known in network for network in self.trusted)


def _address(hop: bytes) -> str | None:
    """An entry of `x-forwarded-for` without its port; None for what is no address (`unknown`, an attacker's text)."""
    text = hop.strip().decode("latin-1")
    if text[:1] == "[":
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return None if "%" in text else str(ipaddress.ip_address(text))
    except ValueError:
        return None


def _shared(path: bytes, other: bytes) -> int:
    """How many path segments two paths have in common from the beginning, and from the end."""
    ours, theirs = path.split(b"/"), other.split(b"/")
    return _alike(ours, theirs) + _alike(ours[::-1], theirs[::-1])


def _alike(ours: list[bytes], theirs: list[bytes]) -> int:
    for count, (one, another) in enumerate(zip(ours, theirs, strict=False)):
        if one != another:
            return count
    return min(len(ours), len(theirs))
