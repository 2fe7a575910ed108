"""One call of a provider for all who ask the same at the same time: what it brings is given to each in its own dialect.

Somebody pays for it: the first who asked, or, if that one goes away, the next in line, in whose record the call stands
then. It is read as fast as the fastest of them takes it; what has passed is kept for those who come later.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from headgate.core.errors import GatewayError, ProviderNonsense
from headgate.core.exchange import Exchange
from headgate.core.ids import name_task
from headgate.core.ports import Response
from headgate.core.reply import Reply
from headgate.stages.stage import Proceed

Landed = Callable[["Flight"], None]


class Alone(Exception):
    """The answer is for who asked first alone."""


class Flight:
    """A call under way, and those who wait for it; each has to `board` before anything else is awaited."""

    def __init__(self, exchange: Exchange, landed: Landed, largest: int, fork: Exchange | None = None) -> None:
        """`landed` is called when nobody may board any more, once; `answered` says then whether there is an answer to
        keep. Nobody boards a stream of more than `largest` bytes. `fork`: what is asked, if not what this one asks."""
        self.first = self.payer = exchange
        self.fork = fork or exchange.fork(exchange.targets)
        if exchange.form is not None:  # it may be read when the one who sent it has left
            exchange.form.store.hold()
            self.fork.ending.callback(exchange.form.store.close)
        self.landed: Landed | None = landed
        self.largest = largest
        self.aboard: list[Exchange] = []
        self.answered = False
        self.reply: Reply | None = None
        """As the provider gives it; that of the first."""
        self.pieces: list[bytes] = []
        self.size = 0
        self.took = 0.0
        """Seconds from the beginning of a stream to its last piece."""
        self.over = False
        self.error: GatewayError | None = None
        self._source: Response | None = None
        self._task: asyncio.Task[Reply] | None = None
        self._reading: asyncio.Task[None] | None = None
        self._waiting: list[asyncio.Future[None]] = []
        self._wanted: asyncio.Future[None] | None = None
        self._busy = False
        """A piece is waited for."""

    def begin(self, proceed: Proceed) -> None:
        self._task = asyncio.get_running_loop().create_task(self._ask(proceed))

    async def _ask(self, proceed: Proceed) -> Reply:
        name_task(self.fork.id)
        try:
            reply = self.reply = await proceed(self.fork)
        except BaseException:
            self._close()
            raise
        if reply.stream and self.first.stream and reply.response is not None:
            self.pieces, self.size, self._source = [reply.body], len(reply.body), reply.response
            reply.response = Seat(self, reply.response, 1)
            self._reading = asyncio.get_running_loop().create_task(self._read(reply.response.source))
        else:
            self.pieces, self.over = [reply.body], True
        return reply

    async def board(self, exchange: Exchange) -> Reply:
        """The reply, begun. Raises GatewayError where there is none, Alone where it is another's alone."""
        self.aboard.append(exchange)
        exchange.ending.callback(self._leave, exchange)
        task = self._task
        assert task is not None
        await asyncio.wait((task,))
        if exchange is self.payer:
            self._pay(exchange)
        raw = task.result()
        if exchange is self.first:
            return raw
        if raw.private or self.first.private or self.fork.private:
            if exchange is not self.payer:
                self.aboard.remove(exchange)
            raise Alone
        exchange.target, exchange.lost = self.fork.target, list(self.fork.lost)
        response = Seat(self, raw.response, 0) if raw.stream and raw.response is not None else None
        body = b"" if raw.stream else raw.body
        reply = Reply(raw.dialect, raw.stream, body, response, secrecy=raw.secrecy, limit=raw.limit)
        reply.id, reply.model, reply.time = exchange.id, raw.model, int(exchange.record.time)
        exchange.reckoned = self.fork.reckoned
        if raw.dialect is exchange.dialect and raw.stream is exchange.stream:
            reply.content_type = raw.content_type
        await reply.begin(exchange.dialect, exchange.fields, exchange.stream)
        return reply

    def _pay(self, exchange: Exchange) -> None:
        """The call is this one's from here on."""
        fork = self.fork
        fork.record, exchange.attempts = exchange.record, fork.attempts
        exchange.target, exchange.host, exchange.lost = fork.target, fork.host, fork.lost
        exchange.spoken, exchange.outgoing = fork.spoken, fork.outgoing
        exchange.streamed, exchange.reckoned = fork.streamed, fork.reckoned

    def _leave(self, exchange: Exchange) -> Awaitable[None] | None:
        """At its end, however it ended."""
        if exchange not in self.aboard:
            return None
        self.aboard.remove(exchange)
        reply, record = exchange.reply, exchange.record
        given = reply is not None and record.ending == "complete" and reply.account.complete and not reply.broken
        if given and not self.answered and self.landed is not None:
            self.answered = True
            # once its last bytes are on their way; whoever asks until then is given what is here
            asyncio.get_running_loop().call_soon(self._close)
        if exchange is not self.payer:
            return None
        task = self._task
        assert task is not None
        failed = self.error is not None or (task.done() and (task.cancelled() or task.exception() is not None))
        if given or failed or not self.aboard:
            return self._settle(exchange)
        self.payer = heir = self.aboard[0]
        self.fork.abandoned = True  # of who hears it from here on not all is heard
        exchange.attempts, exchange.target = [], None
        exchange.decision.said.append(f"its call went on for {heir.id}")
        own, other = exchange.record, heir.record
        own.cached, other.cached = other.cached, own.cached
        if own.cached is not None:
            own.cached.of = heir.id
        if task.done():
            self._pay(heir)
        else:
            self.fork.record = heir.record
        return None

    async def _settle(self, exchange: Exchange) -> None:
        """What waits for the end of the call."""
        task, raw, reply = self._task, self.reply, exchange.reply
        assert task is not None
        if not self.answered:  # first: who came while the call is being given up would be given up with it
            self._close()
        if not task.done():
            task.cancel()
            await asyncio.wait((task,))
            self._pay(exchange)
            self._task = None  # it keeps what ended it, whose traceback keeps this
        if not task.cancelled() and task.exception() is None and raw is not None and reply is not None:
            raw.account, raw.counted = reply.account, reply.counted
        if self._reading is not None and not self._reading.done():
            self.over = True
            self._reading.cancel()
            self._wake()
        await self.fork.ending.aclose()

    def _close(self) -> None:
        """Nobody boards any more."""
        landed, self.landed = self.landed, None
        if landed is not None:
            landed(self)

    async def _read(self, source: Response) -> None:
        """Piece by piece, each when somebody wants it."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            while not self.over:
                if not self._waiting:
                    self._wanted = loop.create_future()
                    await self._wanted
                    continue
                self._busy = True
                piece = await source.chunk()
                self._busy = False
                if not piece:
                    break
                self.size += len(piece)
                self.took = loop.time() - began
                self.pieces.append(piece)
                if self.size > self.largest and self.landed is not None:
                    self._close()
                self._wake()
        except GatewayError as error:
            self.error = error.with_traceback(None)
            self._close()
        finally:
            self.over = True
            self._wake()
            self._reading = None  # where it is cancelled, its traceback keeps this

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            if not each.done():
                each.set_result(None)

    async def more(self, place: int) -> bytes:
        """The piece at this place; b"" at the end. Raises GatewayError where it breaks off there."""
        while place >= len(self.pieces):
            if self.error is not None:
                raise self.error
            if self.over:
                return b""
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            if self._wanted is not None and not self._wanted.done():
                self._wanted.set_result(None)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter in self._waiting:
                    self._waiting.remove(waiter)
                raise
        return self.pieces[place]

    def finish(self) -> None:
        """Somebody has read to the end of the answer."""
        if self.over:
            return
        self.over = True
        if not self._busy and self._source is not None and self._reading is not None:
            self._reading.cancel()
            self._source.finish()
        self._wake()


class Seat:
    """Implements core.ports.Response: a provider's stream as one of those who share it reads it."""

    __slots__ = ("flight", "headers", "place", "source", "status")

    def __init__(self, flight: Flight, source: Response, place: int) -> None:
        self.flight = flight
        self.source = source
        self.place = place
        self.status, self.headers = source.status, source.headers

    def header(self, name: bytes) -> bytes | None:
        return self.source.header(name)

    async def read(self, limit: int) -> bytes:
        pieces = []
        while piece := await self.chunk():
            pieces.append(piece)
            limit -= len(piece)
            if limit < 0:
                raise ProviderNonsense("the provider's reply is larger than what is held of one")
        return b"".join(pieces)

    async def chunk(self) -> bytes:
        flight, place = self.flight, self.place
        piece = await flight.more(place)
        if piece:
            self.place += 1
            if flight.landed is None and len(flight.aboard) == 1 and not flight.answered:
                flight.pieces[place] = b""  # nobody will want it again
        return piece

    def finish(self) -> None:
        self.flight.finish()

    def close(self) -> None:
        """It is the call's, which ends when all have left."""
