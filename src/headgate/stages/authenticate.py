"""Find out who asks, before anything else of the request is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from headgate.core.errors import Unauthenticated
from headgate.core.exchange import Caller, Exchange
from headgate.core.keys import digest
from headgate.core.reply import Reply
from headgate.stages.stage import Proceed

HEADERS = frozenset({b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key"})
SIGNED = b"AWS4-HMAC-SHA256 "
"""How the `authorization` of an Amazon SDK with AWS keys begins. To check it one must know the caller's secret key, and
of callers' keys only hashes are kept here."""


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
                if value.startswith(SIGNED):
                    raise Unauthenticated(
                        "the request is signed for Amazon, and such a signature says nothing to this gateway; send its "
                        "key as a bearer token: AWS_BEARER_TOKEN_BEDROCK=KEY in the environment of Amazon's SDKs"
                    )
        if presented:
            raise Unauthenticated("the key is not one of this gateway's; a provider's own key does not work here")
        raise Unauthenticated("no key was sent; send one as `Authorization: Bearer KEY` or `x-api-key: KEY`")


def _token(value: bytes) -> bytes:
    return value[7:].strip() if value[:7].lower() == b"bearer " else value.strip()
