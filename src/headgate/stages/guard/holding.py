"""A reply that is read to its end, and looked at, before anything of it is given; and given then as if it came now."""

from __future__ import annotations

from headgate.core.errors import ProviderNonsense
from headgate.core.events import Event
from headgate.core.exchange import Exchange
from headgate.core.guard import Gatekeeper
from headgate.core.ports import Response
from headgate.core.replay import Replay
from headgate.core.reply import Reply

SAME = (
    "broken", "content_type", "headers", "id", "latest", "limit", "model", "own", "parted", "private", "secrecy",
    "time",
)  # fmt: skip
"""What is said of a reply however often it is read."""


class Recorder:
    """Implements core.ports.Response: another one's, of which all that is read is kept."""

    __slots__ = ("headers", "limit", "pieces", "size", "source", "status")

    def __init__(self, source: Response, limit: int) -> None:
        self.source = source
        self.status, self.headers = source.status, source.headers
        self.limit = limit
        self.pieces: list[bytes] = []
        self.size = 0

    def header(self, name: bytes) -> bytes | None:
        return self.source.header(name)

    async def read(self, limit: int) -> bytes:
        return await self.source.read(limit)

    async def chunk(self) -> bytes:
        piece = await self.source.chunk()
        self.size += len(piece)
        if self.size > self.limit:
            raise ProviderNonsense(f"the provider's reply is larger than the {self.limit} bytes that are held of one")
        self.pieces.append(piece)
        return piece

    def finish(self) -> None:
        self.source.finish()

    def close(self) -> None:
        self.source.close()


async def held(reply: Reply, exchange: Exchange, look: Gatekeeper) -> tuple[Reply, list[Event]]:
    """The reply, to be given once `look` has seen what the client would be, and what it says. Raises GatewayError where
    it breaks off."""
    dialect, fields = exchange.dialect, exchange.fields
    if not exchange.stream:
        await look.whole(await reply.whole(dialect, fields), reply)
        reply.lost.clear()  # it is written, and told, once more
        return reply, reply.events()
    events: list[Event] = []
    recorder = reply.response = Recorder(reply.response, reply.limit) if reply.response is not None else None
    reply.taps.append(events.append)
    async for _ in look.through(reply.frames(dialect, fields), reply):
        pass
    reply.taps.remove(events.append)
    reply.lost.clear()
    if reply.account.failed is not None:
        raise reply.account.failed
    return (reply if recorder is None else await _anew(reply, exchange, recorder, events)), events


async def _anew(reply: Reply, exchange: Exchange, recorder: Recorder, events: list[Event]) -> Reply:
    if reply.parted:  # by several targets, whose bytes are none together
        made = Reply.of(reply.dialect, events)
    else:
        made = Reply(reply.dialect, True, b"", Replay(reply.body + b"".join(recorder.pieces)))
    for name in SAME:
        setattr(made, name, getattr(reply, name))
    if not reply.parted:
        await made.begin(exchange.dialect, exchange.fields, stream=True)
    return made
