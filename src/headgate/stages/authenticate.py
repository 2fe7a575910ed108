"""Find out who asks, before anything else of the request is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from headgate.core.errors import Unauthenticated
from headgate.core.exchange import Caller, Exchange
from headgate.core.keys import digest
from headgate.core.reply import Reply
from headgate.stages.stage import Proceed

HEADERS = frozenset({b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key"})


class Authenticate:
    """Keys are known by their SHA-256 alone: a look-up by digest tells nothing of a key through its timing."""

    def __init__(self, callers: Mapping[bytes, Caller]) -> None:
        self.callers = callers

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Reply:
        exchange.caller = self.find(exchange.headers)
        return await proceed(exchange)

    def find(self, headers: Sequence[tuple[bytes, bytes]]) -> Caller:
        """Whoever the first valid key belongs to; every vendor's header counts alike. Raises Unauthenticated."""
        presented = False
        for name, value in headers:
            if name in HEADERS:
                presented = True
                caller = self.callers.get(digest(_token(value)))
                if caller is not None:
                    return caller
        if presented:
            raise Unauthenticated("the key is not one of this gateway's; a provider's own key does not work here")
        raise Unauthenticated("no key was sent; send one as `Authorization: Bearer KEY` or `x-api-key: KEY`")


def _token(value: bytes) -> bytes:
    return value[7:].strip() if value[:7].lower() == b"bearer " else value.strip()
