"""The keys that an issuer of tokens publishes: found by its discovery document, kept, and renewed beside the requests.

https://openid.net/specs/openid-connect-discovery-1_0.html, https://www.rfc-editor.org/rfc/rfc7517
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from math import inf
from typing import TYPE_CHECKING, Any

from headgate.core.errors import IdentityUnavailable
from headgate.core.ports import Upstream
from headgate.identity.asking import SOON, ask, endpoint, read_object, secure

if TYPE_CHECKING:
    from joserfc.jwk import Key

DISCOVERY = "/.well-known/openid-configuration"
MOST_KEYS = 100
LEAST_RSA, MOST_RSA = 342, 1366
"""Characters of a modulus: 2048 bits and 8192."""
PUBLIC = frozenset({"kty", "kid", "use", "key_ops", "alg", "n", "e", "crv", "x", "y"})
CURVES = ("P-256", "P-384", "P-521", "Ed25519", "Ed448")
WAIT = 5.0
"""Seconds that one document may take."""

log = logging.getLogger("headgate.identity")


class Unusable(ValueError):
    """What an issuer published cannot be used."""


class Published:
    """One issuer's keys. Requests wait for them only while there are none, or when a token names one that is new.

    `keys_url`: where they are, for an issuer that has no discovery document. `fresh`: seconds after which they are
    fetched again, beside the requests. `stale`: seconds for which they are used while the issuer does not answer.
    `pause`: the least between two fetches, whatever tokens come. `clock`: monotonic seconds.
    """

    def __init__(
        self,
        issuer: str,
        upstream: Upstream,
        *,
        keys_url: str | None = None,
        fresh: float = 600.0,
        stale: float = 86_400.0,
        pause: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.issuer = issuer
        self.metadata: Mapping[str, Any] = {}
        """The discovery document."""
        self.keys: Mapping[str | None, tuple[Key, ...]] = {}
        """By their `kid`; those without one under None."""
        self.told: Callable[[], None] | None = None
        """Called when the keys have changed."""
        self._upstream = upstream
        self._keys_url = keys_url
        self._fresh, self._stale, self._pause = fresh, stale, pause
        self._clock = clock
        self._fetched = -inf
        self._tried = -inf
        self._failure: str | None = None
        self._documents: tuple[bytes, ...] = ()
        self._task: asyncio.Task[None] | None = None

    async def find(self, kid: str | None) -> Iterable[Key]:
        """The keys a token may be signed with: of its `kid`, or all. Raises IdentityUnavailable."""
        now = self._clock()
        age = now - self._fetched
        if age >= self._stale:
            await self._fetch(now)
            if self._clock() - self._fetched >= self._stale:
                raise self._away()
        elif age >= self._fresh and now - self._tried >= self._pause:
            self._begin()
        if kid is None:
            return [key for keys in self.keys.values() for key in keys]
        if kid not in self.keys:
            await self._fetch(now)
            if kid not in self.keys and self._failure is not None:
                raise self._away()  # it may be a new one: only the issuer knows
        return self.keys.get(kid, ())

    async def describe(self) -> Mapping[str, Any]:
        """The discovery document. Raises IdentityUnavailable."""
        if self._clock() - self._fetched >= self._stale:
            await self.find(None)
        return self.metadata

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def _away(self) -> IdentityUnavailable:
        why = self._failure or "it has not been asked yet"
        return IdentityUnavailable(f"the keys of the issuer {self.issuer} cannot be had: {why}", retry_after=SOON)

    async def _fetch(self, now: float) -> None:
        """Wait for the fetch that is under way, or for one that may begin."""
        if self._task is not None or now - self._tried >= self._pause:
            await asyncio.shield(self._begin())  # who gives up does not take it from the others

    def _begin(self) -> asyncio.Task[None]:
        if self._task is None:
            self._tried = self._clock()
            self._task = asyncio.get_running_loop().create_task(self._renew())
            self._task.add_done_callback(self._finished)
        return self._task

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._task = None
        if not task.cancelled() and task.exception() is not None:
            log.error("the keys of %s could not be read", self.issuer, exc_info=task.exception())

    async def _renew(self) -> None:
        try:
            metadata, documents = await self._documents_now()
            if documents != self._documents:
                self.keys = read_keys(read_object(documents[-1]))
                if not self.keys:  # which takes back all there were
                    log.warning("the issuer %s publishes no public key that signatures are made with", self.issuer)
                self.metadata, self._documents = metadata, documents
                if self.told is not None:
                    self.told()
        except (IdentityUnavailable, ValueError) as error:
            self._failure = str(error)
            log.warning("the keys of %s are not renewed: %s", self.issuer, error)
        else:
            self._fetched, self._failure = self._clock(), None

    async def _documents_now(self) -> tuple[Mapping[str, Any], tuple[bytes, ...]]:
        if self._keys_url is not None:
            return {}, (await self._get(self._keys_url),)
        first = await self._get(self.issuer.rstrip("/") + DISCOVERY)
        metadata = read_object(first)
        if metadata.get("issuer") != self.issuer:
            raise Unusable(f"its discovery document is of another issuer, {str(metadata.get('issuer'))[:200]!a}")
        url = metadata.get("jwks_uri")
        if not isinstance(url, str) or not secure(url, self.issuer):
            raise Unusable(
                "its discovery document names no address of keys, or one that is less protected than its own"
            )
        return metadata, (first, await self._get(url))

    async def _get(self, url: str) -> bytes:
        status, body = await ask(self._upstream, endpoint("GET", url, {}, WAIT), b"", "it")
        if status != 200:
            raise Unusable(f"{url[:200]} answered {status} (redirects are not followed)")
        return body


def read_keys(document: Mapping[str, Any]) -> dict[str | None, tuple[Key, ...]]:
    """The public keys of a set that signatures are made with; whatever else is in it is left out. Raises Unusable."""
    listed = document.get("keys")
    if not isinstance(listed, list):
        raise Unusable("its key set is none")
    found: dict[str | None, tuple[Key, ...]] = {}
    for each in listed[:MOST_KEYS]:
        key = read_key(each) if isinstance(each, dict) else None
        if key is not None:
            kid = each.get("kid")
            kid = kid if isinstance(kid, str) else None
            found[kid] = (*found.get(kid, ()), key)
    return found


def read_key(each: Mapping[str, Any]) -> Key | None:
    """None for a secret (it is in everybody's hands), a weak one, one that encrypts, or one that is not known."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from joserfc.errors import JoseError
    from joserfc.jwk import JWKRegistry

    each = {name: value for name, value in each.items() if name in PUBLIC}
    match each.get("kty"):
        case "RSA":
            modulus = each.get("n")
            if not isinstance(modulus, str) or not LEAST_RSA <= len(modulus) <= MOST_RSA:
                return None
        case "EC" | "OKP":
            if each.get("crv") not in CURVES:
                return None
        case _:
            return None
    try:
        key = JWKRegistry.import_key(each)
        key.check_use("sig")
        key.check_key_op("verify")
    except (JoseError, ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return key
