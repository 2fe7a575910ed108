"""What came back, and how it reaches the client: passed on as bytes where it can be, rewritten where it must."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Self

import msgspec

from headgate.core.chat import Loss
from headgate.core.dialect import Dialect, Reader, Relay
from headgate.core.errors import GatewayError, ProviderCut, ProviderNonsense
from headgate.core.events import Event, Failed, Start, Stop
from headgate.core.ports import Response
from headgate.core.secrecy import Secrecy
from headgate.core.tally import KEPT, Made, Tally, made_of
from headgate.core.usage import Usage

EARLY = 128 << 10
"""Bytes of a stream from before its text that are kept for that: some hosts begin by saying the request again."""
PATIENCE = 10.0
"""Seconds for which a stream's comments and pings are held back, so that a failure can still go to another target."""

Tap = Callable[[Event], None]
Filter = Callable[[list[Event]], Awaitable[list[Event]]]


class Reply(msgspec.Struct, eq=False):
    """A provider's answer in the provider's dialect.

    A stage that wants to watch adds a tap, one that wants to change adds a filter. With a filter, or when the client
    speaks another dialect, the reply is read into events and written anew. Otherwise its bytes pass.

    `body` is what has been read of it: a whole reply all, a stream what had come when its first frame was there;
    `response` gives the rest of a stream.
    """

    dialect: Dialect
    stream: bool
    body: bytes
    response: Response | None = None
    headers: Sequence[tuple[bytes, bytes]] = ()
    taps: list[Tap] = []
    filters: list[Filter] = []
    lost: list[Loss] = []
    status: int = 200
    content_type: bytes | None = None
    """The provider's own, where it goes on to the client; else the client's dialect says what it is."""
    id: str = ""
    model: str = ""
    time: int = 0
    """Who answered and when (Unix seconds), for a client whose dialect says so where the provider's does not."""
    account: Relay | Tally = msgspec.field(default_factory=Tally)
    secrecy: Secrecy | None = None
    """Takes the provider's secrets out of its errors."""
    limit: int = 256 << 20
    """Bytes that are read of a stream while nothing of it goes on to the client."""
    source: Callable[[], AsyncIterator[list[Event]]] | None = None
    """Where the events of a stream come from, if not only from `told`: it may be continued elsewhere."""
    broken: str = ""
    """Why it broke off, where another target went on: the error's code."""
    parted: bool = False
    private: bool = False
    """It is for whoever asked alone (something was taken out for that one, say): it is not kept, or shared."""
    own: Usage | None = None
    """Where an answer has parts of several targets (`parted`): the usage of this one's part; `account` has all."""
    latest: Usage | None = None
    """Of the first of several parts: the usage of the last."""
    counted: Usage | None = None
    """What was used as the gateway counts it, where the provider did not say it; of several parts, the
    last one's."""
    _relay: Relay | None = None
    _reader: Reader | None = None
    _first: bytes = b""
    _events: list[Event] = []
    _early: bytes = b""
    """Of a stream whose bytes pass, what came after `body` until the answer began."""
    _kept: list[bytes] = []
    """What came then, as much as is needed to count it if it ends early."""
    _kept_size: int = 0
    _size: int = 0
    """Of all that came then."""

    def say(self, events: list[Event]) -> None:
        """Have it say this, whole, where no provider is asked."""
        self._events, self.account = events, Tally()
        self.account.hear(events)

    async def begin(self, client: Dialect, request: Mapping[str, Any], stream: bool) -> None:
        """Wait for the first frame of a stream, or check a whole reply: the last moment another target may be tried.

        `request` is the client's decoded body, `stream` whether it wants one; where it does not and the reply is one,
        all of it is waited for. Raises ProviderError.
        """
        if self.dialect is client and self.stream is stream:
            self.account = self._relay = self.dialect.relay(self.stream, request)
        else:
            self._reader = self.dialect.reader(self.stream)
        try:
            if self.response is None:
                self._take(self.body)
            elif stream:
                await self._begin_stream(self.response)
            else:
                await self._collect(self.response)
        except GatewayError as error:
            if self.response is not None:
                self.response.close()  # another target may be asked, and be long about it
            self._clean(error)
            raise

    def resume(self, relay: Relay) -> None:
        """It has begun: the relay has read all of the same bytes before, and they pass as they are."""
        self.account = self._relay = relay
        self._first = self.body

    @property
    def relayed(self) -> Relay | None:
        """Of a reply in one piece whose bytes pass as they are: what has read them."""
        return self._relay if not self.stream and self._first is self.body else None

    @classmethod
    def of(cls, dialect: Dialect, events: list[Event]) -> Self:
        """A whole reply that says this, and has begun."""
        reply = cls(dialect, False, b"")
        reply._events, reply.account = events, Tally()
        reply.account.hear(events)
        return reply

    async def _begin_stream(self, response: Response) -> None:
        """Until something of the reply itself is there: hosts send comments and pings while they still may fail.

        After `PATIENCE` those pass too, because to a client they say that the request is alive.
        """
        held = []
        size = 0
        until = time.monotonic() + PATIENCE
        while not self._begun(until):
            chunk = await response.chunk()
            if not chunk:
                raise ProviderCut("the provider's stream ended before its first event")
            size = self._counted(size, chunk)
            held.append(chunk)
            self._take(chunk)
        self.body = b"".join(held)

    async def _collect(self, response: Response) -> None:
        """All of a stream, for a client that wants it in one piece."""
        tally = self.account = Tally()
        reader = self._reader
        assert reader is not None
        size = 0
        held = []
        while not tally.complete:
            chunk = await response.chunk()
            size = self._counted(size, chunk)
            held.append(chunk)
            events = self.identified(reader.feed(chunk) if chunk else reader.end())
            tally.hear(events)
            self._events += events
            if tally.failed:
                raise tally.failed
            if not chunk and not tally.complete:
                raise cut_off()
        self.body = b"".join(held)
        response.finish()

    def _counted(self, size: int, chunk: bytes) -> int:
        """How much has been read with this piece. Raises ProviderNonsense above the limit."""
        size += len(chunk)
        if size > self.limit:
            raise ProviderNonsense(f"the provider's reply is larger than the {self.limit} bytes that are held of one")
        return size

    def _begun(self, until: float) -> bool:
        if self._relay is None:
            return bool(self._events)
        account = self.account
        news = account.id or account.started or account.usage or account.finish or account.complete
        return bool(self._first) and (bool(news) or time.monotonic() > until)

    def _clean(self, error: GatewayError) -> None:
        if self.secrecy is not None:
            self.secrecy.clean(error)

    def _take(self, data: bytes) -> None:
        if self._relay is not None:
            self._first += self._relay.feed(data)
        elif self._reader is not None:
            self._events = self.identified(self._reader.feed(data))
            if not self.stream:
                self._events = self.identified(self._events + self._reader.end())
            self.account = Tally()
            self.account.hear(self._events)
        if self.account.failed:
            raise self.account.failed
        if not self.stream and not self.account.complete:
            raise ProviderNonsense("the provider's reply lacks its end")

    async def whole(self, client: Dialect, request: Mapping[str, Any]) -> bytes:
        """A reply that is not streamed, in the client's dialect."""
        if self._relay is not None:
            if self.taps or self.filters:
                self.events()
            if not self.filters:
                self._tell(self._events)
                return self._first
        events = await self._through(self._events)
        writer = client.writer(False, request, self.lost)
        return writer.feed(events) + writer.end()

    def events(self) -> list[Event]:
        """What a reply that is not streamed says."""
        if self._relay is not None and not self._events:
            reader = self.dialect.reader(stream=False)
            self._events = self.identified(reader.feed(self.body) + reader.end())
        return self._events

    def frames(self, client: Dialect, request: Mapping[str, Any]) -> AsyncIterator[bytes]:
        """A streamed reply in the client's dialect, whole frames at a time.

        Once `account.complete` is true, what was just given is the last. Raises GatewayError where the reply breaks
        off; no part of a frame has been given then.
        """
        if self._relay is not None and not self.filters and self.source is None:
            return self._relayed(self._relay)
        if self.response is None:
            return self._cut_up(client, request)
        return self._rewritten(client, request)

    async def _cut_up(self, client: Dialect, request: Mapping[str, Any]) -> AsyncIterator[bytes]:
        """A reply that came in one piece, as a stream."""
        events = await self._through(self._events)
        writer = client.writer(True, request, self.lost)
        yield writer.feed(events) + writer.end()

    async def _relayed(self, relay: Relay) -> AsyncIterator[bytes]:
        """The bytes pass; taps hear what a reader makes of a copy."""
        response = self.response
        assert response is not None
        ear = self.dialect.reader(stream=True) if self.taps else None
        if ear is not None:
            self._tell(self.identified(ear.feed(self.body)))
        yield self._first
        feed, chunk = relay.feed, response.chunk
        while not (relay.complete or relay.failed):
            try:
                piece = await chunk()
                if relay.started:
                    self._size += len(piece)
                    if self._kept_size < KEPT:
                        self._keep(piece)
                elif len(self._early) < EARLY:
                    self._early += piece
                data = feed(piece) if piece else relay.end()
            except GatewayError as error:
                self._clean(error)
                raise
            if ear is not None:
                self._tell(ear.feed(piece) if piece else ear.end())
            if relay.failed and self.secrecy is not None:
                self._clean(relay.failed)
                data = self.secrecy.scrub(data)
            if data:
                yield data
            if not piece:
                break
        if not (relay.complete or relay.failed):
            raise cut_off()
        response.finish()

    def _keep(self, piece: bytes) -> None:
        kept = piece[: KEPT - self._kept_size]
        self._kept.append(kept)
        self._kept_size += len(kept)

    def made(self) -> Made | None:
        """What there is of the answer so far, or was; read anew where its bytes passed. None: what passed tells not."""
        account = self.account
        if isinstance(account, Tally):
            return made_of(account, Tally(), 0.0)
        first, later = Tally(), Tally()
        reader = self.dialect.reader(self.stream)
        try:
            first.hear(reader.feed(self.body + self._early))
            for piece in self._kept:
                later.hear(reader.feed(piece))
            if not self.stream:
                first.hear(reader.end())
        except GatewayError:  # what came before it is there
            pass
        found = made_of(first, later, self._size / self._kept_size if self._kept_size else 0.0)
        return None if self.stream and account.started and not (found.said or found.thought) else found

    async def _rewritten(self, client: Dialect, request: Mapping[str, Any]) -> AsyncIterator[bytes]:
        tally = self.account = Tally()
        writer = client.writer(True, request, self.lost)
        async for events in self.source() if self.source is not None else self.told():
            heard = await self._through(events) if self.taps or self.filters else events
            tally.hear(heard)
            data = writer.feed(heard)
            if tally.complete:
                data += writer.end()
            if data:
                yield data
            if tally.complete:  # also where a filter said so, and the provider did not
                break
        if self.response is not None:
            self.response.finish()

    async def told(self) -> AsyncIterator[list[Event]]:
        """The events of a stream as they come, to its end. Raises GatewayError where it breaks off."""
        response = self.response
        if response is None:  # it came in one piece
            yield self._events
            return
        reader, events = self._reader, self._events
        if reader is None:
            reader = self.dialect.reader(stream=True)
            events = self.identified(reader.feed(self.body))
        try:
            while True:
                over = False
                for event in events:
                    if isinstance(event, Failed):
                        raise event.error
                    over = over or (isinstance(event, Stop) and event.reason != "cut")
                yield events
                if over:
                    break
                piece = await response.chunk()
                events = reader.feed(piece) if piece else reader.end()
                if not piece and not any(isinstance(event, Stop | Failed) and not _is_cut(event) for event in events):
                    raise cut_off()
        except GatewayError as error:
            self._clean(error)
            raise

    def identified(self, events: list[Event]) -> list[Event]:
        """These with a start that says who answered, and when."""
        start = events[0] if events else None
        if isinstance(start, Start) and not (start.id and start.model and start.created):
            events[0] = msgspec.structs.replace(
                start,
                id=start.id or self.id,
                model=start.model or self.model,
                created=start.created or self.time,
            )
        return events

    async def _through(self, events: list[Event]) -> list[Event]:
        for change in self.filters:
            events = await change(events)
        self._tell(events)
        return events

    def _tell(self, events: Sequence[Event]) -> None:
        for tap in self.taps:
            for event in events:
                tap(event)


class Unread(Reply, eq=False):
    """A reply that passes as it comes, whatever it is; there are no events for taps and filters."""

    length: int | None = None
    """How many bytes it has; None where only its end tells."""

    async def begin(self, client: Dialect, request: Mapping[str, Any], stream: bool) -> None:
        """Nothing is waited for: the head is there, and nobody else is asked."""

    def frames(self, client: Dialect, request: Mapping[str, Any]) -> AsyncIterator[bytes]:
        return self._passed()

    async def _passed(self) -> AsyncIterator[bytes]:
        account = self.account = Tally()
        response, left = self.response, self.length
        if response is None:
            account.started = account.complete = True
            yield self.body
            return
        if left == 0:
            account.complete = True
            yield b""
            return
        veil = self.secrecy.veil() if self.secrecy is not None else None
        while not account.complete:
            piece = await response.chunk()
            account.started = True
            if left is not None:
                left -= len(piece)
            # The last bytes are held until the record is written: where the length is known they are the end
            account.complete = not piece or left == 0
            if veil is not None:
                piece = veil.feed(piece) + (veil.end() if account.complete else b"")
            yield piece
        response.finish()


def _is_cut(event: Event) -> bool:
    return isinstance(event, Stop) and event.reason == "cut"


def cut_off() -> ProviderCut:
    return ProviderCut("the provider's stream broke off before its end; what was sent until then is incomplete")
