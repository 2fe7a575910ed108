"""What the connections of one process share: the application, the limits, and the one clock that enforces them."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import Any

from headgate.core.ids import Ids
from headgate.server.cycles import Cycle
from headgate.server.protocol import Protocol
from headgate.server.refusals import Limits, OnRefused, Refuse, ignore_refusal, refuse_plainly

App = Callable[[Any, Any, Any], Awaitable[None]]
"""ASGI: scope, receive, send."""

RESET = struct.pack("ii", 1, 0)
"""Of SO_LINGER: closing sends a reset. After a FIN, HTTP/1.0 clients take what they have for the whole answer."""


class Connections:
    """Made on the running loop, one per process. `sweep` enforces every timeout, so that a request costs no timer."""

    def __init__(
        self,
        app: App,
        limits: Limits | None = None,
        *,
        refuse: Refuse = refuse_plainly,
        on_refused: OnRefused = ignore_refusal,
        next_id: Callable[[], str] | None = None,
    ) -> None:
        self.app = app
        self.limits = limits or Limits()
        self.refuse = refuse
        self.on_refused = on_refused
        self.next_id = next_id or Ids()
        """Names requests that no application sees."""
        self.loop = asyncio.get_running_loop()
        self.open: set[Protocol] = set()
        self.cycles: set[Cycle] = set()
        """Running requests."""
        self.lingering = 0
        """Connections above `max_connections` that are still being told."""
        self.draining = False
        self.now = self.loop.time()
        self.date = b""
        self.timer: asyncio.TimerHandle | None = None
        limits = self.limits
        shortest = min(limits.header_timeout, limits.body_idle_timeout, limits.write_timeout, limits.keep_alive)
        self.interval = min(1.0, max(0.02, shortest / 5))
        self.sweep()

    def protocol(self) -> Protocol:
        """What `loop.create_server` calls for every connection."""
        return Protocol(self)

    def sweep(self) -> None:
        """Looks at every connection's clock; runs by itself about once a second, to which timeouts are exact."""
        self.now = self.loop.time()
        # RFC 9110 section 6.6.1: an origin server with a clock sends Date
        self.date = b"date: " + formatdate(usegmt=True).encode() + b"\r\n"
        for connection in tuple(self.open):
            connection.check(self.now)
        self.timer = self.loop.call_later(self.interval, self.sweep)

    def drain(self) -> None:
        """From now on every answer says `connection: close`."""
        self.draining = True
        now = self.loop.time()
        for connection in self.open:
            if connection.idle:
                connection.since = now

    def close_idle(self, seconds: float = 0.0) -> None:
        """Closes what has waited so long for a next request, counted from the drain's begin at the earliest."""
        for connection in tuple(self.open):
            connection.close_if_idle(seconds)

    def reset(self, connection: Protocol) -> None:
        """Closes it by a reset; what its client has not been sent is dropped."""
        # None once TLS has given it up; a lost connection's descriptor may be another's
        sock = connection.transport.get_extra_info("socket")
        if sock is not None and connection in self.open:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        connection.transport.abort()

    def interrupt(self) -> None:
        """Cancels every running request; its application may still say why."""
        for cycle in tuple(self.cycles):
            cycle.interrupt()

    def stop(self) -> None:
        """Cancels every running request, closes every connection, ends the sweep."""
        if self.timer is not None:
            self.timer.cancel()
        for connection in tuple(self.open):
            connection.abandon("stopping")
