"""AssemblyAI: https://www.assemblyai.com/docs/api-reference/overview.

A file is uploaded, its transcript ordered, and asked after until it is there.
"""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import quote

import msgspec

from headgate.core.body import Body
from headgate.core.dialect import Dialect
from headgate.core.exchange import Exchange
from headgate.core.ports import Upstream
from headgate.core.reply import Reply
from headgate.dialects import assemblyai, whole
from headgate.dialects.assemblyai import Order
from headgate.providers.jobs.job import JobProvider

UPLOAD = "/v2/upload"
WAITING = ("queued", "processing")

_fields = msgspec.json.Decoder(dict[str, Any])


class AssemblyAI(JobProvider):
    base_url = "https://api.assemblyai.com"
    env_key: ClassVar[str | None] = "ASSEMBLYAI_API_KEY"
    sample_model: ClassVar[str | None] = "universal-2"
    dialects: ClassVar[tuple[Dialect, ...]] = (assemblyai,)

    def auth(self, dialect: Dialect) -> dict[str, str]:
        """The key as it is: https://www.assemblyai.com/docs/api-reference/overview#authentication"""
        return {"authorization": self.key} if self.key else {}

    async def send(self, exchange: Exchange, upstream: Upstream) -> Reply:
        order = exchange.outgoing
        if not isinstance(order, Order):
            return await super().send(exchange, upstream)
        return await self.in_steps(assemblyai, self._transcribed(order, upstream))

    async def _transcribed(self, order: Order, upstream: Upstream) -> bytes:
        file = order.file.at(UPLOAD, "application/octet-stream")
        uploaded = await self._step(upstream, "POST", UPLOAD, file)
        words = order.of(_text(uploaded, "upload_url", "an uploaded file"))
        body = await self._step(upstream, "POST", assemblyai.upstream_path, words)
        place = f"{assemblyai.upstream_path}/{quote(_text(body, 'id', 'a transcript'), safe='')}"
        return await self.result(
            body,
            lambda answer: _text(answer, "status", "a transcript") in WAITING,
            lambda: self._step(upstream, "GET", place),
        )

    async def _step(self, upstream: Upstream, method: str, place: str, body: Body | None = None) -> bytes:
        return await self.step(assemblyai, upstream, method, self.under_base(place), body)


def _text(body: bytes, key: str, what: str) -> str:
    """A field of an answer. Raises ProviderNonsense."""
    value = whole.decoded(_fields, body, what).get(key)
    if not isinstance(value, str):
        raise whole.nonsense(body, what, f"no `{key}`")
    return value
