"""Tokens that say nothing by themselves: the server that issued them is asked what they are (OAuth 2.0 introspection).

https://www.rfc-editor.org/rfc/rfc7662
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from headgate.core.errors import IdentityUnavailable, KeyExpired, Unauthenticated
from headgate.core.ports import Upstream
from headgate.identity.asking import SOON, BadJSON, Method, ask, client_fields, client_headers, endpoint, read_object
from headgate.identity.jwt import LONGEST, moment, refuse
from headgate.identity.mapping import Rule, Rules
from headgate.identity.verified import Verified, Verifier

AT_ONCE = 64
"""Questions that are under way at the same time: whoever sends invented tokens has no more of them asked."""
_TOKEN = re.compile(rb"[A-Za-z0-9._~+/-]+=*")
"""https://www.rfc-editor.org/rfc/rfc6750#section-2.1"""

log = logging.getLogger("headgate.identity")


@dataclass(slots=True, frozen=True)
class Settings:
    """Who is asked, and what has to be so. Raises ValueError for an address that is none."""

    url: str
    client_id: str
    client_secret: str = field(repr=False)
    method: Method = "client_secret_basic"
    audiences: Sequence[str] = ()
    """A token has to be meant for one of them; (): for whomever."""
    scopes: Sequence[str] = ()
    """A token has to have all of them."""
    issuer: str | None = None
    """What the answer has to name as `iss`."""
    leeway: float = 60.0
    remember: float = 60.0
    """Seconds for which an answer counts, and so for which a token that is taken back may still be used."""
    wait: float = 3.0
    """Seconds that an answer may take."""
    rules: Rules = field(default_factory=Rules)

    def __post_init__(self) -> None:
        if isinstance(self.audiences, str) or isinstance(self.scopes, str):
            raise TypeError("audiences and scopes are lists")
        endpoint("POST", self.url, {}, self.wait)


class Introspection(Verifier):
    """One authorization server. Times are in Unix seconds."""

    def __init__(self, settings: Settings, upstream: Upstream) -> None:
        super().__init__(settings.remember, settings.leeway)
        self.settings = settings
        self._upstream = upstream
        headers = {"content-type": "application/x-www-form-urlencoded"}
        headers |= client_headers(settings.client_id, settings.client_secret, settings.method)
        self._endpoint = endpoint("POST", settings.url, headers, settings.wait)
        self._fields = client_fields(settings.client_id, settings.client_secret, settings.method)
        self._whose = f"the server at {self._endpoint.origin.host} that knows this token"
        self._under_way: dict[bytes, asyncio.Task[Verified]] = {}

    async def _find(self, key: bytes, token: bytes, now: float) -> Verified:
        if len(token) > LONGEST or not _TOKEN.fullmatch(token):
            refuse("it has not the form of one")
        task = self._under_way.get(key)
        if task is None:
            if len(self._under_way) >= AT_ONCE:
                raise IdentityUnavailable("too many tokens are being asked about; try again", retry_after=SOON)
            task = asyncio.get_running_loop().create_task(self._verify(key, token, now))
            self._under_way[key] = task
            task.add_done_callback(lambda done: self._finished(key, done))
        return await asyncio.shield(task)  # who gives up does not take the answer from the others

    async def close(self) -> None:
        for task in (tasks := list(self._under_way.values())):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _finished(self, key: bytes, task: asyncio.Task[Verified]) -> None:
        del self._under_way[key]
        error = None if task.cancelled() else task.exception()
        if isinstance(error, IdentityUnavailable):
            log.warning("%s", error.message)

    async def _verify(self, key: bytes, token: bytes, now: float) -> Verified:
        claims = await self._ask(token)
        until = self._check(claims, now)
        return self._remember(key, Verified(claims, self.settings.rules.read(claims), until), now)

    async def _ask(self, token: bytes) -> Mapping[str, Any]:
        """The answer about an active token. What goes wrong with the question says nothing of the token."""
        form = urlencode({"token": token.decode("ascii"), "token_type_hint": "access_token", **self._fields})
        status, body = await ask(self._upstream, self._endpoint, form.encode(), self._whose)
        if status != 200:
            raise IdentityUnavailable(f"{self._whose} answered {status}", retry_after=SOON)
        try:
            answer = read_object(body)
        except BadJSON as error:
            raise IdentityUnavailable(f"{self._whose} answered what is none: {error}", retry_after=SOON) from None
        active = answer.get("active")
        if active is False:
            refuse("it does not count, or no more")
        if active is not True:
            raise IdentityUnavailable(f"{self._whose} does not say whether it is active", retry_after=SOON)
        return answer

    def _check(self, claims: Mapping[str, Any], now: float) -> float:
        settings = self.settings
        if settings.issuer is not None and claims.get("iss") != settings.issuer:
            refuse("it is of another issuer")
        meant = claims.get("aud")
        meant = [meant] if isinstance(meant, str) else meant if isinstance(meant, list) else []
        if settings.audiences and not any(audience in meant for audience in settings.audiences):
            refuse("it is meant for another audience (`aud`)")
        held = Rule("scope").values(claims)
        if missing := [scope for scope in settings.scopes if scope not in held]:
            raise Unauthenticated(f"the token is not taken: it does not have the scope {missing[0]!r}")
        if "cnf" in claims or str(claims.get("token_type", "")).lower() not in ("", "bearer", "access_token"):
            refuse("it is bound to a key of its holder's, which a bearer does not prove to have")
        begin, until = moment(claims, "nbf"), moment(claims, "exp")
        if begin is not None and begin > now + settings.leeway:
            refuse("it does not hold yet (`nbf`)")
        if until is None:
            return now + settings.remember
        if now >= until + settings.leeway:
            raise KeyExpired("the token has ended; ask its issuer for a new one")
        return until
