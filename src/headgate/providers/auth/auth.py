"""What every proof that expires shares: it is renewed before its end, while requests go on with the one there is."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode, urlsplit

import msgspec

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
WORDS = 300
"""Characters of what a service says of its refusal."""
TIMEOUTS = Timeouts(connect=2.0, first_byte=10.0, idle=10.0, total=15.0)

_decode = msgspec.json.Decoder(dict[str, Any]).decode

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


async def request_token(
    upstream: Upstream, url: str, form: Mapping[str, str], whose: str, clock: Callable[[], float] = time.time
) -> Grant[str]:
    """A token of OAuth 2 (RFC 6749) for a form. `whose` says in errors who gives them. Raises ProviderError."""
    headers = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}
    status, body = await ask(upstream, "POST", url, headers, urlencode(form).encode())
    return read_token(status, body, whose, clock())


def read_token(status: int, body: bytes, whose: str, now: float) -> Grant[str]:
    """The answer to a request for a token. Raises NoCredentials."""
    if status != 200:
        raise refused(status, body, whose)
    found = read_object(body, whose)
    token, seconds = found.get("access_token"), found.get("expires_in")
    if not isinstance(token, str) or not token:
        raise NoCredentials(f"{whose} gave no token")
    until = found.get("expires_on") if seconds is None else seconds
    try:
        end = None if until is None else float(until)
    except (TypeError, ValueError):
        raise NoCredentials(f"{whose} gave a token with an end that is no time") from None
    return Grant(token, end if end is None or seconds is None else now + end)


def refused(status: int, body: bytes, whose: str) -> NoCredentials:
    """The error for an answer that is none: its code, and the first line of what it says of it."""
    try:
        found = read_object(body, whose)
    except NoCredentials:
        found = {}
    error = found.get("error")
    inner = error if isinstance(error, dict) else found
    code = error if isinstance(error, str) else inner.get("status") or inner.get("errorCode") or ""
    words = inner.get("error_description") or inner.get("message") or inner.get("errorMessage") or ""
    said = ": ".join(part for part in (str(code), str(words).partition("\n")[0].strip()[:WORDS]) if part)
    return NoCredentials(f"{whose} answered {status}" + (f" ({said})" if said else ""))


def read_object(body: bytes, whose: str) -> dict[str, Any]:
    """A JSON object. Raises NoCredentials."""
    try:
        return _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise NoCredentials(f"{whose} gave no JSON object") from None


async def read_text(path: str) -> str:
    """A file's text, without the loop waiting for the disk. Raises NoCredentials."""
    try:
        return (await asyncio.to_thread(_read, path)).strip()
    except (OSError, UnicodeDecodeError, RuntimeError) as error:
        name = path.rpartition("/")[2]
        raise NoCredentials(f"the file {name} with a token cannot be read: {type(error).__name__}") from None


def _read(path: str) -> str:
    return Path(path).expanduser().read_text()
