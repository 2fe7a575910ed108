"""Which addresses count as public: where a client names a URL, nothing else is connected to."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], Awaitable[str]]
"""Host and port → the address to connect to, as a number. Raises OSError where there is none."""

NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
WIRE_SERVER = ipaddress.IPv4Address("168.63.129.16")
"""Beside every machine of Azure's, to give it certificates and settings; its number alone looks like a public one.

https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16"""
SIX_TO_FOUR = ipaddress.IPv6Network("2002::/16")


class NotPublicError(OSError):
    """The host is, or may turn out to be, one that only the gateway's own network reaches."""


class Public:
    """Resolves names to public addresses, and to those of `networks` of the operator's own.

    What was checked is what is connected to: a name that means another address a moment later (DNS rebinding) gains
    nothing. A name of which any address is not public is refused altogether.
    """

    def __init__(self, networks: Sequence[Network] = ()) -> None:
        self.networks = networks

    async def __call__(self, host: str, port: int) -> str:
        """Raises NotPublicError, or OSError where the name cannot be resolved."""
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [str(entry[4][0]) for entry in found]
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
