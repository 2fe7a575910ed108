"""One upstream reply whose head has arrived: its body, read as it comes or as a whole."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from headgate.core.errors import GatewayError, ProviderCut, ProviderNonsense
from headgate.upstream.bodies import PIECE

if TYPE_CHECKING:
    from headgate.core.target import Timeouts
    from headgate.upstream.bodies import Decoder
    from headgate.upstream.connection import Connection


TAKEN = 64 * 1024
"""Bytes of much that has come which are given at a time, up to twice as many."""


class Response:
    """Implements core.ports.Response.

    The connection fills in `status` (0 until the head is complete), `headers`, `pieces` and, at the end, `complete` or
    `error`. It lets go of the reply (`connection` turns None) as soon as the body's end has arrived, even while pieces
    wait here to be read, so the connection can serve the next request at once. `until` is the moment (loop time) at
    which `timeouts.total` is up.
    """

    __slots__ = (
        "complete",
        "connection",
        "decoder",
        "error",
        "headers",
        "length",
        "pieces",
        "stale",
        "status",
        "timeouts",
        "until",
        "waiter",
        "waiting",
    )

    def __init__(self, connection: Connection, timeouts: Timeouts, until: float) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.pieces: list[bytes] = []
        self.waiting = 0
        self.complete = False
        self.stale = False
        self.error: GatewayError | None = None
        self.length: int | None = None
        self.decoder: Decoder | None = None
        self.connection: Connection | None = connection
        self.timeouts = timeouts
        self.until = until
        self.waiter: asyncio.Future[None] | None = None

    def header(self, name: bytes) -> bytes | None:
        """The value of the first header of this lower-case name."""
        for each, value in self.headers:
            if each == name:
                return value
        return None

    async def read(self, limit: int) -> bytes:
        """The whole body, decoded. Raises ProviderNonsense above `limit` bytes, and what `chunk` raises."""
        if self.complete and self.decoder is None and self.waiting <= limit:
            return self._take_all() if self.pieces else b""
        if self.length is not None and self.length > limit:
            raise self._too_large(limit)
        pieces: list[bytes] = []
        size = 0
        while data := await self.chunk():
            size += len(data)
            if size > limit:
                raise self._too_large(limit)
            pieces.append(data)
            if self.decoder is not None and len(data) >= PIECE:
                await asyncio.sleep(0)  # what expands a lot is decoded without holding up everybody else
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def chunk(self) -> bytes:
        """The next piece of the body, decoded, as much as has arrived; b"" at its end.

        What arrived before a failure is given first. Raises ProviderTimeout, ProviderCut or ProviderNonsense.
        """
        while True:
            if self.decoder is not None:
                data = self._decode(self.decoder)
                if data:
                    return data
            elif self.pieces:
                return self._take()
            if self.error is not None:
                raise self.error
            if self.complete:
                if self.decoder is not None and not self.decoder.whole():
                    raise ProviderCut("The provider's reply ended in the middle of its content encoding.")
                return b""
            assert self.connection is not None
            await self.connection.more(self)

    async def wait(self) -> None:
        """Until something has come: the head, a piece, the end, a failure, or room to send. A cancelled wait closes
        the connection."""
        waiter = self.waiter = asyncio.get_running_loop().create_future()
        try:
            await waiter
        except asyncio.CancelledError:
            self.close()
            raise
        finally:
            self.waiter = None

    def wake(self) -> None:
        waiter = self.waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def wake_after(self, done: asyncio.Future[None]) -> None:
        """`wake`, as what is called when something else is over."""
        self.wake()

    def finish(self) -> None:
        """The reader has all it needs; the connection is reused if the body's end comes within a second and 64 KiB."""
        self.pieces.clear()
        if self.connection is not None:
            self.connection.read_away(self)

    def close(self) -> None:
        """Closes the connection unless the whole reply has arrived. Idempotent."""
        self.pieces.clear()
        connection = self.connection
        if connection is not None:
            connection.fail(ProviderCut("The reply was closed by its reader before its end."))

    def _take(self) -> bytes:
        """What has come; of much, a part, since every reader on its way to a slow client holds copies of it."""
        if self.waiting > 2 * TAKEN:
            return self._take_some()
        return self._take_all()

    def _take_some(self) -> bytes:
        pieces = self.pieces
        size = count = 0
        while size < TAKEN:
            size += len(pieces[count])
            count += 1
        data = b"".join(pieces[:count])
        if size > 2 * TAKEN:
            pieces[:count] = [data[TAKEN:]]
            data = data[:TAKEN]
        else:
            del pieces[:count]
        self.waiting -= len(data)
        return data

    def _take_all(self) -> bytes:
        pieces = self.pieces
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        pieces.clear()
        self.waiting = 0
        if self.connection is not None and self.connection.held:
            self.connection.let_go()
        return data

    def _decode(self, decoder: Decoder) -> bytes:
        try:
            data = decoder.pull()
            while not data and self.pieces:
                decoder.feed(self._take())
                data = decoder.pull()
        except ProviderNonsense:
            self.close()
            raise
        return data

    def _too_large(self, limit: int) -> ProviderNonsense:
        self.close()
        return ProviderNonsense(f"The provider's reply is larger than the {limit} bytes that are read of one.")
