"""Sends a person to an OpenID provider to log in, and takes them back: the authorization code flow, with PKCE.

https://openid.net/specs/openid-connect-core-1_0.html#CodeFlowAuth, https://www.rfc-editor.org/rfc/rfc7636
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn
from urllib.parse import urlencode

from headgate.core.errors import IdentityUnavailable, Unauthenticated
from headgate.core.ports import Upstream
from headgate.identity.asking import BadJSON, Method, ask, client_fields, client_headers, endpoint, read_object, secure
from headgate.identity.jwt import Issuer, refuse
from headgate.identity.jwt import Settings as IssuerSettings
from headgate.identity.mapping import Rules
from headgate.identity.verified import Verified

PATIENCE = 600.0
"""Seconds from the way out to the way back."""
WAIT = 10.0
"""Seconds that an answer of the provider may take."""
LONGEST = 4096
"""Characters of what comes back."""


@dataclass(slots=True, frozen=True)
class Settings:
    """What the provider knows this gateway by."""

    issuer: str
    client_id: str
    redirect_url: str
    client_secret: str | None = field(default=None, repr=False)
    """None: a public client, which proves nothing but PKCE."""
    method: Method = "client_secret_basic"
    """How the secret is sent."""
    scopes: Sequence[str] = ("openid", "profile", "email")
    algorithms: Sequence[str] = ("RS256", "ES256", "EdDSA", "Ed25519")
    leeway: float = 60.0
    userinfo: bool = False
    """Ask the provider for more claims than its token holds."""
    rules: Rules = field(default_factory=Rules)


class Begun(NamedTuple):
    """A login under way. `url` is where the person is sent; the rest stays here, bound to their browser."""

    url: str
    state: str
    nonce: str
    verifier: str
    since: float
    """Unix seconds."""


class Login:
    """One provider. Times are in Unix seconds; `clock` is monotonic."""

    def __init__(self, settings: Settings, upstream: Upstream, clock: Callable[[], float] = time.monotonic) -> None:
        self.settings = settings
        self._upstream = upstream
        self.issuer = Issuer(
            IssuerSettings(
                settings.issuer,
                [settings.client_id],
                algorithms=settings.algorithms,
                types=("jwt",),
                leeway=settings.leeway,
                remember=0.0,
                rules=settings.rules,
            ),
            upstream,
            clock,
        )

    async def begin(self, now: float) -> Begun:
        """Raises IdentityUnavailable."""
        address = await self._address("authorization_endpoint")
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        challenge = urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = urlencode(
            {
                "response_type": "code",
                "client_id": self.settings.client_id,
                "redirect_uri": self.settings.redirect_url,
                "scope": " ".join(dict.fromkeys(["openid", *self.settings.scopes])),
                "state": state,
                "nonce": nonce,
                "code_challenge": challenge,
                "code_challenge_method": "S256",
            }
        )
        return Begun(f"{address}{'&' if '?' in address else '?'}{query}", state, nonce, verifier, now)

    async def finish(self, begun: Begun, returned: Mapping[str, str], now: float) -> Verified:
        """Who came back. `returned` is the query they came with; `begun` counts once: forget it before this is called.

        Raises Unauthenticated or IdentityUnavailable.
        """
        if not _same(returned.get("state"), begun.state):
            _no("it is not the login that was begun in this browser (`state`)")
        if not begun.since <= now < begun.since + PATIENCE:
            _no("it took too long; begin again")
        await self._check_sender(returned)
        code = returned.get("code")
        if not code or len(code) > LONGEST:
            _no("the provider gave no code")
        answer = await self._exchange(code, begun.verifier)
        token = answer.get("id_token")
        if not isinstance(token, str) or not token.isascii():
            _no("the provider gave no ID token")
        verified = await self.issuer.verify(token.encode(), now)
        self._check_claims(verified.claims, begun)
        return await self._with_more(verified, answer) if self.settings.userinfo else verified

    async def close(self) -> None:
        await self.issuer.close()

    async def _check_sender(self, returned: Mapping[str, str]) -> None:
        """That this provider sent them back (https://www.rfc-editor.org/rfc/rfc9207), and not with an error."""
        metadata = await self.issuer.published.describe()
        sender = returned.get("iss")
        if sender is None and metadata.get("authorization_response_iss_parameter_supported") is True:
            _no("the provider does not say that it is who sent you back (`iss`)")
        if sender is not None and sender != self.settings.issuer:
            _no("another provider sent you back (`iss`)")
        error = returned.get("error")
        if error is not None:
            _no(f"the provider says {error[:80]!a}")

    async def _exchange(self, code: str, verifier: str) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.settings.redirect_url,
            "code_verifier": verifier,
        }
        address = await self._address("token_endpoint")
        status, answer = await self._ask(address, form)
        error = answer.get("error")
        if status == 200 and error is None:
            return answer
        if status == 400 and error == "invalid_grant":
            _no("the provider does not know the code, or has taken it before")
        said = f", {error[:80]!a}" if isinstance(error, str) else ""
        raise IdentityUnavailable(f"the provider {self.settings.issuer} gives no token: it answered {status}{said}")

    async def _ask(self, address: str, form: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        headers = {"content-type": "application/x-www-form-urlencoded"}
        headers |= client_headers(self.settings.client_id, self.settings.client_secret, self.settings.method)
        form = {**form, **client_fields(self.settings.client_id, self.settings.client_secret, self.settings.method)}
        to = endpoint("POST", address, headers, WAIT)
        status, body = await ask(self._upstream, to, urlencode(form).encode(), f"the provider {self.settings.issuer}")
        try:
            return status, read_object(body)
        except BadJSON as error:
            raise IdentityUnavailable(
                f"the provider {self.settings.issuer} gives no token: it answered {status}, and of that {error}"
            ) from None

    def _check_claims(self, claims: Mapping[str, Any], begun: Begun) -> None:
        nonce = claims.get("nonce")
        if not isinstance(nonce, str) or not _same(nonce, begun.nonce):
            refuse("it was made for another login (`nonce`)")
        party = claims.get("azp")
        several = isinstance(claims.get("aud"), list) and len(claims["aud"]) > 1
        if (party is not None or several) and party != self.settings.client_id:
            refuse("it was made for another client (`azp`)")

    async def _with_more(self, verified: Verified, answer: Mapping[str, Any]) -> Verified:
        """https://openid.net/specs/openid-connect-core-1_0.html#UserInfo; what the signed token says comes first."""
        token = answer.get("access_token")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            _no("the provider gave no access token")
        to = endpoint("GET", await self._address("userinfo_endpoint"), {"authorization": f"Bearer {token}"}, WAIT)
        whose = f"the provider {self.settings.issuer}"
        status, body = await ask(self._upstream, to, b"", whose)
        try:
            more = read_object(body) if status == 200 else None
        except BadJSON:
            more = None
        if more is None:
            raise IdentityUnavailable(f"{whose} says nothing about who logged in: it answered {status}")
        if more.get("sub") != verified.claims.get("sub"):  # else somebody else's claims could be put in their place
            _no("the provider tells of somebody else than who logged in (`sub`)")
        claims = {**more, **verified.claims}
        return Verified(claims, self.settings.rules.read(claims), verified.until)

    async def _address(self, name: str) -> str:
        address = (await self.issuer.published.describe()).get(name)
        if not isinstance(address, str) or not secure(address, self.settings.issuer):
            raise IdentityUnavailable(
                f"the provider {self.settings.issuer} names no {name}, or one that is less protected than its address"
            )
        return address


def _same(given: str | None, expected: str) -> bool:
    return given is not None and hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())


def _no(why: str) -> NoReturn:
    raise Unauthenticated(f"the login is not taken: {why}")
