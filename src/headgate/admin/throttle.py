"""How often may be tried to log in: by name and by address, in bounded memory, so that nobody can lock out others."""

from __future__ import annotations

import hashlib
import ipaddress
import math
import secrets
import unicodedata
from collections import OrderedDict

from headgate.admin.problems import Problem
from headgate.core.limits.memory import MemoryCounters
from headgate.core.limits.meter import Demand, Denied, Hold, Meter, Now
from headgate.core.limits.window import Calendar

MINUTE = Calendar("minute")
ADDRESS = Meter("logins from one address", "requests", 20, MINUTE, burst=20)
PAIR = Meter("logins as one from one address", "requests", 6, MINUTE, burst=5)
NAME = Meter("logins as one from unknown addresses", "requests", 12, MINUTE, burst=20)
"""Who has logged in from an address before is not kept out by who guesses from others."""
CODES = Meter("one-time codes of one", "requests", 30, Calendar("hour"), burst=10)
"""Three of a million are right: who knows the password finds one in a year."""
FAMILIAR = 10_000
PLACES = 2
"""Bytes of a counter's name: so many counters there can be, however many names are tried."""


class Throttle:
    """A try counts until it is known to have been right. In this process; names and addresses are not kept."""

    def __init__(self) -> None:
        self._counters = MemoryCounters()
        self._salt = secrets.token_bytes(16)  # else somebody could look for names that share a counter with another's
        self._familiar: OrderedDict[str, None] = OrderedDict()

    async def admit(self, name: str, address: str | None, now: Now) -> Hold:
        """Raises Problem where there are too many."""
        network = _network(address)
        demands = [
            Demand(ADDRESS, f"address {self._place(network)}", 1),
            Demand(PAIR, f"pair {self._place(name, network)}", 1),
        ]
        if self._place(name, network, size=16) not in self._familiar:
            demands.append(Demand(NAME, f"name {self._place(name)}", 1))
        return await self._reserved(demands, now)

    async def admit_code(self, name: str, address: str | None, now: Now) -> Hold:
        """With the right password. Raises Problem where there are too many."""
        network = _network(address)
        known = self._place(name, network, size=16) in self._familiar
        counter = f"code {self._place(name, network)}" if known else f"code {self._place(name)}"
        return await self._reserved([Demand(CODES, counter, 1)], now)

    async def _reserved(self, demands: list[Demand], now: Now) -> Hold:
        outcome = await self._counters.reserve(demands, now)
        if isinstance(outcome, Denied):
            wait = str(math.ceil(outcome.after))
            raise Problem(429, "rate_limited", f"too many tries to log in; try again in {wait} s", retry_after=wait)
        return outcome

    def right(self, hold: Hold, name: str, address: str | None, now: Now) -> None:
        """It was the right one, who from now on is known from there."""
        self.forgive(hold, now)
        self._familiar[self._place(name, _network(address), size=16)] = None
        if len(self._familiar) > FAMILIAR:
            self._familiar.popitem(last=False)

    def forgive(self, hold: Hold, now: Now) -> None:
        """It does not count."""
        self._counters.settle(hold, [0] * len(hold.levels), now)

    def _place(self, *of: str, size: int = PLACES) -> str:
        """Of names that a directory takes for the same it is the same."""
        text = "\0".join(" ".join(unicodedata.normalize("NFKC", each).casefold().split()) for each in of).encode(
            "utf-8", "replace"
        )
        return hashlib.blake2b(text, digest_size=size, key=self._salt).hexdigest()


def _network(address: str | None) -> str:
    """Of IPv6, whoever has an address has 2^64 of them."""
    try:
        known = ipaddress.ip_address(address or "")
    except ValueError:
        return "local"
    if isinstance(known, ipaddress.IPv6Address):
        mapped = known.ipv4_mapped
        return str(mapped) if mapped is not None else str(ipaddress.ip_network((known, 64), strict=False))
    return str(known)
