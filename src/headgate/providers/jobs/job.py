"""The contract of a provider whose replies are made in several steps: an order, questions after it, what it made."""

from __future__ import annotations

import asyncio
import re
from base64 import b64encode
from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar
from urllib.parse import SplitResult, urlsplit

import pydantic

from headgate.core.body import Body
from headgate.core.dialect import Dialect
from headgate.core.errors import ProviderError, ProviderNonsense, ProviderTimeout
from headgate.core.ports import Upstream
from headgate.core.reply import Reply
from headgate.core.target import Endpoint, Origin
from headgate.providers.provider import ANSWERED, Header, Provider
from headgate.providers.settings import ProviderSettings

FIRST_WAIT, GROWTH = 0.5, 1.5
ACCEPTED = 202
"""Also the status of what is ordered and not yet there."""
_PRINTABLE = re.compile(r"[!-~]{1,8000}")


class JobSettings(ProviderSettings):
    poll: float = pydantic.Field(
        2.0, ge=0.01, le=60, description="Seconds between two questions whether a result is there, at the most."
    )


class JobProvider(Provider):
    """A subclass says in `send` how the steps follow each other."""

    Settings = JobSettings
    kept: ClassVar[re.Pattern[str]] = re.compile(r"(?!)")
    """The names of the hosts where its results lie, besides its own."""
    settings: JobSettings

    async def in_steps(self, dialect: Dialect, steps: Awaitable[bytes]) -> Reply:
        """The reply whose body the steps give; all together take no longer than `timeouts.total`."""
        try:
            async with asyncio.timeout(self.timeouts.total):
                body = await steps
        except TimeoutError:
            seconds = f"{self.timeouts.total:g} s (timeouts.total)"
            raise ProviderTimeout(f"{self.name} had no result after {seconds}") from None
        except ProviderError as error:
            self.secrecy.clean(error)
            raise
        return Reply(dialect, stream=False, body=body, secrecy=self.secrecy)

    async def step(
        self,
        dialect: Dialect,
        upstream: Upstream,
        method: str,
        address: str,
        body: Body | None = None,
        headers: Sequence[Header] = (),
    ) -> bytes:
        """The answer to one request, with all that proves who we are. Raises ProviderError."""
        url = urlsplit(address)
        endpoint = self._at(url, method, url.path + (f"?{url.query}" if url.query else ""), dialect, {})
        kind = body.content_type if body is not None else None
        response = await upstream.post(endpoint, body, [*headers, (b"content-type", kind)] if kind else headers)
        try:
            if response.status not in (*ANSWERED, ACCEPTED):
                raise await self._refusal(dialect, response, None)
            return await response.read(self.max_reply_bytes)
        finally:
            response.close()

    async def result(self, body: bytes, busy: Callable[[bytes], bool], ask: Callable[[], Awaitable[bytes]]) -> bytes:
        """The first answer that is not `busy`, beginning with `body`."""
        wait = min(FIRST_WAIT, self.settings.poll)
        while busy(body):
            await asyncio.sleep(wait)
            wait = min(wait * GROWTH, self.settings.poll)
            body = await ask()
        return body

    async def data_of(self, upstream: Upstream, url: str) -> str:
        """What lies at an address of the provider's, as a data: URL; one that is such a URL already is given back.

        It is asked for without any proof of who we are. Raises ProviderError, also where nothing of theirs should lie.
        """
        if url.startswith("data:"):
            return url
        place = address(url)
        theirs = place.scheme == "https" and self.kept.fullmatch(place.netloc) is not None
        if not theirs and origin(place) != origin(address(self.address)):
            raise ProviderNonsense(f"the provider names a result where none of its results lie: {place.netloc[:100]!a}")
        path = (place.path or "/") + (f"?{place.query}" if place.query else "")
        head = f"GET {path} HTTP/1.1\r\nhost: {place.netloc}\r\naccept: */*\r\nuser-agent: headgate\r\n".encode()
        response = await upstream.post(Endpoint(origin(place), head, self.timeouts), None)
        try:
            if response.status != 200:
                raise ProviderNonsense(f"the result at {place.netloc} could not be got: status {response.status}")
            data = await response.read(self.max_reply_bytes)
            kind = (response.header(b"content-type") or b"").decode("latin-1").partition(",")[0]
            return f"data:{kind};base64,{b64encode(data).decode()}"
        finally:
            response.close()


def address(url: str) -> SplitResult:
    """An address a provider names. Raises ProviderNonsense for what is none, or would break out of a request's head."""
    try:
        found = urlsplit(url) if _PRINTABLE.fullmatch(url) else None
        port = found.port if found else None
    except ValueError:
        found = port = None
    if found is None or found.scheme not in ("https", "http") or not found.hostname or "@" in found.netloc or port == 0:
        raise ProviderNonsense(f"the provider named no address: {url[:100]!a}")
    return found


def origin(url: SplitResult) -> Origin:
    return Origin(url.scheme, url.hostname or "", url.port or (443 if url.scheme == "https" else 80))
