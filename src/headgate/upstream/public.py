"""Which addresses count as public: where a client names a URL, nothing else is connected to."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import threading
from collections.abc import Awaitable, Callable, Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], Awaitable[str]]
"""Host and port → the address to connect to, as a number. Raises OSError where there is none."""
Find = Callable[[str, int], Sequence[str]]
"""Host and port → all its addresses; may take long. Raises OSError, or UnicodeError for what is no name."""
LOOKUPS = 32
"""Names that are looked up at the same time."""

NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
WIRE_SERVER = ipaddress.IPv4Address("168.63.129.16")
"""Beside every machine of Azure's, to give it certificates and settings; its number alone looks like a public one.

https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16"""
SIX_TO_FOUR = ipaddress.IPv6Network("2002::/16")


class NotPublicError(OSError):
    """The host is, or may turn out to be, one that only the gateway's own network reaches."""


class NameLookups:
    """Looks names up in threads of its own.

    Those of the event loop are for the providers: of libuv's four no more than two look names up at a time, so that
    two names whose servers do not answer, which a client can choose, would keep every other name waiting for as long.
    """

    def __init__(self, most: int = LOOKUPS, find: Find | None = None) -> None:
        self._free = asyncio.Semaphore(most)
        self._find = find or _addresses

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """Raises OSError or UnicodeError. Given up, it keeps its place until its thread has an answer."""
        await self._free.acquire()
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Sequence[str]] = loop.create_future()
        thread = threading.Thread(target=self._look, args=(loop, answer, host, port), daemon=True)
        try:
            thread.start()
        except RuntimeError as error:  # the system has no more threads
            self._free.release()
            raise OSError(str(error)) from error
        return await answer

    def _look(
        self, loop: asyncio.AbstractEventLoop, answer: asyncio.Future[Sequence[str]], host: str, port: int
    ) -> None:
        found: Sequence[str] | OSError | UnicodeError
        try:
            found = self._find(host, port)
        except (OSError, UnicodeError) as error:
            found = error
        with contextlib.suppress(RuntimeError):  # the loop has been closed meanwhile
            loop.call_soon_threadsafe(self._tell, answer, found)

    def _tell(self, answer: asyncio.Future[Sequence[str]], found: Sequence[str] | OSError | UnicodeError) -> None:
        self._free.release()
        if answer.done():
            return
        if isinstance(found, OSError | UnicodeError):
            answer.set_exception(found)
        else:
            answer.set_result(found)


def _addresses(host: str, port: int) -> Sequence[str]:
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class Public:
    """Resolves names to public addresses, and to those of `networks` of the operator's own.

    What was checked is what is connected to: a name that means another address a moment later (DNS rebinding) gains
    nothing. A name of which any address is not public is refused altogether.
    """

    def __init__(self, networks: Sequence[Network] = (), find: Find | None = None) -> None:
        self.networks = networks
        self._lookups = NameLookups(find=find)

    async def __call__(self, host: str, port: int) -> str:
        """Raises NotPublicError, or OSError where the name cannot be resolved."""
        addresses = await self._lookups(host, port)
        if not addresses or not all(self.allows(address) for address in addresses):
            raise NotPublicError("its address is not a public one")
        return addresses[0]

    def allows(self, address: str) -> bool:
        try:
            known = ipaddress.ip_address(address)
        except ValueError:
            return False  # with a zone, or no address at all
        return is_public(known) or any(known in network for network in self.networks)


def is_public(address: Address) -> bool:
    """Neither private, loopback, link-local, multicast nor reserved, also not as what an IPv6 address stands for."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped
        if address in NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        elif address in SIX_TO_FOUR:
            inner = address.sixtofour
        elif address.teredo is not None:
            return False
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast and address != WIRE_SERVER
