"""What state a serving process is in, for its readiness probe, and what it serves."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from socket import socket
from typing import Literal

from headgate.core.ids import Ids
from headgate.server.connections import App
from headgate.server.refusals import Limits, OnRefused, Refuse, ignore_refusal, refuse_plainly

Reload = Callable[[], Awaitable[Sequence[Path]]]
"""Reads the configuration anew; gives the files to watch from now on. On a ValueError or OSError the old one stays."""


@dataclass(slots=True)
class Lifecycle:
    """`starting` until the listener is served, `draining` from the first SIGTERM on."""

    state: Literal["starting", "ready", "draining"] = "starting"
    worker: int = 0


@dataclass(slots=True, frozen=True)
class Listener:
    """A bound, listening socket; `face` names the application of the Service that answers on it."""

    sock: socket
    face: str = "data"
    tls: ssl.SSLContext | None = None

    @property
    def url(self) -> str:
        """Where it listens: `http://127.0.0.1:4000`, or `unix:/run/headgate.sock` for a socket that was inherited."""
        name = self.sock.getsockname()
        if not isinstance(name, tuple):
            return f"unix:{name}"
        host, port = name[:2]
        return f"{'https' if self.tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"


@dataclass(slots=True, frozen=True)
class Stopping:
    """Seconds. Between a failing readiness and closing the listener; then for requests under way to finish."""

    delay: float = 0.0
    timeout: float = 60.0


@dataclass(slots=True)
class Service:
    """What a worker serves; made by the worker's own factory, on its loop."""

    app: App
    limits: Limits = field(default_factory=Limits)
    refuse: Refuse = refuse_plainly
    on_refused: OnRefused = ignore_refusal
    next_id: Callable[[], str] = field(default_factory=Ids)
    """Names what is refused unseen by the application."""
    faces: dict[str, App] = field(default_factory=dict)
    """Applications of listeners other than `data`, by the listener's `face`."""
    reload: Reload | None = None
    watch: Sequence[Path] = ()
    """Files whose change means a reload."""
    close: Callable[[], Awaitable[None]] | None = None
    """Called when the last request is over."""


Factory = Callable[[Lifecycle], Awaitable[Service]]
