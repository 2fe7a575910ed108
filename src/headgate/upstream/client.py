"""Asks providers over HTTP/1.1, keeping connections for the next request."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Sequence

from headgate.core.body import Body
from headgate.core.errors import InvalidRequest, ProviderUnreachable
from headgate.core.target import Endpoint, Origin
from headgate.upstream.connection import Connection, Limits
from headgate.upstream.deadlines import Deadlines
from headgate.upstream.pool import Pool, PoolStats, closing
from headgate.upstream.proxy import Proxies
from headgate.upstream.public import Resolve
from headgate.upstream.response import Response
from headgate.upstream.tls import Certificate, context

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_ENDS_LINE = re.compile(rb"[\r\n\0]")
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})


class Client:
    """Implements core.ports.Upstream. Belongs to the event loop it is first used on.

    `ca_file`: a PEM bundle to trust instead of the system's. `proxies`: from the environment when not given.
    `keep_alive`: seconds an idle connection is kept. `max_header_bytes`, `max_headers`: of a reply, interim replies
    included. `buffer_bytes`: of one reply that wait unread before the provider is held back. `resolve`: finds the
    addresses of hosts, where not every one may be connected to. `max_origins`: when as many have been asked, those
    that nobody is asking are forgotten. `certificate`: proves to hosts that ask for one who this client is.
    """

    def __init__(
        self,
        *,
        ca_file: str | None = None,
        proxies: Proxies | None = None,
        max_connections_per_origin: int = 1000,
        keep_alive: float = 55.0,
        max_header_bytes: int = 64 * 1024,
        max_headers: int = 256,
        buffer_bytes: int = 64 * 1024,
        resolve: Resolve | None = None,
        max_origins: int = 1000,
        certificate: Certificate | None = None,
    ) -> None:
        self._resolve = resolve
        self._max_origins = max_origins
        self._tls = context(ca_file, certificate=certificate)
        self._proxies = proxies if proxies is not None else Proxies(os.environ)
        self._most = max_connections_per_origin
        self._limits = Limits(keep_alive, max_header_bytes, max_headers, buffer_bytes)
        self._pools: dict[Origin, Pool] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watch: Deadlines | None = None
        self._closed = False

    async def post(
        self, endpoint: Endpoint, body: bytes | Body | None, headers: Sequence[tuple[bytes, bytes]] = ()
    ) -> Response:
        """Send and wait for the reply's head. Redirects are not followed.

        A request that met a connection which the provider had closed while it was idle is sent once more, on a new
        connection, if its body can be read again (see `Connection._stale` for when, and why that is right). Raises
        ProviderUnreachable, ProviderTimeout, ProviderCut or ProviderNonsense; InvalidRequest for a header that cannot
        be sent; Overloaded when the client is being closed; what a `Body` raises. Cancelling closes the connection.
        """
        pool = self._pools.get(endpoint.origin)
        if pool is None:
            pool = self._open_pool(endpoint.origin)
        head = endpoint.head
        if headers:
            head += extra_headers(headers)
        if pool.forward is not None:
            head = pool.forward.absolute(endpoint.origin, head)
        assert self._loop is not None
        timeouts = endpoint.timeouts
        now = self._loop.time()
        until = now + timeouts.total
        connection = pool.take()
        if connection is None:
            connection = await pool.acquire(timeouts)
            now = self._loop.time()
        response = await connection.ask(head, body, timeouts, now, until)
        if response.stale and (body is None or isinstance(body, bytes) or body.again):
            connection = await pool.acquire(timeouts)
            response = await connection.ask(head, body, timeouts, self._loop.time(), until)
        if response.error is not None and not response.status:
            raise response.error
        if response.status == 407 and pool.forward is not None:
            response.close()
            raise ProviderUnreachable(
                f"The proxy {pool.forward.host}:{pool.forward.port} asks for a user name and password (407); give them "
                "in its URL."
            )
        return response

    def _open_pool(self, origin: Origin) -> Pool:
        if self._loop is None or self._watch is None:
            self._loop = asyncio.get_running_loop()
            self._watch = Deadlines(self._loop)
        if len(self._pools) >= self._max_origins:
            self._pools = {origin: pool for origin, pool in self._pools.items() if not pool.let_go()}
        proxy = self._proxies.proxy_for(origin)
        pool = Pool(origin, proxy, self._tls, self._watch, self._limits, self._most, self._resolve)
        if self._closed:
            pool.close()
        self._pools[origin] = pool
        return pool

    def stats(self) -> dict[Origin, PoolStats]:
        """For each origin asked so far, its connections. Metrics ask in a thread, while requests go on."""
        return {origin: pool.stats() for origin, pool in self._pools.copy().items()}

    async def close(self, grace: float = 0.0) -> None:
        """Take no more requests, wait up to `grace` seconds for those under way, then close every connection."""
        self._closed = True
        for pool in self._pools.values():
            pool.close()
        if self._loop is None or self._watch is None:
            return
        end = self._loop.time() + grace
        while self._watch.members and self._loop.time() < end:  # noqa: ASYNC110
            await asyncio.sleep(0.02)  # rarely called, and nothing on the way has to tell it anything
        for member in list(self._watch.members):
            assert isinstance(member, Connection)
            member.fail(closing())
        self._watch.stop()


def extra_headers(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Header lines. Raises InvalidRequest for what would change the request's framing or add lines of its own."""
    lines = []
    for name, value in headers:
        if not _TOKEN.fullmatch(name) or name.lower() in _FRAMING:
            shown = name[:80].decode("ascii", "backslashreplace")
            raise InvalidRequest(f"The header name {shown!r} cannot be sent to a provider.")
        if _ENDS_LINE.search(value):
            raise InvalidRequest(
                f"The header {name.decode('ascii')} has a line break or NUL in its value and cannot be sent to a "
                "provider; take it out."
            )
        lines.append(b"%b: %b\r\n" % (name, value))
    return b"".join(lines)
