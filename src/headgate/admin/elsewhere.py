"""The endpoints by which people are sent to an OpenID provider to log in, and come back."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from typing import NamedTuple

from headgate.admin.call import Answer, Body, Call, Headers
from headgate.admin.logging_in import begun
from headgate.admin.problems import Problem, refused
from headgate.core.errors import GatewayError, IdentityUnavailable
from headgate.identity.login import PATIENCE, Begun
from headgate.store.sealing import KeyAway, Unsealable

log = logging.getLogger("headgate.admin")

UNDER_WAY = "headgate-login"
"""The cookie of a login that was begun in this browser."""
PLACE = "login/oidc"
"""What its seal is bound to."""
LOCAL = re.compile(r"/(?![/\\])[!-\[\]-~]{0,500}\Z")
"""A path of this host: what begins with two slashes, or holds a backslash, browsers take for another's."""


class Kept(NamedTuple):
    """What stays in the browser, sealed."""

    begun: Begun
    next: str | None


async def leave(call: Call) -> Answer:
    """To the provider; `next` says to which page of this host to come back."""
    there = call.query.get("next")
    if there is not None and LOCAL.match(there) is None:
        raise Problem(400, "invalid_query", "`next` is a path of this host, such as /admin/api/me")
    provider = await call.control.logins.openid()
    try:
        begun = await provider.begin(time.time())
    except GatewayError as error:
        raise refused(error) from None
    # in a thread: a service that keeps the key of secrets may have to be asked
    kept = await asyncio.to_thread(call.control.seal().seal, json.dumps([*begun[1:], there]), PLACE)
    # it comes along when another site sends the browser back, which a cookie for this site alone does not
    return 303, None, [("location", begun.url), call.visit.set_cookie(UNDER_WAY, kept, PATIENCE, "Lax")]


async def come_back(call: Call) -> Answer:
    """From the provider, logged in, or not; nothing of what came along is told again. Who came without `next` is told
    who he is, as by `POST /login`."""
    forget = call.visit.forget_cookie(UNDER_WAY)  # it counts once
    try:
        there, body, headers = await _logged_in(call)
    except Problem as problem:
        problem.headers[forget[0]] = forget[1]
        raise
    if there is None:
        return 200, body, [*headers, forget]
    return 303, None, [("location", there), *headers, forget]


async def _logged_in(call: Call) -> tuple[str | None, Body, Headers]:
    logins, now = call.control.logins, time.time()
    provider = await logins.openid()
    kept = await asyncio.to_thread(_kept, call)
    if kept is None:
        raise Problem(401, "login_failed", "no login was begun in this browser a short time ago; begin it anew")
    try:
        verified = await provider.finish(kept.begun, call.query, now)
        claims = verified.claims
        email = verified.mapped.email if claims.get("email_verified") in (True, "true") else None
        login = logins.vouched("oidc", provider.settings.rules, claims, email)
    except IdentityUnavailable as error:
        raise refused(error) from None
    except GatewayError as error:
        log.info("a login at the OpenID provider failed: %s", error.message)
        await logins.note_failure("", "not vouched for by the OpenID provider", call.actor)
        raise Problem(401, "login_failed", "the login was not completed at the provider; begin it anew") from None
    return kept.next, *await begun(call, login, now)


def _kept(call: Call) -> Kept | None:
    sealed = call.visit.cookie(UNDER_WAY)
    try:
        state, nonce, verifier, since, there = json.loads(call.control.seal().open(sealed or "", PLACE))
    except KeyAway:
        raise
    except Unsealable:
        return None
    return Kept(Begun("", state, nonce, verifier, since), there)
