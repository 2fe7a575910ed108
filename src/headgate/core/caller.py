"""Who asks, and what that caller may do."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Literal, NamedTuple, get_args

from headgate.core.cached import Narrowed
from headgate.core.kept import Keep
from headgate.core.request import Operation

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Role = Literal["owner", "admin", "team_admin", "member", "auditor", "billing"]

EVERYTHING = "*"
"""In a list of models: all of them."""
ADMIN_OPERATION = "admin"
"""Among the operations of a key: it may be used for the admin API, with its user's role."""
EVERY_OPERATION = frozenset({*get_args(Operation), ADMIN_OPERATION})


class Belongs(NamedTuple):
    """Whose a caller is, by name; None where it is nobody's."""

    organisation: str | None = None
    team: str | None = None
    application: str | None = None
    user: str | None = None


NOBODYS = Belongs()


class Born(NamedTuple):
    """When those were made whose a caller is, and its key (or the key's own hash): who is made anew under an old name
    is somebody else. "" where that is not known."""

    organisation: str = ""
    team: str = ""
    application: str = ""
    user: str = ""
    key: str = ""


UNBORN = Born()


class Instructions(NamedTuple):
    """A system prompt that stands before all conversations of a caller."""

    text: str
    whose: tuple[str, ...]
    """Who say it: `organisation acme`."""
    alone: bool = False
    """A system prompt of the client's own is refused."""


class Networks(NamedTuple):
    """Addresses from which requests may come: of those allowed (None: all), less those denied."""

    allowed: tuple[Network, ...] | None = None
    denied: tuple[Network, ...] = ()

    def admit(self, address: str | None) -> bool:
        """Whether a client at this address may come in. One without an address came by a local socket."""
        if address is None:
            return True
        try:
            known = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(known, ipaddress.IPv6Address) and known.ipv4_mapped is not None:
            known = known.ipv4_mapped
        if any(known in network for network in self.denied):
            return False
        return self.allowed is None or any(known in network for network in self.allowed)


class Models(NamedTuple):
    """Names that may be asked for, `families` being prefixes (`openai/`). What is not among them may not."""

    names: frozenset[str]
    families: tuple[str, ...] = ()

    def permit(self, model: str) -> bool:
        return model in self.names or model.startswith(self.families)

    def within(self, other: Models) -> Models:
        """What both permit."""
        names = {name for name in self.names if other.permit(name)}
        names |= {name for name in other.names if self.permit(name)}
        longer = {one for one in self.families if one.startswith(other.families)}
        longer |= {one for one in other.families if one.startswith(self.families)}
        return Models(frozenset(names), tuple(sorted(longer)))

    @classmethod
    def of(cls, listed: Sequence[str]) -> Models | None:
        """What a list of the configuration permits: names, `provider/*`; None where it holds `*`."""
        if EVERYTHING in listed:
            return None
        names = frozenset(name for name in listed if not name.endswith("/*"))
        return cls(names, tuple(name[:-1] for name in listed if name.endswith("/*")))


@dataclass(slots=True, frozen=True)
class Caller:
    """Who asks: the key's name and what it may do, which is what all allow whose it is."""

    key: str
    models: frozenset[str] | None = None
    """None: every model."""
    families: tuple[str, ...] = ()
    requires: frozenset[str] = frozenset()
    """What must be so of every target that is given its requests."""
    belongs: Belongs = NOBODYS
    operations: frozenset[str] | None = None
    """None: every one but the admin API."""
    paths: tuple[tuple[str, ...], ...] = ()
    """Of each list, one has to fit: a path, or its beginning and `*`."""
    networks: tuple[Networks, ...] = ()
    """All of them have to admit the client."""
    expires: float = inf
    """Unix seconds."""
    barred: str | None = None
    """Why it is let in no more, as a sentence goes on after "the key"."""
    tags: tuple[str, ...] = ()
    """Of all its requests, beside those that they bring."""
    limits: Sequence[Any] = ()
    """`core.limits.rule.Prepared`: the limits that may concern its requests."""
    attempt_limits: Sequence[Any] = ()
    """The same: those that count what a provider is asked for it."""
    keep: Keep | None = None
    """How much is kept of what its requests say; None: it has no word in that."""
    data_class: str | None = None
    """Of what its requests say."""
    cache: bool = True
    """Its requests may be given answers that are kept, and theirs may be kept."""
    narrowed: Narrowed | None = None
    """On narrower terms than those of the name."""
    born: Born = UNBORN
    instructions: Instructions | None = None
    role: Role | None = None
    """What it may do in the admin API, where `operations` has that; None: nothing."""

    def may_use(self, model: str) -> bool:
        return self.models is None or model in self.models or model.startswith(self.families)

    def may_do(self, operation: str) -> bool:
        if self.operations is None:
            return operation != ADMIN_OPERATION
        return operation in self.operations

    def may_ask_at(self, path: str) -> bool:
        return all(any(_fits(path, each) for each in listed) for listed in self.paths)

    def may_come_from(self, address: str | None) -> bool:
        return all(networks.admit(address) for networks in self.networks)


def _fits(path: str, listed: str) -> bool:
    return path.startswith(listed[:-1]) if listed.endswith("*") else path == listed
