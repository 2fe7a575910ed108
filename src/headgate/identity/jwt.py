"""Tokens that an issuer has signed (JWT): whose they are, once signature, issuer, audience and times have been checked.

https://www.rfc-editor.org/rfc/rfc7519, and https://www.rfc-editor.org/rfc/rfc8725 for what is refused.
"""

from __future__ import annotations

import re
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

from headgate.core.errors import KeyExpired, Unauthenticated
from headgate.core.ports import Upstream
from headgate.identity.asking import BadJSON, read_object
from headgate.identity.mapping import Rules
from headgate.identity.published import Published
from headgate.identity.verified import Verified, Verifier

if TYPE_CHECKING:
    from joserfc.jwk import Key

ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519", "Ed448"}
)
"""Those of public keys. With one of a shared secret (HS256), a public key would be the secret."""
LONGEST = 16 * 1024
"""Bytes of a token."""
LONGEST_ID = 256
"""Characters of a key's id."""
_TOKEN = re.compile(rb"([\w-]+)\.([\w-]+)\.([\w-]+)", re.ASCII)


@dataclass(slots=True, frozen=True)
class Settings:
    """What is believed of one issuer. Raises ValueError for what would believe anything."""

    issuer: str
    """Its `iss`, letter for letter."""
    audiences: Sequence[str]
    """A token has to be meant for one of them."""
    algorithms: Sequence[str] = ("RS256", "ES256", "EdDSA", "Ed25519")
    types: Sequence[str] = ("jwt", "at+jwt")
    """In its `typ`, where it has one: others (of logouts, of proofs) are signed with the same keys."""
    keys_url: str | None = None
    """Where its keys are, if it has no discovery document."""
    leeway: float = 60.0
    """Seconds by which clocks may differ."""
    remember: float = 60.0
    """Seconds for which a token that has been verified is not verified again."""
    fresh: float = 600.0
    stale: float = 86_400.0
    rules: Rules = field(default_factory=Rules)

    def __post_init__(self) -> None:
        if not self.issuer or not self.audiences:
            raise ValueError("an issuer has a name, and tokens for at least one audience")
        if isinstance(self.audiences, str) or isinstance(self.algorithms, str) or isinstance(self.types, str):
            raise TypeError("audiences, algorithms and types are lists")
        if bad := sorted(set(self.algorithms) - ALGORITHMS):
            raise ValueError(
                f"the algorithm {bad[0]!r} is none of those of public keys: {', '.join(sorted(ALGORITHMS))}"
            )


class Token(NamedTuple):
    """What a token says, before anything of it is believed."""

    signed: bytes
    signature: bytes
    header: Mapping[str, Any]
    claims: Mapping[str, Any]


class Issuer(Verifier):
    """Verifies the tokens of one issuer. Times are in Unix seconds; `clock` is monotonic."""

    def __init__(self, settings: Settings, upstream: Upstream, clock: Callable[[], float] = time.monotonic) -> None:
        from joserfc.jws import JWSRegistry

        super().__init__(settings.remember, settings.leeway)
        self.settings = settings
        self.published = Published(
            settings.issuer,
            upstream,
            keys_url=settings.keys_url,
            fresh=settings.fresh,
            stale=settings.stale,
            clock=clock,
        )
        self.published.told = self.forget
        self._algorithms = {name: JWSRegistry.algorithms[name] for name in settings.algorithms}
        self._audiences = frozenset(settings.audiences)

    async def _find(self, key: bytes, token: bytes, now: float) -> Verified:
        read = parse(token)
        self._check_header(read.header)
        if read.claims.get("iss") != self.settings.issuer:
            refuse("it is of another issuer")
        await self._check_signature(read)
        until = self._check_claims(read.claims, now)
        return self._remember(key, Verified(read.claims, self.settings.rules.read(read.claims), until), now)

    def forget(self) -> None:
        """What has been verified is verified again: with keys that may have been taken back."""
        self._remembered.clear()

    async def close(self) -> None:
        await self.published.close()

    def _check_header(self, header: Mapping[str, Any]) -> None:
        """Keys in it, and addresses of keys (`jwk`, `jku`, `x5u`, `x5c`), are the sender's own: they are not read."""
        algorithm = header.get("alg")
        if not isinstance(algorithm, str) or algorithm not in self._algorithms:
            refuse(f"its algorithm is not one of {', '.join(self._algorithms)}")
        if "crit" in header or "b64" in header:
            refuse("its header asks for what is not understood here (`crit`, `b64`)")
        kind = header.get("typ", "jwt")
        if not isinstance(kind, str) or kind.lower().removeprefix("application/") not in self.settings.types:
            refuse("its type (`typ`) is not that of a token for this")
        kid = header.get("kid")
        if kid is not None and (not isinstance(kid, str) or len(kid) > LONGEST_ID):
            refuse("the id of its key (`kid`) is none")

    async def _check_signature(self, token: Token) -> None:
        kid, name = token.header.get("kid"), token.header["alg"]
        keys = await self.published.find(kid)
        if not keys:
            refuse("it is signed with a key that its issuer does not publish")
        if not self._signed_with(keys, name, token):
            refuse("its signature is not right")

    def _signed_with(self, keys: Iterable[Key], name: str, token: Token) -> bool:
        from joserfc.errors import JoseError

        algorithm = self._algorithms[name]
        for key in keys:
            try:
                key.check_alg(name)
                algorithm.check_key(key)
                if algorithm.verify(token.signed, token.signature, key):
                    return True
            except JoseError:
                continue  # the key is for something else
        return False

    def _check_claims(self, claims: Mapping[str, Any], now: float) -> float:
        leeway = self.settings.leeway
        meant = claims.get("aud")
        meant = [meant] if isinstance(meant, str) else meant
        if not isinstance(meant, list) or not any(isinstance(each, str) and each in self._audiences for each in meant):
            refuse("it is meant for another audience (`aud`)")
        until = moment(claims, "exp")
        if until is None:
            refuse("it does not say when it ends (`exp`)")
        if now >= until + leeway:
            when = datetime.fromtimestamp(until, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
            raise KeyExpired(f"the token ended at {when}; ask its issuer for a new one")
        for name in ("nbf", "iat"):
            begin = moment(claims, name)
            if begin is not None and begin > now + leeway:
                refuse(f"it does not hold yet (`{name}`)")
        if "cnf" in claims:
            refuse("it is bound to a key of its holder's (`cnf`), which a bearer does not prove to have")
        return until


def parse(token: bytes) -> Token:
    """Raises Unauthenticated for what is no token, or one that two readers could understand differently."""
    if len(token) > LONGEST:
        refuse(f"it is longer than {LONGEST} bytes")
    parts = _TOKEN.fullmatch(token)
    if parts is None:
        refuse("it has not the form of one: three parts in base64url, with dots between")
    header, claims, signature = (decoded(part) for part in parts.groups())
    try:
        return Token(token[: parts.start(3) - 1], signature, read_object(header), read_object(claims))
    except BadJSON as error:
        refuse(f"what is in it cannot be read: {error}")


def decoded(part: bytes) -> bytes:
    """Base64url in the only way it can be written: no padding, no bits to spare."""
    try:
        found = urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    except ValueError:
        refuse("it is no base64url")
    spare = {2: 4, 3: 2}.get(len(part) % 4, 0)
    if spare and _VALUES.index(part[-1]) & ((1 << spare) - 1):
        refuse("it is no base64url")
    return found


_VALUES = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def issuer_of(token: bytes) -> str | None:
    """Who says to have signed it, not believed yet: to find the issuer to verify it with. None: it is no token."""
    try:
        issuer = parse(token).claims.get("iss")
    except Unauthenticated:
        return None
    return issuer if isinstance(issuer, str) else None


def moment(claims: Mapping[str, Any], name: str) -> float | None:
    """A time in Unix seconds. Raises Unauthenticated for one that is none."""
    value = claims.get(name)
    if name not in claims:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11 or not isfinite(value):
        refuse(f"its `{name}` is no time")
    return float(value)


def refuse(why: str) -> NoReturn:
    raise Unauthenticated(f"the token is not taken: {why}")
