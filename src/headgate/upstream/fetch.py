"""Fetches what a client names by URL, from public hosts only, for providers that take it only inside the request."""

from __future__ import annotations

import asyncio
import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, urljoin, urlsplit

from headgate.core.errors import GatewayError, InvalidRequest
from headgate.core.ports import Fetched
from headgate.core.target import Endpoint, Origin, Timeouts
from headgate.upstream.client import Client

PORTS = {"http": 80, "https": 443}
KINDS = ("image/", "audio/", "video/", "application/pdf", "text/plain", "text/csv", "text/markdown")
"""What may be fetched, by the content type the host gives it."""


@dataclass(slots=True, frozen=True)
class Bounds:
    """`hosts` are patterns (`*.example.com`), none being any; `seconds` hold for one URL with its redirects.

    `together`: bytes for one request.
    """

    hosts: Sequence[str] = ()
    ports: Sequence[int] = (80, 443)
    max_bytes: int = 20 << 20
    seconds: float = 10.0
    redirects: int = 3
    together: int = 50 << 20


class Fetcher:
    """Implements core.ports.Fetch. `client` resolves names by `upstream.public.Public` and knows no proxies."""

    def __init__(self, client: Client, bounds: Bounds) -> None:
        self.client = client
        self.bounds = bounds

    @property
    def together(self) -> int:
        return self.bounds.together

    async def fetch(self, url: str) -> Fetched:
        """Raises InvalidRequest, whatever is wrong."""
        try:
            async with asyncio.timeout(self.bounds.seconds):
                return await self._followed(url)
        except TimeoutError:
            raise InvalidRequest(f"it was not there within {self.bounds.seconds:g} s (fetch.timeout)") from None

    async def _followed(self, url: str) -> Fetched:
        for _ in range(self.bounds.redirects + 1):
            found = await self._once(url)
            if isinstance(found, Fetched):
                return found
            try:
                url = urljoin(url, found)
            except ValueError:
                raise InvalidRequest("its host redirects to what is not a URL") from None
        raise InvalidRequest(f"the URL redirects more than {self.bounds.redirects} times")

    async def _once(self, url: str) -> Fetched | str:
        """What is there, or where it is instead."""
        parts, port = self._checked(url)
        origin = Origin(parts.scheme, parts.hostname or "", port)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        host = parts.netloc.encode("ascii")
        head = b"GET %b HTTP/1.1\r\nhost: %b\r\naccept: */*\r\nuser-agent: headgate\r\n" % (path.encode("ascii"), host)
        seconds = 2 * self.bounds.seconds  # `fetch` ends it before
        try:
            response = await self.client.post(
                Endpoint(origin, head, Timeouts(seconds, seconds, seconds, seconds)), None
            )
            try:
                if response.status in (301, 302, 303, 307, 308):
                    return (response.header(b"location") or b"").decode("latin-1")
                if response.status != 200:
                    raise InvalidRequest(f"its host answered with status {response.status}")
                kind = (response.header(b"content-type") or b"").partition(b";")[0].strip().lower().decode("latin-1")
                if not kind.startswith(KINDS):
                    raise InvalidRequest(f"its host calls it {kind[:50]!r}; what may be fetched: {', '.join(KINDS)}")
                return Fetched(await response.read(self.bounds.max_bytes), kind)
            finally:
                response.close()
        except InvalidRequest:
            raise
        except GatewayError as error:
            raise InvalidRequest(f"it cannot be fetched: {error.message}") from None

    def _checked(self, url: str) -> tuple[SplitResult, int]:
        """Raises InvalidRequest for what may not be asked for."""
        try:
            parts = urlsplit(url)
            port = parts.port or PORTS.get(parts.scheme, 0)
        except ValueError:
            raise InvalidRequest("it is not a URL") from None
        plain = url.isascii() and url.isprintable() and not set(url) & set(' \\"<>^`{|}')
        if parts.scheme not in PORTS or not parts.hostname or "@" in parts.netloc or "%" in parts.netloc or not plain:
            raise InvalidRequest("only http:// and https:// URLs of plain ASCII, without user name, are fetched")
        if port not in self.bounds.ports:
            raise InvalidRequest("its port is not one of those that may be fetched from (fetch.ports)")
        hosts = self.bounds.hosts
        if hosts and not any(fnmatch.fnmatchcase(parts.hostname.lower(), pattern.lower()) for pattern in hosts):
            raise InvalidRequest("its host is not one of those that may be fetched from (fetch.hosts)")
        return parts, port
