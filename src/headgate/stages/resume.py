"""Where a stream breaks off after its first bytes, have another target go on from the text so far."""

from __future__ import annotations

from collections.abc import AsyncIterator
from math import inf

import msgspec

from headgate.core.chat import Message, Part
from headgate.core.chat import Text as TextPart
from headgate.core.errors import GatewayError, ProviderError
from headgate.core.events import Event, Native, Start, Stop, Text, Thinking, Used
from headgate.core.exchange import Exchange
from headgate.core.reply import Reply
from headgate.core.usage import Usage
from headgate.stages.stage import Proceed

MOST = 2
"""How often an answer is continued."""
GO_ON = "Continue exactly where you were interrupted. Repeat nothing, and say nothing of the interruption."
"""What the next target is asked, after the text so far as its own turn: an answer that is begun (prefill) is refused by
some models (https://docs.claude.com/en/docs/build-with-claude/prompt-engineering/prefill-claudes-response)."""
PLAIN = (Start, Text, Thinking, Used, Native)
"""What a stream may have brought so far to be continued: an answer in words, no call of a tool."""


class Resume:
    """Between `route` and `retry`, for aliases with `resume`."""

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Reply:
        reply = await proceed(exchange)
        chat = exchange.dialect.operation == "chat" and exchange.stream
        if exchange.manner.resume and chat and type(reply) is Reply and reply.response is not None:
            reply.source = Sequel(exchange, proceed, reply).events
        return reply


class Sequel:
    """A stream with its continuations, as one."""

    def __init__(self, exchange: Exchange, proceed: Proceed, reply: Reply) -> None:
        self.exchange = exchange
        self.proceed = proceed
        self.reply = reply
        self._said: list[str] = []
        self._plain = True
        """Nothing has come that cannot be gone on from."""
        self._used: Usage | None = None
        """Of the targets before this one."""
        self._using: Usage | None = None
        self._block = 0
        """That the text stands in."""
        self._blocks: dict[int, int] = {}
        """Which number a block of the continuation has in the whole."""
        self._last = 0

    async def events(self) -> AsyncIterator[list[Event]]:
        """Raises GatewayError where it breaks off for good."""
        reply, number = self.reply, 0
        while True:
            try:
                async for events in reply.told():
                    yield self._hear(events) if number == 0 else self._joined(events)
            except ProviderError as error:
                if not self._plain or number == MOST:
                    raise
                reply.broken = error.code
                reply.parted, reply.own = True, self._using
                self.reply.latest = self._using
                reply = await self._ask(error.with_traceback(None))
                number += 1
            else:
                reply.own = self._using
                return

    def _hear(self, events: list[Event]) -> list[Event]:
        for event in events:
            if isinstance(event, Text):
                self._said.append(event.text)
                self._block = event.block
            elif isinstance(event, Used):
                self._using = event.usage
            self._plain = self._plain and event.choice == 0 and isinstance(event, (*PLAIN, Stop))
            self._last = max(self._last, event.block)
        return events

    def _joined(self, events: list[Event]) -> list[Event]:
        """Events of a continuation as those of the one answer: no second start, its blocks after those before, its text
        in the block of the text so far, all tokens together."""
        joined: list[Event] = []
        for event in events:
            if isinstance(event, Start | Thinking | Native):
                continue
            if isinstance(event, Used):
                self._using = event.usage
                self.reply.latest = event.usage
                joined.append(Used(usage=self._used.plus(event.usage) if self._used is not None else event.usage))
                continue
            if isinstance(event, Text):
                self._said.append(event.text)
            self._plain = self._plain and event.choice == 0 and isinstance(event, (*PLAIN, Stop))
            joined.append(msgspec.structs.replace(event, block=self._place(event)))
        return joined

    def _place(self, event: Event) -> int:
        place = self._blocks.get(event.block)
        if place is None:
            if isinstance(event, Text) and self._block not in self._blocks.values():
                place = self._block
            else:
                self._last = place = self._last + 1
            self._blocks[event.block] = place
        return place

    async def _ask(self, error: ProviderError) -> Reply:
        """The stream of who goes on. Raises the error where nobody does."""
        exchange, text = self.exchange, "".join(self._said)
        failed, attempt = exchange.target, exchange.attempts[-1]
        others = [target for target in exchange.targets if target is not failed]
        request = exchange.request
        if text:
            parts: list[Part] = [TextPart(text=text)]
            turns = [Message(role="assistant", parts=parts, plain=True), _user(GO_ON)]
            request = msgspec.structs.replace(request, messages=[*request.messages, *turns])
        fork = exchange.fork(others or list(exchange.targets), request)
        fork.until = inf  # the deadline was for the beginning
        try:
            reply = await self.proceed(fork)
        except GatewayError:
            exchange.attempts += fork.attempts
            exchange.ending.take(fork.ending)
            raise error from None
        exchange.adopt(fork)
        attempt.usage, self.reply.latest = self._using, None
        exchange.record.resumed += 1
        exchange.decision.said.append(
            f"{failed.name if failed else 'the first'} broke off ({error.code}) after {len(text)} characters and "
            f"{fork.target.name if fork.target else reply.model} went on"
        )
        if self._using is not None:  # who broke off before it told them has none, and takes away nobody's
            self._used = self._used.plus(self._using) if self._used is not None else self._using
        self._using, self._blocks = None, {}
        reply.parted = True
        return reply


def _user(text: str) -> Message:
    return Message(role="user", parts=[TextPart(text=text)], plain=True)
