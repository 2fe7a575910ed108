"""Count what was used where the provider did not say it: of replies without usage, and of streams that ended early.

A prompt is counted as `catalog.prompts` does, an answer by its text: exactly with a public vocabulary, else by length
times what was learned of the model from the usage it reports. That happens in a thread, and never where usage came.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import msgspec

from headgate.catalog import prompts, tokens
from headgate.catalog.cost import given
from headgate.core.chat import ChatRequest, Loss
from headgate.core.errors import GatewayError
from headgate.core.exchange import Exchange
from headgate.core.ratios import Ratio, Ratios
from headgate.core.reply import Reply
from headgate.core.tally import Made
from headgate.core.target import Target
from headgate.core.usage import Usage
from headgate.stages.stage import Clock, Proceed

PATIENCE = 2.0
"""Seconds that a count may take, fewer than a stopping server waits for; then nothing is known of what was used."""
LONG = 1 << 20
"""Bytes of a request that is too long to be counted otherwise than by its length."""
LOOKED_AT = 16_384
"""Bytes of a request, or of a whole answer, from which something may be learned."""
ENOUGH = 40
"""Tokens from which a text tells of its model."""
log = logging.getLogger("headgate.stages")
_thread = ThreadPoolExecutor(1, "reckon")
"""One, as Python runs one at a time; of its own, as others wait for names of hosts in the loop's."""


class Reckon:
    """Before `route`, behind `limit`: what has been pushed on `ending` before settles by what is counted here, and so
    does what stands behind, as this is pushed last."""

    def __init__(self, ratios: Ratios, clock: Clock = time.monotonic) -> None:
        self.ratios = ratios
        self.clock = clock

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Reply:
        reply = await proceed(exchange)
        if exchange.dialect.operation != "chat":
            return reply
        if exchange.stream:
            exchange.ending.callback(self._over, exchange, reply)
        elif reply.account.usage is None:
            await self._count(exchange, reply)  # now: its cost stands in the head of the answer
        else:
            self._heed(exchange, reply, reply.account.usage)
        return reply

    async def used(self, exchange: Exchange, reply: Reply) -> Usage | None:
        """What an answer used that the client is not given, or not all of."""
        account = reply.account
        if account.usage is None or not account.complete or reply.parted:
            await self._count_to_the_end(exchange, reply)
        return given(reply)

    def _over(self, exchange: Exchange, reply: Reply) -> Awaitable[None] | None:
        account = reply.account
        if reply.response is not None and not account.complete:
            reply.response.close()  # the provider is let go first
        if account.usage is None or not account.complete or reply.parted:
            return self._count_to_the_end(exchange, reply)
        self._heed(exchange, reply, account.usage)
        return None

    def _heed(self, exchange: Exchange, reply: Reply, usage: Usage) -> None:
        """Now and then, something is learned; nobody waits for it."""
        target = exchange.target
        if target is None or not exchange.attempts or len(exchange.body) > LOOKED_AT or len(reply.body) > LOOKED_AT:
            return
        ratio = self.ratios.due(target.name, self.clock())
        if ratio is not None and not tokens.exact(target.model):
            _thread.submit(_learn, exchange, reply, target, usage, ratio).add_done_callback(_tell)

    async def _count_to_the_end(self, exchange: Exchange, reply: Reply) -> None:
        """Also where the client goes away meanwhile, or the server stops: the record waits for it, `PATIENCE` long."""
        counting = asyncio.ensure_future(self._count(exchange, reply))
        while not counting.done():
            try:
                await asyncio.wait({counting})
            except asyncio.CancelledError:
                continue

    async def _count(self, exchange: Exchange, reply: Reply) -> None:
        target = exchange.target
        if target is None or not exchange.attempts:
            return
        work = _thread.submit(_counted, exchange, reply, target, self.ratios.of(target.name))
        work.add_done_callback(_tell)
        counting = asyncio.wrap_future(work)
        await asyncio.wait({counting}, timeout=PATIENCE)
        if not counting.done():
            counting.cancel()
        elif counting.exception() is None:
            reply.counted = counting.result()


def _tell(work: Future[Any]) -> None:
    """What nobody foresaw in the thread costs a count, and no answer or record."""
    if not work.cancelled() and work.exception() is not None:
        log.error("tokens could not be counted", exc_info=work.exception())


def _counted(exchange: Exchange, reply: Reply, target: Target, ratio: Ratio) -> Usage | None:
    """None: what was reported will do, or nothing tells."""
    reported, made = reply.latest if reply.parted else reply.account.usage, reply.made()
    if made is None:
        return None
    answered = _answer(made, target, ratio.answered if ratio.answered_count else ratio.asked)
    if reply.parted:  # what those before it reported stands with their attempts
        before = sum(attempt.usage.completion for attempt in exchange.attempts if attempt.usage is not None)
        answered = msgspec.structs.replace(answered, output=max(answered.output - before, 0))
    if reported is None:
        return msgspec.structs.replace(answered, input=_prompt(exchange, target, ratio.asked))
    # of a stream, or a part of it, that ended early, what is reported of the answer was often said before it began
    if answered.completion <= 2 * reported.completion:
        return None
    return msgspec.structs.replace(reported, output=answered.output, reasoning=answered.reasoning)


def _prompt(exchange: Exchange, target: Target, ratio: float) -> int:
    lost: list[Loss] = []
    request = _read(exchange) if len(exchange.body) <= LONG else None
    found = prompts.count(request, target.model, lost).tokens if request is not None else exchange.tokens
    return found if tokens.exact(target.model) else round(found * ratio)


def _answer(made: Made, target: Target, ratio: float) -> Usage:
    factor = 1.0 if tokens.exact(target.model) else ratio
    said = tokens.count(made.said, target.model).tokens * made.said_times
    thought = tokens.count(made.thought, target.model).tokens * made.thought_times
    return Usage(output=round(said * factor), reasoning=round(thought * factor))


def _learn(exchange: Exchange, reply: Reply, target: Target, usage: Usage, ratio: Ratio) -> None:
    """Only texts tell something: no pictures, no thoughts that are not shown."""
    request, made = _read(exchange), reply.made()
    lost: list[Loss] = []
    if request is not None and usage.prompt:
        found = prompts.count(request, target.model, lost).tokens
        if found >= ENOUGH and not lost:
            ratio.hear_asked(usage.prompt, found)
    if made is None or made.thought or made.said_times != 1.0 or usage.completion != usage.output:
        return
    found = tokens.estimate(made.said)
    if found >= ENOUGH:
        ratio.hear_answered(usage.output, found)


def _read(exchange: Exchange) -> ChatRequest | None:
    """None for one that only its provider understands."""
    try:
        request = exchange.request
    except GatewayError:
        return None
    return request if isinstance(request, ChatRequest) else None
