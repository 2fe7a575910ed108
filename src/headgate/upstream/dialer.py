"""Makes connections: name, TCP, proxy and TLS, and says in plain words what went wrong with which."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from typing import TYPE_CHECKING

from headgate.core.errors import ProviderError, ProviderTimeout, ProviderUnreachable
from headgate.upstream.proxy import Proxy, place

if TYPE_CHECKING:
    from headgate.core.target import Origin
    from headgate.upstream.connection import Connection
    from headgate.upstream.public import Resolve
    from headgate.upstream.tls import SessionContext

TUNNEL_HEAD = 16 * 1024
"""Bytes a proxy's answer to CONNECT may have."""
IDLE_PROBE = 60
"""Seconds without traffic after which the kernel asks whether the other side is still there: a NAT on the way forgets
a connection that waits minutes for a model's first token."""


class _RefusedTunnelError(Exception):
    """The proxy's answer to CONNECT was not a success; the text is for people."""


class Opening(asyncio.Protocol):
    """The protocol until the connection stands: reads a proxy's answer, notices an early end."""

    def __init__(self) -> None:
        self.received = b""
        self.lost = False
        self._waiter: asyncio.Future[None] | None = None

    def data_received(self, data: bytes) -> None:
        self.received += data
        self._wake()

    def eof_received(self) -> None:
        self.lost = True
        self._wake()

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def tunnel(self) -> None:
        """Wait for the answer to CONNECT. Raises _RefusedTunnelError."""
        while b"\r\n\r\n" not in self.received:
            if self.lost:
                raise _RefusedTunnelError("closed the connection instead of answering")
            if len(self.received) > TUNNEL_HEAD:
                raise _RefusedTunnelError("answered with more headers than are taken")
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        head, _, rest = self.received.partition(b"\r\n\r\n")
        protocol, _, status = head.split(b"\r\n", 1)[0].partition(b" ")
        if not protocol.startswith(b"HTTP/1.") or not status[:3].isdigit():
            raise _RefusedTunnelError("did not answer in HTTP")
        if status[:1] != b"2":
            shown = status[:60].decode("ascii", "replace")
            why = "; check the user name and password in the proxy's URL" if status[:3] == b"407" else ""
            raise _RefusedTunnelError(f"refused with {shown!r}{why}")
        if rest:
            raise _RefusedTunnelError("sent bytes of its own into the tunnel")
        self.received = b""

    def check(self) -> None:
        """Raises ConnectionResetError when the other side has already closed, or talks out of turn."""
        if self.lost or self.received:
            raise ConnectionResetError(errno.ECONNRESET, "closed at once")


class Dialer:
    """Opens connections to one origin, through its proxy if it has one."""

    def __init__(self, origin: Origin, proxy: Proxy | None, tls: SessionContext, resolve: Resolve | None) -> None:
        """`resolve` says where to connect, for what may not be connected to by its name alone."""
        self._resolve = resolve
        self._origin = origin
        self._proxy = proxy
        self._tls = tls
        self._where = place(origin.host, origin.port)
        self._through = place(proxy.host, proxy.port) if proxy else ""

    async def dial(self, connection: Connection, seconds: float) -> None:
        """Let `connection` stand within `seconds`. Raises ProviderUnreachable or ProviderTimeout."""
        steps = [""]
        limit = asyncio.timeout(seconds)
        try:
            async with limit:
                await self._open(connection, seconds, steps)
        except _RefusedTunnelError as error:
            raise ProviderUnreachable(
                f"No connection to {self._where}: the proxy {self._through} {error}. "
                "Check the proxy variables, or exempt the host in NO_PROXY."
            ) from None
        except (OSError, ValueError) as error:
            if isinstance(error, TimeoutError) and limit.expired():
                raise ProviderTimeout(
                    f"No connection to {self._where} within {seconds:g} s ({steps[0]} took too long). Check the "
                    "address and the network, or raise the provider's timeouts.connect."
                ) from None
            raise self._explained(error, steps[0]) from None

    async def _open(self, connection: Connection, seconds: float, steps: list[str]) -> None:
        loop = asyncio.get_running_loop()
        origin, proxy = self._origin, self._proxy
        host, port = (proxy.host, proxy.port) if proxy else (origin.host, origin.port)
        opening = Opening()
        if self._resolve is not None:
            steps[0] = "finding the host"
            host = await self._resolve(host, port)
        steps[0] = f"connecting to the proxy {self._through}" if proxy else "connecting"
        raw, _ = await loop.create_connection(lambda: opening, host, port)
        transport: asyncio.Transport = raw
        try:
            _tune(transport)
            if proxy is not None:
                if proxy.tls:
                    steps[0] = f"TLS with the proxy {self._through}"
                    transport = await self._secured(loop, transport, opening, opening, proxy.host, seconds)
                if origin.scheme == "https":
                    steps[0] = f"the tunnel through the proxy {self._through}"
                    transport.write(proxy.tunnel(origin))
                    await opening.tunnel()
            if origin.scheme == "https":
                steps[0] = "TLS"
                transport = await self._secured(loop, transport, opening, connection, origin.host, seconds)
            else:
                opening.check()
                transport.set_protocol(connection)
        except BaseException:
            raw.abort()
            raise
        connection.opened(transport)

    async def _secured(
        self,
        loop: asyncio.AbstractEventLoop,
        transport: asyncio.Transport,
        opening: Opening,
        protocol: asyncio.Protocol,
        host: str,
        seconds: float,
    ) -> asyncio.Transport:
        opening.check()
        # Our own time limit must be the one that strikes, hence the longer one for the handshake.
        secured = await loop.start_tls(
            transport, protocol, self._tls, server_hostname=host, ssl_handshake_timeout=seconds + 10
        )
        if secured is None:
            raise ConnectionResetError(errno.ECONNRESET, "closed during the handshake")
        return secured

    def _explained(self, error: OSError | ValueError, step: str) -> ProviderError:
        """A foreign error in our words."""
        return ProviderUnreachable(f"No connection to {self._where}: {self._reason(error, step)}")

    def _reason(self, error: OSError | ValueError, step: str) -> str:
        party = f"the proxy {self._through}" if "proxy" in step else "the provider"
        if isinstance(error, ssl.SSLCertVerificationError):
            return (
                f"{step} failed, the certificate of {party} is not trusted ({error.verify_message}). If it is signed "
                "by an authority of your own, give its certificate in `ca_file`."
            )
        if isinstance(error, ssl.SSLError):
            return (
                f"{step} failed ({error.reason or error}). Check that the port speaks TLS (http or https in the URL), "
                "and TLS 1.2 or later."
            )
        if isinstance(error, socket.gaierror):
            host = self._proxy.host if self._proxy else self._origin.host
            return f"the name {host!r} cannot be resolved ({error.strerror}). Check its spelling, and the DNS."
        if isinstance(error, ConnectionRefusedError):
            return f"{step} was refused. Check that the address and port are right and that it is running."
        if isinstance(error, ConnectionError):
            return f"{party} closed the connection during {step}. Check the port, and http or https in the URL."
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
            return "there are no file descriptors left. Raise the limit of open files (ulimit -n)."
        return f"{step} failed ({_brief(error)}). Check the address and the network."


def _brief(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text)[:200]


def _tune(transport: asyncio.Transport) -> None:
    """No waiting to fill packets (requests are written whole), and probes of idle connections."""
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    if hasattr(socket, "TCP_KEEPIDLE"):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, IDLE_PROBE)
