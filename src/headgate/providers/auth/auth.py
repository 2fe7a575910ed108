"""What every proof that expires shares: it is renewed before its end, while requests go on with the one there is."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import urlsplit

from headgate.core.errors import NoCredentials, ProviderError
from headgate.core.ports import Upstream
from headgate.core.target import Endpoint, Origin, Timeouts

T = TypeVar("T")

EARLY = 600.0
"""Seconds before its end at which a proof is renewed; half of what is left, where that is less."""
AGAIN = 30.0
"""Seconds until a renewal that failed is tried again, and the least between two of them."""
LONGEST = 1 << 20
"""Bytes of an answer about credentials."""
TIMEOUTS = Timeouts(connect=2.0, first_byte=10.0, idle=10.0, total=15.0)

log = logging.getLogger("headgate.providers.auth")


@dataclass(slots=True, frozen=True)
class Grant(Generic[T]):
    """A proof and its times, in Unix seconds: `until` it holds (None: for good), and from `renew` on a new one is
    asked for (None: shortly before `until`)."""

    value: T
    until: float | None = None
    renew: float | None = None


Fetch = Callable[[Upstream], Awaitable[Grant[T]]]


class Renewed(Generic[T]):
    """A proof that is fetched on first use and then renewed beside the requests, which wait for none but the first.

    `what` says in errors what it is. However many requests need it at once, it is fetched once.
    """

    def __init__(self, what: str, fetch: Fetch[T], clock: Callable[[], float] = time.time) -> None:
        self._what = what
        self._fetch = fetch
        self._clock = clock
        self._grant: Grant[T] | None = None
        self._renew = 0.0
        self._task: asyncio.Task[Grant[T]] | None = None

    async def get(self, upstream: Upstream) -> T:
        """The proof. Raises NoCredentials where there is none and none can be had."""
        grant, now = self._grant, self._clock()
        if grant is None or (grant.until is not None and now >= grant.until):
            # shielded: one who gives up does not take it from the others
            grant = await asyncio.shield(self._begin(upstream))
        elif now >= self._renew:
            self._begin(upstream)
        return grant.value

    def _begin(self, upstream: Upstream) -> asyncio.Task[Grant[T]]:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._renewed(upstream))
            self._task.add_done_callback(self._finished)
        return self._task

    async def _renewed(self, upstream: Upstream) -> Grant[T]:
        try:
            grant = await self._fetch(upstream)
        except NoCredentials:
            raise
        except ProviderError as error:
            raise NoCredentials(f"{self._what} cannot be had: {error.message}") from error
        now = self._clock()
        if grant.until is not None and grant.until <= now:
            raise NoCredentials(f"{self._what}: what was given had ended already; is the clock right?")
        self._grant = grant
        self._renew = max(_due(grant, now), now + AGAIN)
        return grant

    def _finished(self, task: asyncio.Task[Grant[T]]) -> None:
        self._task = None
        error = None if task.cancelled() else task.exception()
        if error is None:
            return
        self._renew = self._clock() + AGAIN
        if isinstance(error, NoCredentials):
            log.warning("%s", error.message)
        else:
            log.error("%s could not be renewed", self._what, exc_info=error)


def _due(grant: Grant[T], now: float) -> float:
    if grant.renew is not None:
        return grant.renew
    return float("inf") if grant.until is None else grant.until - min(EARLY, (grant.until - now) / 2)


async def ask(
    upstream: Upstream,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes = b"",
    timeouts: Timeouts = TIMEOUTS,
) -> tuple[int, bytes]:
    """Status and body of an answer about credentials. Raises ProviderError."""
    response = await upstream.post(endpoint(method, url, headers, timeouts), body)
    try:
        return response.status, await response.read(LONGEST)
    finally:
        response.close()


def endpoint(method: str, url: str, headers: Mapping[str, str], timeouts: Timeouts = TIMEOUTS) -> Endpoint:
    """Where a request about credentials goes. Raises NoCredentials for an address or a header that cannot be."""
    try:
        where = urlsplit(url)
        port = where.port or (443 if where.scheme == "https" else 80)
    except ValueError:
        raise NoCredentials("the address that credentials come from is not a URL") from None
    path = (where.path or "/") + (f"?{where.query}" if where.query else "")
    lines = [f"{method} {path} HTTP/1.1", f"host: {where.netloc.rpartition('@')[2]}", "user-agent: headgate"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if any("\r" in line or "\n" in line or not line.isascii() for line in lines):
        raise NoCredentials("a token or an address for credentials holds a line break or a letter beyond ASCII")
    head = "".join(f"{line}\r\n" for line in lines).encode("ascii")
    return Endpoint(Origin(where.scheme, where.hostname or "", port), head, timeouts)
