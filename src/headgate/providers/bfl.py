"""Black Forest Labs: https://docs.bfl.ai/quick_start/introduction.

A picture is ordered, and asked after where the order's answer says.
"""

from __future__ import annotations

import re
from typing import Any, ClassVar
from urllib.parse import SplitResult

import msgspec

from headgate.core.dialect import Dialect
from headgate.core.exchange import Exchange
from headgate.core.ports import Upstream
from headgate.core.reply import Reply
from headgate.dialects import bfl, whole
from headgate.dialects.pictures import WHAT, Order
from headgate.providers.jobs.job import JobProvider, address

HOSTS = re.compile(r"api\.(\w+\.)?bfl\.ai")
"""Where an order may be asked after, with the key: https://docs.bfl.ai/api_integration/integration_guidelines#polling-url-usage."""
KEPT = re.compile(r"([\w-]+\.)+bfl\.ai")
"""Where pictures lie: delivery.*.bfl.ai, or delivery-*, as the same page and its examples say."""

_fields = msgspec.json.Decoder(dict[str, Any])


class BFL(JobProvider):
    base_url = "https://api.bfl.ai"
    env_key: ClassVar[str | None] = "BFL_API_KEY"
    sample_model: ClassVar[str | None] = "flux-2-pro"
    dialects: ClassVar[tuple[Dialect, ...]] = (bfl,)
    linked = ("polling_url",)
    kept = KEPT

    def auth(self, dialect: Dialect) -> dict[str, str]:
        return {"x-key": self.key} if self.key else {}

    async def send(self, exchange: Exchange, upstream: Upstream) -> Reply:
        order = exchange.outgoing
        if not isinstance(order, Order):
            return await super().send(exchange, upstream)
        return await self.in_steps(bfl, self._painted(order, upstream))

    async def _painted(self, order: Order, upstream: Upstream) -> bytes:
        ordered = await self.step(bfl, upstream, "POST", self.under_base(order.path or ""), order)
        bill = _said(ordered)
        url = bill.get("polling_url")
        if not isinstance(url, str):
            raise whole.nonsense(ordered, WHAT, "no `polling_url`")
        place = self._polled(address(url))
        body = await self.result(
            b'{"status":"Pending"}',
            lambda answer: _said(answer).get("status") not in bfl.OVER,
            lambda: self.step(bfl, upstream, "GET", place),
        )
        fields = {**{name: bill[name] for name in bfl.BILL if name in bill}, **_said(body)}
        return whole.encode(await self._with_data(fields, upstream) if order.as_data else fields)

    def _polled(self, url: SplitResult) -> str:
        """At the vendor's own host where we are there ourselves; else what stands before it is asked for the same."""
        ours = address(self.address)
        if HOSTS.fullmatch(ours.hostname or "") and HOSTS.fullmatch(url.netloc) and url.scheme == "https":
            return url.geturl()
        return self.under_base(url.path + (f"?{url.query}" if url.query else ""))

    async def _with_data(self, fields: dict[str, Any], upstream: Upstream) -> dict[str, Any]:
        """The answer with the picture in place of its address, which lasts ten minutes."""
        result = fields.get("result")
        if fields["status"] != bfl.READY or not isinstance(result, dict) or not isinstance(result.get("sample"), str):
            return fields
        return {**fields, "result": {**result, "sample": await self.data_of(upstream, result["sample"])}}


def _said(body: bytes) -> dict[str, Any]:
    return whole.decoded(_fields, body, WHAT)
