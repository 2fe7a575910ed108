"""A reply on its last step: looked at as the client is given it, whole or as it streams."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from headgate.core.errors import GatewayError, ProviderRefused
from headgate.core.events import Event, Start, Stop, Text
from headgate.core.exchange import Exchange
from headgate.core.guard import Gatekeeper, Passage, Quoting
from headgate.core.reply import Reply
from headgate.stages.guard.changing import edited
from headgate.stages.guard.framing import cutter
from headgate.stages.guard.judging import Looking, Refused
from headgate.stages.guard.policy import Policy
from headgate.stages.guard.subject import CONTROLS, Whole
from headgate.stages.guard.window import Window

STREAMS = (b"text/event-stream", b"application/vnd.amazon.eventstream", b"application/x-ndjson")
WORDS = (b"text/", b"application/json", b"application/x-ndjson", b"application/xml")
"""Content types of what is looked at."""
NO_WORDS = (b"image/", b"audio/", b"video/", b"font/", b"application/zip", b"application/gzip", b"application/pdf")
"""Of APIs that are not known anything else is, unless it shows at once that it is no text: files come as any type."""
UTF16 = (b"\xff\xfe", b"\xfe\xff")
WORDLESS = frozenset({"embeddings"})
"""Operations whose replies say nothing."""
HEADER = b"x-headgate-guard"


class Gate:
    """Implements core.guard.Gatekeeper."""

    def __init__(self, judge: Looking, policies: Sequence[Policy]) -> None:
        self.judge = judge
        self.policies = policies

    async def whole(self, body: bytes, reply: Reply) -> bytes:
        exchange = self.judge.exchange
        if exchange.dialect.operation in WORDLESS:
            return body
        kind = reply.content_type or exchange.dialect.content_type(False, exchange.fields)
        try:
            body = await self._looked(body, kind)
        except Refused as error:
            if error.answer is None or exchange.dialect.operation != "chat":
                raise
            return answered(exchange, error.answer)
        tell(self.judge, reply)
        return body

    async def error(self, error: Quoting) -> None:
        await look_at_error(self.judge, self.policies, error)

    async def _looked(self, body: bytes, kind: bytes) -> bytes:
        found = Whole(body, kind, "reply")
        edits = await self.judge.look(self.policies, found.passages)
        if not edits:
            return body
        return found.saying({place: edited(found.passages[place].text, each) for place, each in edits.items()})

    async def through(self, frames: AsyncIterator[bytes], reply: Reply) -> AsyncIterator[bytes]:
        exchange = self.judge.exchange
        kind = (reply.content_type or exchange.dialect.content_type(True, exchange.fields)).strip()
        kind = kind.lower() if b"boundary" not in kind else kind
        known = exchange.dialect.operation != "opaque"
        if kind.startswith(STREAMS) or (known and kind.startswith(b"application/json")):
            stream = self._windowed(frames, reply, kind)
        elif kind.startswith(WORDS):
            stream = self._collected(frames, reply, kind)
        elif not known and not kind.startswith(NO_WORDS):
            stream = self._tried(frames, reply, kind)
        else:
            stream = frames
        async for data in stream:
            yield data

    async def _windowed(self, frames: AsyncIterator[bytes], reply: Reply, kind: bytes) -> AsyncIterator[bytes]:
        window = Window(self.judge, self.policies, cutter(kind))
        try:
            async for data in frames:
                going = await window.feed(data)
                if reply.account.complete:
                    going += await window.end()
                if going or reply.account.complete:
                    yield going
            going = b"" if reply.account.complete else await window.end()  # it ends with an error of the provider's
            if going:
                yield going
        except GatewayError as error:
            if isinstance(error, Refused):
                raise
            going = await window.end()
            if going:
                yield going
            raise

    async def _tried(self, frames: AsyncIterator[bytes], reply: Reply, kind: bytes) -> AsyncIterator[bytes]:
        """Something, which is collected as long as it may be a text."""
        parts: list[bytes] = []
        async for data in frames:
            parts.append(data)
            if data.translate(None, CONTROLS) != data and parts[0][:2] not in UTF16:
                yield b"".join(parts)
                break
        else:
            yield await self._looked(b"".join(parts), kind)
        async for data in frames:
            yield data

    async def _collected(self, frames: AsyncIterator[bytes], reply: Reply, kind: bytes) -> AsyncIterator[bytes]:
        """Text that has no frames is looked at when all of it is there."""
        yield await self._looked(b"".join([data async for data in frames]), kind)


async def look_at_error(judge: Looking, policies: Sequence[Policy], error: Quoting) -> None:
    """A provider's refusal, or what it says instead of an answer, may quote what it was asked, or more. Raises Blocked,
    GuardUnavailable."""
    body, kind = (error.body, error.content_type) if isinstance(error, ProviderRefused) else (b"", b"")
    whole = Whole(body, kind, "reply")
    edits = await judge.look(
        policies, [*whole.passages, Passage(error.message, "reply", part="other", path=("error",))]
    )
    texts = {
        place: edited(whole.passages[place].text, each) for place, each in edits.items() if place < len(whole.passages)
    }
    if texts and isinstance(error, ProviderRefused):
        error.body = whole.saying(texts)
    if len(whole.passages) in edits:
        raw, error.message = error.message, edited(error.message, edits[len(whole.passages)])
        for attempt in judge.exchange.attempts:
            if attempt.message == raw[: len(attempt.message or "")]:
                attempt.message = error.message[:500]


class Gates:
    """Implements core.guard.Gatekeeper: one behind the other."""

    def __init__(self, gates: Sequence[Gatekeeper]) -> None:
        self._gates = gates

    async def whole(self, body: bytes, reply: Reply) -> bytes:
        for each in self._gates:
            body = await each.whole(body, reply)
        return body

    async def error(self, error: Quoting) -> None:
        for each in self._gates:
            await each.error(error)

    def through(self, frames: AsyncIterator[bytes], reply: Reply) -> AsyncIterator[bytes]:
        for each in self._gates:
            frames = each.through(frames, reply)
        return frames


def gate(gates: Sequence[Gatekeeper]) -> Gatekeeper:
    return gates[0] if len(gates) == 1 else Gates(gates)


def tell(judge: Looking, reply: Reply) -> None:
    """Name in a header the policies that have changed something since this was asked last."""
    if judge.changed:
        reply.headers = [*reply.headers, (HEADER, b"changed=" + listed(list(judge.changed)))]
        judge.changed.clear()


def listed(names: Sequence[str]) -> bytes:
    return ",".join(names).encode("ascii", "backslashreplace")


def saying(exchange: Exchange, text: str) -> list[Event]:
    """What a policy has to say, as a model's answer."""
    return [
        Start(id=exchange.id, model=exchange.model, created=int(exchange.record.time)),
        Text(text=text),
        Stop(reason="refusal"),
    ]


def answered(exchange: Exchange, text: str) -> bytes:
    """The same in the client's dialect, whole."""
    writer = exchange.dialect.writer(False, exchange.fields, [])
    return writer.feed(saying(exchange, text)) + writer.end()
