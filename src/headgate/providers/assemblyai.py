"""AssemblyAI: https://www.assemblyai.com/docs/api-reference/overview.

A file is uploaded, its transcript ordered, and asked after until it is there.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

import msgspec
import pydantic

from headgate.core.body import Body
from headgate.core.dialect import Dialect
from headgate.core.errors import ProviderError, ProviderTimeout
from headgate.core.exchange import Exchange
from headgate.core.ports import Upstream
from headgate.core.reply import Reply
from headgate.dialects import assemblyai, whole
from headgate.dialects.assemblyai import Order
from headgate.providers.provider import ANSWERED, Header, Provider, ProviderSettings

UPLOAD = "/v2/upload"
FIRST_WAIT, GROWTH = 0.5, 1.5
WAITING = ("queued", "processing")

_fields = msgspec.json.Decoder(dict[str, Any])


class AssemblyAISettings(ProviderSettings):
    poll: float = pydantic.Field(
        3.0, ge=0.01, le=60, description="Seconds between two questions whether a transcript is there, at the most."
    )


class AssemblyAI(Provider):
    Settings = AssemblyAISettings
    base_url = "https://api.assemblyai.com"
    env_key: ClassVar[str | None] = "ASSEMBLYAI_API_KEY"
    sample_model: ClassVar[str | None] = "universal-2"
    dialects: ClassVar[tuple[Dialect, ...]] = (assemblyai,)
    settings: AssemblyAISettings

    def auth(self, dialect: Dialect) -> dict[str, str]:
        """The key as it is: https://www.assemblyai.com/docs/api-reference/overview#authentication"""
        return {"authorization": self.key} if self.key else {}

    async def send(self, exchange: Exchange, upstream: Upstream) -> Reply:
        order = exchange.outgoing
        if not isinstance(order, Order):
            return await super().send(exchange, upstream)
        try:
            body = await self._transcribed(order, upstream)
        except ProviderError as error:
            self.secrecy.clean(error)
            raise
        return Reply(assemblyai, stream=False, body=body, secrecy=self.secrecy)

    async def _transcribed(self, order: Order, upstream: Upstream) -> bytes:
        """All three steps together take no longer than `timeouts.total`."""
        until = time.monotonic() + self.timeouts.total
        uploaded = await self._asked(upstream, "POST", UPLOAD, order.file, b"application/octet-stream")
        words = order.of(_text(uploaded, "upload_url", "an uploaded file"))
        body = await self._asked(upstream, "POST", assemblyai.upstream_path, words, b"application/json")
        place = f"{assemblyai.upstream_path}/{quote(_text(body, 'id', 'a transcript'), safe='')}"
        wait = min(FIRST_WAIT, self.settings.poll)
        while _text(body, "status", "a transcript") in WAITING:
            if time.monotonic() + wait > until:
                raise ProviderTimeout(f"{self.name} had no transcript after {self.timeouts.total:g} s (timeouts.total)")
            await asyncio.sleep(wait)
            wait = min(wait * GROWTH, self.settings.poll)
            body = await self._asked(upstream, "GET", place)
        return body

    async def _asked(
        self, upstream: Upstream, method: str, place: str, body: bytes | Body | None = None, kind: bytes = b""
    ) -> bytes:
        """One step's answer. Raises ProviderError."""
        url = urlsplit(self.under_base(place))
        endpoint = self._at(url, method, url.path + (f"?{url.query}" if url.query else ""), assemblyai, {})
        headers: list[Header] = [(b"content-type", kind)] if kind else []
        response = await upstream.post(endpoint, body, headers)
        try:
            if response.status not in ANSWERED:
                raise await self._refusal(assemblyai, response, None)
            return await response.read(self.max_reply_bytes)
        finally:
            response.close()


def _text(body: bytes, key: str, what: str) -> str:
    """A field of an answer. Raises ProviderNonsense."""
    value = whole.decoded(_fields, body, what).get(key)
    if not isinstance(value, str):
        raise whole.nonsense(body, what, f"no `{key}`")
    return value
