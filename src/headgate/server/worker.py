"""One serving process: its loop, its signals, its drain."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
from collections.abc import Sequence

import uvloop

from headgate.server.connections import Connections
from headgate.server.lifecycle import Factory, Lifecycle, Listener, Service, Stopping
from headgate.server.listen import BACKLOG
from headgate.server.watch import Watch

log = logging.getLogger("headgate.server")

DRAIN, STOP, RELOAD, READY = b"d", b"s", b"r", b"+"
"""What parent and worker say to each other. The parent's end closing means: drain, there is nobody left to ask."""

TICK = 0.02
IDLE = 0.5
"""Seconds a connection is left to a client that may be about to use it: closing under a request makes it fail."""
CLEANUP = 5.0
"""Seconds that cancelled requests have for writing their records."""


class Worker:
    """Serves `listeners` until told to stop, by signal (alone) or by its parent (`line`)."""

    def __init__(
        self,
        factory: Factory,
        listeners: Sequence[Listener],
        stopping: Stopping,
        *,
        worker: int = 0,
        line: socket.socket | None = None,
    ) -> None:
        self.factory = factory
        self.listeners = listeners
        self.stopping = stopping
        self.lifecycle = Lifecycle(worker=worker)
        self.line = line
        self.begin_drain = asyncio.Event()
        self.stop_now = asyncio.Event()
        self.tasks: set[asyncio.Task[object]] = set()
        self.groups: dict[str, Connections] = {}
        self.servers: list[asyncio.Server] = []
        self.watcher: Watch | None = None
        self.reloading = asyncio.Lock()

    async def serve(self) -> int:
        """The exit code: 0 after a clean stop, 1 when requests had to be cancelled. Raises what the factory raises."""
        loop = asyncio.get_running_loop()
        self.listen_for_orders(loop)
        service = await self.factory(self.lifecycle)
        try:
            await self.open(loop, service)
            await self.begin_drain.wait()
            return await self.drain()
        finally:
            for group in self.groups.values():
                group.stop()
            for task in self.tasks:
                task.cancel()
            if service.close is not None:
                await service.close()

    def listen_for_orders(self, loop: asyncio.AbstractEventLoop) -> None:
        """SIGTERM drains, a second one stops at once. With a parent, it decides: a process group gets signals twice."""
        if self.line is None:
            for sign in (signal.SIGTERM, signal.SIGINT):
                loop.add_signal_handler(sign, self.asked_to_stop)
            loop.add_signal_handler(signal.SIGHUP, self.asked_to_reload)
            return
        loop.add_signal_handler(signal.SIGTERM, self.begin_drain.set)
        for sign in (signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(sign, self.leave_it)
        self.line.setblocking(False)
        loop.add_reader(self.line, self.order)

    def leave_it(self) -> None:
        """The parent has been told too, and will say."""

    def order(self) -> None:
        """The parent has said something, or is dead."""
        assert self.line is not None
        try:
            said = self.line.recv(64)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        if not said:
            asyncio.get_running_loop().remove_reader(self.line)
        if not said or DRAIN in said:
            self.begin_drain.set()
        if STOP in said:
            self.begin_drain.set()
            self.stop_now.set()
        if RELOAD in said:
            self.asked_to_reload()

    def asked_to_stop(self) -> None:
        if self.begin_drain.is_set():
            self.stop_now.set()
        self.begin_drain.set()

    def asked_to_reload(self) -> None:
        task = asyncio.get_running_loop().create_task(self.reload())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def reload(self) -> None:
        """By signal: at once, without waiting for the watcher to see a change."""
        if self.watcher is not None:
            async with self.reloading:
                await self.watcher.now()

    async def open(self, loop: asyncio.AbstractEventLoop, service: Service) -> None:
        """Connections are accepted from here on."""
        if service.reload is not None:
            self.watcher = Watch(service.watch, service.reload)
            self.tasks.add(loop.create_task(self.watcher.run()))
        # What exists now stays: the collector need not look at it again
        gc.collect()
        gc.freeze()
        for listener in self.listeners:
            group = self.groups.get(listener.face)
            if group is None:
                app = service.app if listener.face == "data" else service.faces[listener.face]
                group = Connections(
                    app,
                    service.limits,
                    refuse=service.refuse,
                    on_refused=service.on_refused,
                    next_id=service.next_id,
                )
                self.groups[listener.face] = group
            # a connection counts, and has a clock of ours, once its handshake is over
            handshake = service.limits.header_timeout if listener.tls else None
            self.servers.append(
                await loop.create_server(
                    group.protocol,
                    sock=listener.sock,
                    ssl=listener.tls,
                    ssl_handshake_timeout=handshake,
                    backlog=BACKLOG,
                )
            )
        self.lifecycle.state = "ready"
        places = (f"{one.url}{'' if one.face == 'data' else f' ({one.face})'}" for one in self.listeners)
        log.info("serving on %s", ", ".join(places))
        if self.line is not None:
            self.line.send(READY)

    async def drain(self) -> int:
        """Readiness fails, then the listener closes, then what is under way finishes or is cancelled."""
        self.lifecycle.state = "draining"
        log.info(
            "stopping: %s under way, up to %g s; a second signal stops at once",
            count(self.running),
            self.stopping.delay + self.stopping.timeout,
        )
        for group in self.groups.values():
            group.drain()
        await self.sleep(self.stopping.delay)
        for server in self.servers:
            server.close()
        if await self.finished(self.stopping.timeout):
            return 0
        if running := self.running:
            log.warning("%s still running: cancelled", count(running))
        for group in self.groups.values():
            group.interrupt()
        await self.finished(CLEANUP, interruptible=False)
        return 1

    @property
    def running(self) -> int:
        """Requests under way."""
        return sum(len(group.cycles) for group in self.groups.values())

    def busy(self) -> bool:
        """A request is running, or its answer, or its next one, is still on its way."""
        return any(group.cycles or group.open for group in self.groups.values())

    async def sleep(self, seconds: float) -> None:
        """Unless stopping at once."""
        if seconds > 0 and not self.stop_now.is_set():
            try:
                async with asyncio.timeout(seconds):
                    await self.stop_now.wait()
            except TimeoutError:
                return

    async def finished(self, seconds: float, *, interruptible: bool = True) -> bool:
        """Waits until nothing is under way; False when time is over, or on an order to stop at once."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while self.busy():
            if loop.time() > deadline or (interruptible and self.stop_now.is_set()):
                return False
            for group in self.groups.values():
                group.close_idle(IDLE)
            await asyncio.sleep(TICK)
        return True


def count(requests: int) -> str:
    """`1 request`, `3 requests`."""
    return f"{requests} request{'' if requests == 1 else 's'}"


def run_worker(
    factory: Factory,
    listeners: Sequence[Listener],
    stopping: Stopping,
    *,
    worker: int = 0,
    line: socket.socket | None = None,
) -> int:
    """Serves in this process until stopped; gives the exit code."""

    async def main() -> int:
        return await Worker(factory, listeners, stopping, worker=worker, line=line).serve()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())
