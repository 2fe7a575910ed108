"""How channels reach services over HTTP: no redirect is followed, and what the store names only where it may lead."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from headgate.alerts.channels.channel import Answer, Undelivered
from headgate.core.errors import GatewayError
from headgate.core.target import Endpoint, Origin, Timeouts
from headgate.upstream.client import Client
from headgate.upstream.proxy import Proxies
from headgate.upstream.public import NotPublicError, Public

WAIT = Timeouts(connect=5.0, first_byte=15.0, idle=15.0, total=20.0)
LONGEST = 1 << 16
"""Bytes of an answer."""
NOT_PUBLIC = (
    "its address is not a public one; a channel of the store leads only to public ones and to `alerting.networks`"
)


class Ways:
    """To any address, for what the file says; to public ones and `networks`, for what the store says."""

    def __init__(self, networks: Sequence[str] = (), ca_file: str | None = None) -> None:
        self.public = Public([ipaddress.ip_network(each, strict=False) for each in networks])
        self._ca_file = ca_file
        self._clients: dict[bool, Client] = {}

    def client(self, *, anywhere: bool) -> Client:
        found = self._clients.get(anywhere)
        if found is None:
            narrow = {} if anywhere else {"proxies": Proxies({}), "resolve": self.public}
            found = self._clients[anywhere] = Client(ca_file=self._ca_file, max_connections_per_origin=8, **narrow)  # type: ignore[arg-type]
        return found

    async def close(self) -> None:
        for client in self._clients.values():
            await client.close()


class Way:
    """Of one channel (channels.channel.Way)."""

    def __init__(self, ways: Ways, *, anywhere: bool) -> None:
        self._ways = ways
        self._anywhere = anywhere
        self.ca_file = ways._ca_file

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        try:
            response = await self._ways.client(anywhere=self._anywhere).post(endpoint(url, headers), body)
            try:
                return Answer(response.status, response.header(b"retry-after"), await response.read(LONGEST))
            finally:
                response.close()
        except GatewayError as error:
            raise Undelivered(_told(error)) from None

    async def address(self, host: str, port: int) -> str | None:
        """What to connect to; None: whatever the name stands for. Raises Undelivered."""
        if self._anywhere:
            return None
        try:
            return await self._ways.public(host, port)
        except NotPublicError:
            raise Undelivered(NOT_PUBLIC, again=False) from None
        except (OSError, UnicodeError):
            raise Undelivered("its host's name cannot be resolved") from None


def _told(error: GatewayError) -> str:
    return NOT_PUBLIC if "not a public one" in error.message else error.message


def endpoint(url: str, headers: Mapping[str, str]) -> Endpoint:
    """Raises Undelivered for what is no address of a web server: it is not told, as it may be a secret."""
    try:
        where = urlsplit(url)
        port = where.port or (443 if where.scheme == "https" else 80)
    except ValueError:
        raise Undelivered("its URL is none", again=False) from None
    if where.scheme not in ("https", "http") or not where.hostname or "@" in where.netloc:
        raise Undelivered("its URL must begin with https:// or http://, and hold no user name", again=False)
    path = (where.path or "/") + (f"?{where.query}" if where.query else "")
    lines = [f"POST {path} HTTP/1.1", f"host: {where.netloc}", "user-agent: headgate"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if not all(line.isascii() and line.isprintable() for line in lines) or " " in path:
        raise Undelivered("its URL or a header holds a space, a line break or a letter beyond ASCII", again=False)
    head = "".join(f"{line}\r\n" for line in lines).encode("ascii")
    return Endpoint(Origin(where.scheme, where.hostname, port), head, WAIT)
