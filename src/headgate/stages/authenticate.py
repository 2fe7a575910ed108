"""Find out who asks, before anything else of the request is read, and whether they may ask for this, and from there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from headgate.core.caller import Caller, Networks
from headgate.core.errors import AddressForbidden, KeyDisabled, KeyExpired, OperationForbidden, Unauthenticated
from headgate.core.exchange import Exchange
from headgate.core.keys import digest
from headgate.core.memo import Memo
from headgate.core.reply import Reply
from headgate.stages.stage import Proceed

HEADERS = frozenset({b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key"})
SIGNED = b"AWS4-HMAC-SHA256 "
"""How the `authorization` of an Amazon SDK with AWS keys begins. To check it one must know the caller's secret key, and
of callers' keys only hashes are kept here."""


class Asked(NamedTuple):
    """What is looked at of a request whose caller is not known yet."""

    headers: Sequence[tuple[bytes, bytes]]
    client: str | None
    """The client's address."""
    path: str
    operation: str | None
    """What is asked for; None: what every caller may (the list of models)."""
    now: float
    """Unix seconds."""
    proxied: bool = False
    """It came by a proxy that is trusted: what its headers say of the client is the proxy's word."""
    memo: Memo | None = None
    """Of the headers, where they may come again."""


Verifier = Callable[[Asked], Awaitable[Caller | None]]
"""Who it is that presents something else than a key; None: it is nothing this one knows. Raises Unauthenticated for
what it knows to be wrong, IdentityUnavailable where it cannot tell."""


class Authenticate:
    """Keys are known by their SHA-256 alone: a look-up by digest tells nothing of a key through its timing."""

    def __init__(
        self,
        callers: Mapping[bytes, Caller],
        networks: Networks | None = None,
        verifiers: Sequence[Verifier] = (),
    ) -> None:
        """`networks`: from where anybody may ask at all; None: from everywhere. `verifiers` are asked in turn where no
        key is known."""
        self.callers = callers
        self.networks = networks
        self.verifiers = verifiers

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Reply:
        record = exchange.record
        asked = Asked(
            exchange.headers, record.client, exchange.path, exchange.dialect.operation, record.time, exchange.proxied,
            exchange.memo,
        )  # fmt: skip
        exchange.caller = await self.admit(asked)
        return await proceed(exchange)

    async def admit(self, asked: Asked) -> Caller:
        """Who asks, where they may. Raises Unauthenticated, AddressForbidden or OperationForbidden."""
        if self.networks is not None and not self.networks.admit(asked.client):
            raise AddressForbidden(f"this gateway takes no requests from {asked.client}")
        caller = self.known(asked.headers, asked.memo)
        for verifier in self.verifiers if caller is None else ():
            caller = await verifier(asked)
            if caller is not None:
                break
        if caller is None:
            raise self._stranger(asked.headers)
        if caller.barred is not None:
            raise KeyDisabled(f"the key {caller.key!r} {caller.barred}")
        if asked.now >= caller.expires:
            when = datetime.fromtimestamp(caller.expires, UTC).isoformat(timespec="minutes").replace("+00:00", "Z")
            raise KeyExpired(f"the key {caller.key!r} expired at {when}; ask for a new one")
        if caller.networks and not caller.may_come_from(asked.client):
            raise AddressForbidden(f"the key {caller.key!r} may not be used from {asked.client}")
        if asked.operation is not None and not caller.may_do(asked.operation):
            raise OperationForbidden(_not_this(caller, asked.operation))
        if caller.paths and not (_plain(asked.path) and caller.may_ask_at(asked.path)):
            raise OperationForbidden(f"the key {caller.key!r} may not ask at {asked.path[:200]}")
        return caller

    def known(self, headers: Sequence[tuple[bytes, bytes]], memo: Memo | None = None) -> Caller | None:
        """Whoever the first valid key belongs to; every vendor's header counts alike."""
        if memo is not None and memo.key is not None:
            return self.callers.get(memo.key)
        presented = [digest(_token(value)) for name, value in headers if name in HEADERS]
        if memo is not None and len(presented) == 1:
            memo.key = presented[0]
        return next((self.callers[key] for key in presented if key in self.callers), None)

    def _stranger(self, headers: Sequence[tuple[bytes, bytes]]) -> Unauthenticated:
        presented = [value for name, value in headers if name in HEADERS]
        if any(value.startswith(SIGNED) for value in presented):
            return Unauthenticated(
                "the request is signed for Amazon, and such a signature says nothing to this gateway; send its "
                "key as a bearer token: AWS_BEARER_TOKEN_BEDROCK=KEY in the environment of Amazon's SDKs"
            )
        if presented:
            return Unauthenticated("the key is not one of this gateway's; a provider's own key does not work here")
        return Unauthenticated("no key was sent; send one as `Authorization: Bearer KEY` or `x-api-key: KEY`")


def bearer(headers: Sequence[tuple[bytes, bytes]]) -> bytes | None:
    """The first that is presented as a key, by whichever header."""
    return next((_token(value) for name, value in headers if name in HEADERS), None)


def _token(value: bytes) -> bytes:
    return value[7:].strip() if value[:7].lower() == b"bearer " else value.strip()


def _not_this(caller: Caller, operation: str) -> str:
    allowed = sorted(caller.operations or ())
    what = "what is forwarded unread (`opaque`)" if operation == "opaque" else operation
    may = f"it may ask for {', '.join(allowed)}" if allowed else "it may ask for nothing"
    return f"the key {caller.key!r} may not ask for {what}; {may}"


def _plain(path: str) -> bool:
    """Whether whoever gets this path will read it as it stands here."""
    return "%" not in path and "\\" not in path and not {".", "..", ""} & set(path[1:].rstrip("/").split("/"))
