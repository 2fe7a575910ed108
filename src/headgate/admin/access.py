"""Who may see and change what, by role. What one may not see is as if it were not there.

owner       everything
admin       everything, but for users whose role is owner or admin, and their keys
team_admin  what belongs to its teams: sees teams, users, applications, keys; changes applications and keys
member      its own keys
auditor     sees everything, changes nothing
billing     sees who there is and what limits there are

Of requests, a team_admin sees its teams' and its own, a member its own, all others everybody's; so with what was said,
of which billing sees nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from headgate.admin.secrets import address_of_provider, address_of_target
from headgate.config.identities import People, User
from headgate.config.secrets import is_reference
from headgate.config.sections import LOGINS
from headgate.core.caller import ADMIN_OPERATION, Belongs, Role
from headgate.store.sealing import is_sealed

ALL: frozenset[Role] = frozenset({"owner", "admin", "team_admin", "member", "auditor", "billing"})
NOBODY: frozenset[Role] = frozenset()
"""Of an endpoint for whoever has no role yet."""
OWNERS: frozenset[Role] = frozenset({"owner"})
RULERS: frozenset[Role] = frozenset({"owner", "admin"})
SEE_ALL: frozenset[Role] = RULERS | {"auditor"}
SEE_PEOPLE: frozenset[Role] = SEE_ALL | {"billing"}
READ_PAYLOADS: frozenset[Role] = SEE_ALL | {"team_admin", "member"}
"""Who may read what was said, of the requests that he may see."""
PEOPLE = frozenset({"organisations", "teams", "applications", "users", "keys", "limits"})
MANAGED = {"keys": ("key", "key_hash", "prefix", "previous"), "users": LOGINS}
"""Of a key and of a user, what the gateway makes itself."""
UNFILTERED = frozenset({"key", "key_hash", "previous", "password_hash", "totp"})
"""What nobody may look for by its value."""
VOUCHED = frozenset({"azure", "azure_foundry", "vertex"})
"""Kinds of providers that are sent a token of the machine's identity where they have no key. (Bedrock is sent
signatures, which hold for one address.)"""
Body = Mapping[str, Any]


class Who(NamedTuple):
    """Somebody at the admin API."""

    name: str
    """For the audit: `admin`, or the user with the key's name."""
    role: Role
    user: str | None
    teams: frozenset[str]


STRANGER = Who("", "member", None, frozenset())
"""Somebody who has not said yet who he is: sees nothing, changes nothing."""
OWNER = Who("the gateway", "owner", None, frozenset())
"""As whom the gateway does what it has found out that somebody may."""


def belongs(people: People, kind: str, name: str, body: Body) -> Belongs:
    """Whose an object is."""
    match kind:
        case "teams":
            return people.belongs(Belongs(team=name))
        case "applications":
            return people.belongs(Belongs(team=body.get("team"), organisation=body.get("organisation")))
        case "keys":
            said = (body.get(what) for what in Belongs._fields)
            return people.belongs(Belongs(*said))
    return Belongs()


def may_see(who: Who, people: People, kind: str, name: str, body: Body) -> bool:
    if who.role in SEE_ALL or (who.role in SEE_PEOPLE and kind in PEOPLE):
        return True
    if kind == "users":
        return name == who.user or (who.role == "team_admin" and bool(who.teams & set(body.get("teams") or ())))
    if who.role == "team_admin" and kind in ("teams", "applications", "keys"):
        return belongs(people, kind, name, body).team in who.teams
    return kind == "keys" and who.user is not None and body.get("user") == who.user


def why_not(who: Who, people: People, kind: str, name: str, body: Body) -> str | None:
    """Why an object may not be as `body` says (or, being so, not be changed) by somebody; None where it may."""
    if who.role == "owner":
        return None
    if who.role == "admin":
        over = _why_not_over(who, people, kind, body) or _referring(body) or _leading(kind, body)
        return over or (_vouched(name, body) if kind == "providers" else None)
    if who.role == "team_admin" and kind == "applications":
        return None if belongs(people, kind, name, body).team in who.teams else "it belongs to none of your teams"
    if kind != "keys" or who.role not in ("team_admin", "member"):
        return f"the role {who.role} may not change {kind}"
    return _why_not_key(who, people, name, body)


def why_not_class(who: Who, people: People, kind: str, name: str, body: Body, was: Body | None) -> str | None:
    """Why somebody may not say of which class an object's data are: clauses, guards and what is kept go by it. `was`:
    the object as it is, which stays so whoever has made it so. None where he may."""
    said, whose = body.get("data_class"), belongs(people, kind, name, body)
    if said is None or who.role in RULERS or kind not in ("applications", "keys"):
        return None
    if was is not None and (was.get("data_class"), belongs(people, kind, name, was)) == (said, whose):
        return None
    above = [each for _, _, each in people.above(whose) if each.data_class is not None]
    theirs = above[-1].data_class if above else None
    if theirs is None or str(said).lower() == theirs:
        return None
    return f"its data are of the class {theirs!r}, as its owners have it: leave `data_class` out, or ask an admin"


def _why_not_over(who: Who, people: People, kind: str, body: Body) -> str | None:
    """Why an admin may not: with a key of an owner's he would be one."""
    if kind == "users" and body.get("role") in RULERS:
        return "only an owner makes and changes owners and admins"
    user = people.users.get(body.get("user") or "") if kind == "keys" else None
    if user is not None and user.role in RULERS and body["user"] != who.user:
        return f"the keys of a user with the role {user.role} are made and changed by that user, or by an owner"
    return None


def why_not_login(who: Who, people: People, name: str, user: User, *, first: bool) -> str | None:
    """Why somebody may not set what a user logs in with: he could log in as that user. None where he may."""
    if name == who.user:
        none_yet = first and user.password_hash is None and who.role not in RULERS
        return "the first password is set by an owner or an admin" if none_yet else None
    if who.role not in RULERS:
        return "what others log in with is set by owners and admins"
    return None if who.role == "owner" else _why_not_over(who, people, "users", {"role": user.role})


def _why_not_key(who: Who, people: People, name: str, body: Body) -> str | None:
    user = body.get("user")
    if ADMIN_OPERATION in (body.get("operations") or ()) and user != who.user:
        return "a key for the admin API is made by the user whose it is"
    if who.role == "member":
        if user != who.user or user is None:
            return "a member makes keys of its own: set `user` to yourself"
        if body.get("application") is not None:
            return "a key of an application is made by who administers its team"
        team = body.get("team")
        return None if team is None or team in who.teams else "it is a team that you are not in"
    if belongs(people, "keys", name, body).team not in who.teams:
        return "it belongs to none of your teams"
    other = people.users.get(user or "")
    if other is not None and user != who.user and other.role != "member":
        return f"the keys of a user with the role {other.role} are made by that user"
    return None


def _referring(value: Any) -> str | None:
    """Secrets of the machine's (files, variables) are referred to by owners alone: who could name any of them could
    read it, by sending it to a host of his choice."""
    if isinstance(value, Mapping):
        return next(filter(None, map(_referring, value.values())), None)
    if isinstance(value, list):
        return next(filter(None, map(_referring, value)), None)
    if isinstance(value, str) and is_reference(value):
        return "only an owner refers to a variable, a file or a vault; give the secret itself"
    return None


def _vouched(name: str, body: Body) -> str | None:
    """Without a key of its own such a provider is sent tokens of the machine's, or of an account in a file of its."""
    if "credentials_file" in body:
        return "only an owner names a file of the machine's (`credentials_file`)"
    several = body.get("api_keys")
    keys = [body.get("api_key"), *(key.get("api_key") for key in several or () if isinstance(key, Mapping))]
    given = [key for key in keys if key is not None]
    sealed = bool(given) and all(isinstance(key, str) and is_sealed(key) for key in given)
    if body.get("kind", name) in VOUCHED and body.get("base_url") is not None and not sealed:
        return "only an owner sends tokens of the machine's to an address (`base_url`); give an `api_key` of its own"
    return None


def _leading(kind: str, body: Body) -> str | None:
    """A target has the secrets of its provider, also where these are sealed or stand in the file; a provider that is
    given none has those of the vendor's variables, where it has no `base_url`."""
    if kind == "providers":
        setting = None if any(map(body.get, ("api_key", "api_keys", "base_url"))) else address_of_provider(body)
        return f"give `api_key`, too: only an owner has the machine's own sent to a `{setting}`" if setting else None
    setting = address_of_target(body)
    if setting is None:
        return None
    return f"only an owner gives a target another `{setting}` than its provider's; make it a provider of its own"
