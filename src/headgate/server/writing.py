"""What leaves on a connection, as few writes, and who waits for it to leave."""

from __future__ import annotations

import asyncio

HIGH_WATER = 65_536
"""Bytes of a body that are held unread before the client is held back, and of an answer before the application is."""


class Writing(asyncio.Protocol):
    """The sending half of a connection."""

    __slots__ = ("loop", "pending", "pending_size", "transport", "write_paused", "writers", "written")

    transport: asyncio.Transport

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.write_paused = False
        self.writers: list[asyncio.Future[None]] = []
        self.pending: list[bytes] = []
        self.pending_size = self.written = 0

    def put(self, data: bytes) -> None:
        """Writes, together with what is pending."""
        if self.pending:
            data = b"".join((*self.pending, data))
            self.pending.clear()
            self.pending_size = 0
        self.written += len(data)
        self.transport.write(data)

    def put_soon(self, data: bytes) -> None:
        """Writes with the loop's next turn: each write is a system call, ten times dearer than a frame of a stream."""
        if not self.pending:
            self.loop.call_soon(self.flush)
        self.pending.append(data)
        self.pending_size += len(data)
        if self.pending_size > HIGH_WATER:
            self.flush()

    def flush(self) -> None:
        if self.pending and not self.transport.is_closing():
            self.put(b"")

    def pause_writing(self) -> None:
        self.write_paused = True

    def resume_writing(self) -> None:
        self.write_paused = False
        writers, self.writers = self.writers, []
        for writer in writers:
            if not writer.done():
                writer.set_result(None)

    async def writable(self) -> None:
        """Until the transport's buffer is below its low-water mark, or the connection is lost."""
        if self.write_paused:
            writer = self.loop.create_future()
            self.writers.append(writer)
            await writer
