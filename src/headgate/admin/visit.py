"""What a call says of the browser that makes it: its cookies, and whether a page of this gateway made it do so.

https://datatracker.ietf.org/doc/html/draft-ietf-httpbis-rfc6265bis (`__Host-`, SameSite), https://www.w3.org/TR/fetch-metadata/
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import NamedTuple

SESSION = "headgate"
PREFIX = "__Host-"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Visit(NamedTuple):
    """`here`: scheme and host by which the client reaches the gateway."""

    here: str
    address: str | None
    cookies: Mapping[str, str]
    agent: str = ""
    token: str | None = None
    """Of `x-csrf-token`."""
    origin: str | None = None
    site: str | None = None
    """Of `sec-fetch-site`, which a browser sets itself and no page can."""

    @property
    def encrypted(self) -> bool:
        return self.here.startswith("https://")

    def cookie(self, name: str) -> str | None:
        """One of ours; over HTTPS only one that no other host and no plain connection can have set."""
        return self.cookies.get(PREFIX + name if self.encrypted else name)

    def foreign(self) -> bool | None:
        """Whether a page from elsewhere had the browser make the call; None: no browser says so."""
        if self.site is not None:
            return self.site != "same-origin"
        return None if self.origin is None else self.origin.lower() != self.here.lower()

    def set_cookie(self, name: str, value: str, seconds: float, same_site: str = "Strict") -> tuple[str, str]:
        """A header. Scripts of a page cannot read it, and it goes to no other host."""
        named = (PREFIX if self.encrypted else "") + name
        secure = "; Secure" if self.encrypted else ""
        told = f"{named}={value}; Max-Age={int(seconds)}; Path=/; HttpOnly; SameSite={same_site}{secure}"
        return "set-cookie", told

    def forget_cookie(self, name: str) -> tuple[str, str]:
        return self.set_cookie(name, "", 0)


def token_of(secret: str) -> str:
    """What calls of a session that change something bring beside its cookie: it tells nothing of the secret."""
    return hmac.digest(secret.encode("utf-8", "replace"), b"csrf", hashlib.sha256).hex()


def same_token(given: str | None, secret: str) -> bool:
    return given is not None and hmac.compare_digest(given.encode("utf-8", "replace"), token_of(secret).encode())
