"""Listening sockets: bound here, or inherited from whoever started the process (systemd's protocol)."""

from __future__ import annotations

import os
import resource
import socket
from collections.abc import MutableMapping

BACKLOG = 4096
FIRST_FD = 3
"""SD_LISTEN_FDS_START, https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html"""


def bind(host: str, port: int, *, reuse_port: bool = False) -> list[socket.socket]:
    """A socket for every address `host` stands for, with one port. Raises OSError."""
    sockets: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, kind, protocol, _, address in dict.fromkeys(found):
            if sockets:
                address = (address[0], sockets[0].getsockname()[1], *address[2:])
            sock = socket.socket(family, kind, protocol)
            sockets.append(sock)
            prepare(sock, reuse_port=reuse_port)
            sock.bind(address)
            sock.listen(BACKLOG)
    except OSError:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def prepare(sock: socket.socket, *, reuse_port: bool) -> None:
    """Options that accepted connections inherit: a client that vanished without a word is found after two minutes."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if reuse_port:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, option):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def inherited(environ: MutableMapping[str, str]) -> list[socket.socket]:
    """The sockets of LISTEN_FDS, which are taken out of `environ` so that no child takes them for its own.

    A LISTEN_PID that is not this process means that they are somebody else's; without one they are taken.
    Raises ValueError on a LISTEN_FDS that is no number.
    """
    count, pid = environ.pop("LISTEN_FDS", ""), environ.pop("LISTEN_PID", "")
    environ.pop("LISTEN_FDNAMES", None)
    if not count or pid not in ("", str(os.getpid())):
        return []
    if not count.isdigit():
        raise ValueError(f"LISTEN_FDS is {count!r}; it has to be the number of sockets handed over")
    sockets = [socket.socket(fileno=fd) for fd in range(FIRST_FD, FIRST_FD + int(count))]
    for sock in sockets:
        os.set_inheritable(sock.fileno(), False)
    return sockets


def allow_many_files() -> int:
    """Raises this process' limit of open files as far as it may be raised; gives the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard and hard != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        return hard
    return soft
