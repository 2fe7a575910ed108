"""The endpoints by which people log in and out, see who is logged in, and set what they log in with."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

from pydantic import Field, SecretStr
from pydantic.config import JsonDict

from headgate.admin import access
from headgate.admin.access import RULERS, Who
from headgate.admin.call import LONGEST_PAGE, PAGE, Answer, Body, Call, Headers, number, read, time_told
from headgate.admin.control import Wanted
from headgate.admin.logins import Given, proof
from headgate.admin.problems import Problem, missing
from headgate.admin.visit import SESSION, token_of
from headgate.config.identities import User
from headgate.config.section import Section
from headgate.identity import second_factor
from headgate.store.sealing import KeyAway, Unsealable
from headgate.store.sessions import Login, Session

GATEWAY = "Headgate"
"""What an authenticator app calls it."""
PATIENCE = 600.0
"""Seconds in which a second factor is confirmed once it was begun."""
HIDDEN: JsonDict = {"format": "password"}


class LogIn(Section):
    """Who wants in, by what."""

    name: str = Field(description="The name of a user.")
    password: SecretStr = Field(description="Its password.", json_schema_extra=HIDDEN)
    code: SecretStr | None = Field(None, description="The one-time code, of who has a second factor.")


class Password(Section):
    """A new password."""

    password: SecretStr | None = Field(
        description="The new one, of 12 characters or more; `null`: none, so that the user logs in no more.",
        json_schema_extra=HIDDEN,
    )
    current: SecretStr | None = Field(
        None, description="The one of before, where it is one's own.", json_schema_extra=HIDDEN
    )


class SecondFactor(Section):
    """A second factor, begun (without `token`) or confirmed (with it and a code)."""

    current: SecretStr | None = Field(
        None, description="The password, to begin, where it is one's own.", json_schema_extra=HIDDEN
    )
    token: SecretStr | None = Field(None, description="What the beginning was answered with.")
    code: SecretStr | None = Field(None, description="A one-time code of the app.")


async def ways(call: Call) -> Answer:
    """For a page that asks for name and password, or leads elsewhere."""
    return 200, {"ways": call.control.logins.ways()}


async def log_in(call: Call) -> Answer:
    """The session is in a cookie; what is told is the token that changes have to bring beside it."""
    asked = read(LogIn, call.body)
    if call.visit.foreign():
        raise Problem(403, "cross_site", "a page of another site had the browser make this call")
    logins, now = call.control.logins, time.time()
    code = asked.code.get_secret_value() if asked.code is not None else None
    given = Given(asked.name, asked.password.get_secret_value(), code)
    try:
        login = await logins.check(given, call.visit.address, now)
    except Problem as problem:
        if problem.code == "wrong_credentials":
            await logins.note_failure(asked.name, "wrong name, password or code", call.actor)
        raise
    body, headers = await begun(call, login, now)
    return 200, body, headers


async def begun(call: Call, login: Login, now: float) -> tuple[Body, Headers]:
    """A session for somebody who was let in."""
    logins = call.control.logins
    secret, session = await logins.begin(login, call.visit, now)
    actor = call.actor._replace(name=logins.who(session).name)
    await logins.note("login", login.name, actor, session=session.id, way=login.way)
    body = {**who_told(logins.who(session)), "session": told(session), "csrf": token_of(secret)}
    return body, [call.visit.set_cookie(SESSION, secret, logins.bounds.lasts)]


async def log_out(call: Call) -> Answer:
    if call.session is None:
        raise Problem(400, "no_session", "you bring a key, and have no session; a key is revoked, or disabled")
    await (await call.control.logins.sessions()).end(call.session.id)
    await call.control.logins.note("logout", call.session.name, call.actor, session=call.session.id)
    return 204, None, [call.visit.forget_cookie(SESSION)]


async def list_sessions(call: Call) -> Answer:
    """One's own; of all, where owners and admins ask. The latest first."""
    limit, who = number(call, "limit", PAGE, LONGEST_PAGE), call.who
    wanted = call.query.get("user")
    if set(call.query) - {"limit", "user"}:
        raise Problem(400, "invalid_query", "sessions are listed by `user`, and by nothing else")
    if who.role not in RULERS:
        own = _name(call)
        if own is None or wanted not in (None, own):
            return 200, {"items": []}
        wanted = own
    if not call.control.has_store():
        return 200, {"items": []}
    logins = call.control.logins
    found = await (await logins.sessions()).all(wanted, time.time(), logins.bounds, limit)
    return 200, {"items": [{**told(each), "own": _own(call, each)} for each in found]}


async def end_session(call: Call) -> Answer:
    logins, who = call.control.logins, call.who
    there = call.control.has_store()
    found = await (await logins.sessions()).get(call.name, time.time(), logins.bounds) if there else None
    own = found is not None and found.name == _name(call)
    if found is None or not (own or who.role in RULERS):
        raise missing("sessions", call.name)
    role = logins.who(found).role
    if not own and who.role != "owner" and role in RULERS:
        raise Problem(403, "forbidden", f"the sessions of a user with the role {role} are ended by an owner")
    await (await logins.sessions()).end(found.id)
    await logins.note("session_ended", found.name, call.actor, session=found.id)
    headers = [call.visit.forget_cookie(SESSION)] if _own(call, found) else []
    return 204, None, headers


async def set_password(call: Call) -> Answer:
    """All sessions of the user end."""
    asked = read(Password, call.body)
    user = await _user(call)
    await _allowed(call, user, asked.current)
    hashed = None
    if asked.password is not None:
        hashed = await call.control.logins.hash(asked.password.get_secret_value())
    await _set(call, "password_hash", hashed, "password")
    return 204, None


async def set_second_factor(call: Call) -> Answer:
    """Begun without `token`: the answer holds what the app reads, this once. Confirmed with it and a code of the app's:
    from then on nobody logs in as this user without one, and all its sessions end."""
    asked = read(SecondFactor, call.body)
    user = await _user(call)
    seal, place = call.control.seal(), f"users/{call.name}/totp"
    if asked.token is None:
        await _allowed(call, user, asked.current, first=False)
        secret = second_factor.new_secret()
        kept = {"secret": secret, "by": call.who.name, "proof": proof(user), "until": time.time() + PATIENCE}
        url = second_factor.address(secret, call.name, GATEWAY)
        return 200, {"url": url, "token": await asyncio.to_thread(seal.seal, json.dumps(kept), f"{place}/begun")}
    begun = await asyncio.to_thread(_begun, call, asked.token.get_secret_value(), f"{place}/begun")
    if begun is None or begun["proof"] != proof(user) or begun["by"] != call.who.name or time.time() >= begun["until"]:
        raise Problem(422, "invalid", "token: it is none of a second factor that was begun here just now; begin anew")
    code = asked.code.get_secret_value() if asked.code is not None else ""
    if not await call.control.logins.spend(call.name, begun["secret"], code, time.time()):
        raise Problem(422, "invalid", "code: it is not the one that the app shows now, or was used already")
    await _set(call, "totp", await asyncio.to_thread(seal.seal, begun["secret"], place), "second_factor")
    return 204, None


async def take_second_factor(call: Call) -> Answer:
    """Of somebody who has lost it: by an owner or admin, who knows that it is he who asks."""
    user = await _user(call)
    if call.name == call.who.user:
        raise Problem(403, "forbidden", "one's own second factor is taken away by another owner or admin")
    await _allowed(call, user, None)
    await _set(call, "totp", None, "second_factor")
    return 204, None


def who_told(who: Who) -> Body:
    return {"name": who.name, "role": who.role, "user": who.user, "teams": sorted(who.teams)}


def told(session: Session) -> Body:
    return {
        "id": session.id, "user": session.name, "way": session.way, "created": time_told(session.created),
        "seen": time_told(session.seen), "expires": time_told(session.expires), "address": session.address,
        "agent": session.agent,
    }  # fmt: skip


def _name(call: Call) -> str | None:
    """Whose sessions are one's own."""
    return call.session.name if call.session is not None else call.who.user


def _own(call: Call, session: Session) -> bool:
    """Whether it is the one that the call is made in."""
    return call.session is not None and call.session.id == session.id


async def _user(call: Call) -> User:
    """Whom it is about, where he may be seen, and does not stand in the file. Raises Problem."""
    await call.control.entry(call.who, "users", call.name)
    call.control.writable("users", call.name)
    user = call.control.logins.user(call.name)
    if user is None:
        raise missing("users", call.name)
    return user


async def _allowed(call: Call, user: User, current: SecretStr | None, *, first: bool = True) -> None:
    """Whoever sets what a user logs in with can log in as that user. `first`: it may be the first that it has. Raises
    Problem."""
    who, logins = call.who, call.control.logins
    reason = access.why_not_login(who, call.control.people, call.name, user, first=first)
    if reason is not None:
        raise Problem(403, "forbidden", reason)
    by_directory = call.session is not None and call.session.way == "ldap"
    if call.name == who.user and (user.password_hash is not None or by_directory):
        if current is None:
            raise Problem(422, "invalid", "current: your password of today is needed")
        await logins.confirm(call.name, current.get_secret_value(), call.visit.address)


async def _set(call: Call, field: str, value: str | None, called: str) -> None:
    """What somebody logs in with, in its place; his sessions end. That the caller may was seen before, of the user as
    this process knew him: another may have made an owner of him meanwhile."""

    def made(before: Body | None) -> Body:
        user = User.model_validate(before or {})
        reason = access.why_not_login(call.who, call.control.people, call.name, user, first=field == "password_hash")
        if reason is not None:
            raise Problem(403, "forbidden", reason)
        kept = {name: inner for name, inner in (before or {}).items() if name != field}
        return kept if value is None else {**kept, field: value}

    wanted = Wanted("replace", "users", call.name, made, call.version, called)
    await call.control.change(access.OWNER, [wanted], call.actor)
    await (await call.control.logins.sessions()).end_of(call.name)


def _begun(call: Call, token: str, place: str) -> dict[str, Any] | None:
    try:
        found = json.loads(call.control.seal().open(token, place))
    except KeyAway:
        raise
    except Unsealable:
        return None
    return found if isinstance(found, dict) else None
