"""Replicate: https://replicate.com/docs/reference/http#authentication.

A prediction is ordered, waited for as long as one request may take, and asked after from then on.
"""

from __future__ import annotations

import math
import re
from typing import Any, ClassVar
from urllib.parse import quote

import msgspec

from headgate.core.dialect import Dialect
from headgate.core.exchange import Exchange
from headgate.core.ports import Upstream
from headgate.core.reply import Reply
from headgate.dialects import replicate, whole
from headgate.dialects.pictures import WHAT, Order
from headgate.providers.jobs.job import JobProvider
from headgate.providers.provider import Header

KEPT = re.compile(r"([\w-]+\.)*replicate\.delivery")
"""Where pictures lie: https://replicate.com/docs/topics/predictions/output-files."""
LONGEST_WAIT = 60
SHORTEST_LIFE = 5
"""Seconds: https://replicate.com/docs/reference/http#predictions.create, of `Prefer` and `Cancel-After`."""

_fields = msgspec.json.Decoder(dict[str, Any])


class Replicate(JobProvider):
    base_url = "https://api.replicate.com"
    env_key: ClassVar[str | None] = "REPLICATE_API_TOKEN"
    sample_model: ClassVar[str | None] = "black-forest-labs/flux-schnell"
    dialects: ClassVar[tuple[Dialect, ...]] = (replicate,)
    linked = ("cancel", "get")
    kept = KEPT

    async def send(self, exchange: Exchange, upstream: Upstream) -> Reply:
        order = exchange.outgoing
        if not isinstance(order, Order):
            return await super().send(exchange, upstream)
        return await self.in_steps(replicate, self._painted(order, upstream))

    async def _painted(self, order: Order, upstream: Upstream) -> bytes:
        place = self.under_base(order.path or "")
        ordered = await self.step(replicate, upstream, "POST", place, order, self._patience())
        name = _said(ordered).get("id")
        if not isinstance(name, str) or not name.strip("."):
            raise whole.nonsense(ordered, WHAT, "no `id`")
        place = self.under_base(f"{replicate.PREDICTIONS}/{quote(name, safe='')}")
        body = await self.result(
            ordered,
            lambda answer: _said(answer).get("status") not in replicate.OVER,
            lambda: self.step(replicate, upstream, "GET", place),
        )
        return await self._with_data(body, upstream) if order.as_data else body

    def _patience(self) -> list[Header]:
        """How long the answer may be waited for, and when nobody waits for the prediction any more."""
        longest = max(1, int(min(self.timeouts.first_byte, self.timeouts.total)) - 1)
        useless = max(SHORTEST_LIFE, math.ceil(self.timeouts.total))
        return [(b"prefer", b"wait=%d" % min(LONGEST_WAIT, longest)), (b"cancel-after", b"%ds" % useless)]

    async def _with_data(self, body: bytes, upstream: Upstream) -> bytes:
        """The answer with the pictures in place of their addresses, which last an hour."""
        fields = _said(body)
        output = fields.get("output")
        found = output if isinstance(output, list) else [output]
        addresses = [each for each in found if isinstance(each, str)]
        if fields["status"] != replicate.SUCCEEDED or addresses != found:
            return body
        return whole.encode({**fields, "output": [await self.data_of(upstream, each) for each in addresses]})


def _said(body: bytes) -> dict[str, Any]:
    return whole.decoded(_fields, body, WHAT)
