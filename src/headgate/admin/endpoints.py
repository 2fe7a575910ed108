"""The admin API's endpoints: one table, from which routes, description and tests are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pydantic
from pydantic import Field

from headgate.admin import access, alerts, cache, data, elsewhere, guards, logging_in, requests, usage
from headgate.admin.access import ALL, NOBODY, OWNERS, READ_PAYLOADS, RULERS, SEE_ALL, SEE_PEOPLE
from headgate.admin.as_code import Apply, apply_document, export_document
from headgate.admin.call import (
    LONGEST_PAGE,
    PAGE,
    Answer,
    Body,
    Call,
    Endpoint,
    Headers,
    moment,
    number,
    read,
    time_told,
)  # fmt: skip
from headgate.admin.control import Entry, Wanted
from headgate.admin.problems import Problem
from headgate.admin.secrets import HOLDING, sealed, shown
from headgate.admin.visit import SESSION, token_of
from headgate.config import stored
from headgate.config.alerts import AlertRule, Silence
from headgate.config.clauses import Clause
from headgate.config.identities import Application, Key, Organisation, Team, User
from headgate.config.limits import Limit
from headgate.config.moments import Moment
from headgate.config.retention import Hold
from headgate.config.rules import Rule
from headgate.config.secrets import hash_key, new_key
from headgate.config.section import Section
from headgate.config.targets import Model
from headgate.core.printable import printable
from headgate.store.objects import Action, Audited, Objects

PREFIX = 10
"""Characters of a key by which people know it."""
SECTIONS: Mapping[str, type[Section] | None] = {
    "organisations": Organisation, "teams": Team, "applications": Application, "users": User, "keys": Key,
    "limits": Limit, "models": Model, "rules": Rule, "clauses": Clause, "providers": None, "alert_rules": AlertRule,
    "channels": None, "silences": Silence, "holds": Hold,
}  # fmt: skip
"""What the body of each kind is; of a provider and a channel it depends on its kind."""
assert set(SECTIONS) == set(stored.KINDS)


class Rotate(Section):
    """How a key is replaced."""

    overlap_seconds: int = Field(
        86_400, ge=0, le=86_400 * 366, description="How long the old key is still taken, in seconds."
    )
    expires: Moment | None = Field(
        None, description="From when the new key is not taken any more. Left out: as before."
    )


BODIES: Mapping[str, type[pydantic.BaseModel]] = {
    "rotate": Rotate, "apply": Apply, "login": logging_in.LogIn, "password": logging_in.Password,
    "second_factor": logging_in.SecondFactor, "silence": alerts.SilenceAlert,
    "whose": data.Whose, "purging": data.Purging, "clearing": cache.Clearing,
    "report": cache.Report, "trying": guards.Trying, "forgetting": guards.Forgetting,
}  # fmt: skip


def told(entry: Entry) -> Body:
    """An object as the API shows it."""
    found: Body = {"name": entry.name, "origin": "store" if entry.stored is not None else "file"}
    if entry.stored is not None:
        found |= {
            "version": entry.stored.version,
            "created": time_told(entry.stored.created),
            "changed": time_told(entry.stored.changed),
            "changed_by": entry.stored.changed_by,
        }
    if entry.kind == "users":
        found["login"] = {"password": "password_hash" in entry.body, "second_factor": "totp" in entry.body}
    return {**found, "body": shown(entry.body)}


async def list_objects(call: Call) -> Answer:
    """A page, in the order of names; `after` is the last name of the page before. Other parameters filter by what
    stands in the body: `?team=research`."""
    limit, after = number(call, "limit", PAGE, LONGEST_PAGE), call.query.get("after", "")
    wanted = {name: value for name, value in call.query.items() if name not in ("limit", "after")}
    fields = _fields(call.kind)
    for name in wanted:
        if name not in fields | {"origin"}:
            raise Problem(400, "invalid_query", f"`{name}` is nothing to filter {call.kind} by")
    people = call.control.people
    found = [
        each
        for each in await call.control.entries(call.kind)
        if each.name > after
        and access.may_see(call.who, people, call.kind, each.name, each.body)
        and all(_fits(told(each), name, value) for name, value in wanted.items())
    ]
    more = found[limit - 1].name if len(found) > limit else None
    return 200, {"items": [told(each) for each in found[:limit]], "next": more}


def _fields(kind: str) -> set[str]:
    section = SECTIONS[kind]
    return set(section.model_fields) - access.UNFILTERED if section is not None else {"kind"}


def _fits(shown_: Body, name: str, value: str) -> bool:
    found = shown_["origin"] if name == "origin" else shown_["body"].get(name)
    if isinstance(found, bool):
        return value == str(found).lower()
    return value in map(str, found) if isinstance(found, list) else value == str(found)


async def get_object(call: Call) -> Answer:
    entry = await call.control.entry(call.who, call.kind, call.name)
    return 200, told(entry), _version(entry)


def _version(entry: Entry) -> Headers:
    return [("etag", f'"{entry.stored.version}"')] if entry.stored is not None else []


async def create_object(call: Call) -> Answer:
    """Of a key, the key itself is made here and told once."""
    body = dict(call.body)
    name = body.pop("name", None)
    if not isinstance(name, str) or not name or name != printable(name).strip() or len(name) > 100:
        raise Problem(422, "invalid", "`name` must be 1 to 100 printable characters")
    if call.kind != "models" and "/" in name:
        raise Problem(422, "invalid", "`name` must hold no slash")
    _check(call.kind, body)
    key = None
    if call.kind == "keys":
        body, key = _minted(call, body)
    if call.kind == "silences":
        body["by"] = call.who.name
    await _change(call, "create", name, lambda before: body)
    entry = await call.control.entry(call.who, call.kind, name)
    return 201, {**told(entry), **({"key": key} if key is not None else {})}, _version(entry)


def _check(kind: str, body: Body) -> None:
    """What only the gateway says of a key or a user is said by nobody else; a plug-in's path is told by the
    configuration."""
    if kind == "keys" and "key" in body:
        raise Problem(422, "invalid", "`key` is made by the gateway: leave it out, or give `key_hash`")
    for name in access.MANAGED["users"] if kind == "users" else ():
        if name in body:
            way = "POST /users/{name}/password" if name == "password_hash" else "POST /users/{name}/totp"
            raise Problem(422, "invalid", f"`{name}` is set by {way}")


def _minted(call: Call, body: Body) -> tuple[Body, str | None]:
    """A key's entry, and the key; none is made where its hash is given (by who may bring keys from elsewhere)."""
    given = [name for name in access.MANAGED["keys"] if name in body]
    if given and call.who.role not in RULERS:
        raise Problem(403, "forbidden", f"`{given[0]}` is made by the gateway: leave it out")
    body.setdefault("models", [])
    _lifetime(call, body)
    if "key_hash" in body:
        return body, None
    key = new_key()
    return {**body, "key_hash": f"sha256:{hash_key(key)}", "prefix": key[:PREFIX]}, key


def _lifetime(call: Call, body: Body) -> None:
    """Keys live as long as `key_policy` allows, where it says so."""
    days = call.control.running.loaded.config.key_policy.max_days
    if days is None:
        return
    last = datetime.now(UTC) + timedelta(days=days)
    if body.get("expires") is None:
        body["expires"] = last.isoformat(timespec="seconds").replace("+00:00", "Z")
        return
    try:
        said = Key.model_validate({"name": "x", "expires": body["expires"]}).expires
    except pydantic.ValidationError:
        return  # told with all else that is wrong with it
    if said is not None and said > last:
        raise Problem(422, "invalid", f"expires: keys live {days} days at most (key_policy.max_days)")


async def replace_object(call: Call) -> Answer:
    _check(call.kind, call.body)
    await _change(call, "replace", call.name, lambda before: _kept(call, before or {}, dict(call.body)))
    return await get_object(call)


async def patch_object(call: Call) -> Answer:
    """Keys of the body take the place of the object's; `null` takes one away."""
    _check(call.kind, call.body)

    def made(before: Body | None) -> Body:
        found = {name: value for name, value in {**(before or {}), **call.body}.items() if value is not None}
        return _kept(call, before or {}, found)

    await _change(call, "replace", call.name, made)
    return await get_object(call)


def _kept(call: Call, before: Body, body: Body) -> Body:
    """What the gateway has made of a key or a user stays, and a key still has an end where the policy asks for one."""
    managed = access.MANAGED.get(call.kind, ())
    if call.kind == "keys":
        given = [name for name in managed if name in call.body]
        if given:
            raise Problem(422, "invalid", f"`{given[0]}` is changed by rotating the key")
        if body.get("expires") != before.get("expires"):
            _lifetime(call, body)
    return body | {name: before[name] for name in managed if name in before}


async def delete_object(call: Call) -> Answer:
    await _change(call, "delete", call.name)
    return 204, None


async def rotate_key(call: Call) -> Answer:
    """Another key in its place, told once; the old one is taken for a while still."""
    asked = read(Rotate, call.body)
    key, now = new_key(), datetime.now(UTC)
    until = (now + timedelta(seconds=asked.overlap_seconds)).isoformat(timespec="seconds").replace("+00:00", "Z")

    def made(before: Body | None) -> Body:
        body = dict(before or {})
        kept = [old for old in body.get("previous", []) if old["expires"] > time_told(now.timestamp())]
        if asked.overlap_seconds and body.get("key_hash"):
            kept.append({"key_hash": body["key_hash"], "expires": until})
        body.update(key_hash=f"sha256:{hash_key(key)}", prefix=key[:PREFIX], previous=kept)
        if asked.expires is not None:
            body["expires"] = asked.expires.isoformat()
        if body.get("expires") is not None or asked.expires is None:
            _renew(call, body)
        return body

    await _change(call, "replace", call.name, made)
    entry = await call.control.entry(call.who, "keys", call.name)
    return 200, {**told(entry), "key": key}, _version(entry)


def _renew(call: Call, body: Body) -> None:
    """A new key has a life of its own, where the policy limits it."""
    if call.control.running.loaded.config.key_policy.max_days is not None and "expires" in body:
        body.pop("expires")
    _lifetime(call, body)


async def revoke_key(call: Call) -> Answer:
    """Let it in no more, and none that came before it; its name and history stay."""

    def made(before: Body | None) -> Body:
        body = {**(before or {}), "enabled": False}
        body.pop("previous", None)
        return body

    await _change(call, "replace", call.name, made)
    return await get_object(call)


async def _change(call: Call, action: Action, name: str, body: Callable[[Body | None], Body] | None = None) -> None:
    seal = call.control.seal

    def made(before: Body | None) -> Body:
        assert body is not None
        found = body(before)
        if call.kind in HOLDING:
            return sealed(call.kind, name, found, before, seal())
        return found

    wanted = Wanted(action, call.kind, name, made if body is not None else None, call.version)
    await call.control.change(call.who, [wanted], call.actor)


async def reseal_secrets(call: Call) -> Answer:
    """All secrets in one change, so that a key that is not the first one any more can go."""
    done = await call.control.reseal(call.actor)
    return 200, done._asdict()


async def audit(call: Call) -> Answer:
    """Changes, the latest first; `before` is the place (`next`) that the page before ended at."""
    wanted: dict[str, Any] = {name: call.query.get(name) for name in ("kind", "name", "actor", "action")}
    unknown = set(call.query) - {*wanted, "limit", "before", "since", "until"}
    if unknown:
        raise Problem(400, "invalid_query", f"`{min(unknown)}` is nothing to filter by")
    for name in ("since", "until"):
        wanted[name] = moment(call, name)
    limit, place = number(call, "limit", PAGE, LONGEST_PAGE), None
    if "before" in call.query:
        parts = call.query["before"].split(".")
        if len(parts) != 2 or not all(part.isascii() and part.isdigit() and len(part) < 16 for part in parts):
            raise Problem(400, "invalid_query", "`before` is the `next` of another page")
        place = (int(parts[0]), int(parts[1]))
    found = await Objects(await call.control.database()).audit(before=place, limit=limit, **wanted)
    last = f"{found[-1].revision}.{found[-1].number}" if len(found) == limit else None
    return 200, {"items": list(map(_change_told, found)), "next": last}


def _change_told(change: Audited) -> Body:
    found = change._asdict()
    return {
        "id": f"{found.pop('revision')}.{found.pop('number')}",
        **found,
        "time": time_told(change.time),
        "before": shown(change.before),
        "after": shown(change.after),
    }


async def me(call: Call) -> Answer:
    """Of who has logged in also the session, and the token that changes have to bring."""
    found = logging_in.who_told(call.who)
    secret = call.visit.cookie(SESSION)
    if call.session is not None and secret is not None:
        found |= {"session": logging_in.told(call.session), "csrf": token_of(secret)}
    return 200, found


async def limits_now(call: Call) -> Answer:
    """What is used of limits whose counters there are, the fullest first."""
    return 200, await call.control.levels(LONGEST_PAGE)


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint("GET", "/me", ALL, "Who you are here, and your role.", me),
    Endpoint("GET", "/login", NOBODY, "In which ways people log in.", logging_in.ways),
    Endpoint("POST", "/login", NOBODY, "Log in with name and password.", logging_in.log_in, (), "login", False),
    Endpoint("GET", "/login/oidc", NOBODY, "Be sent to an OpenID provider to log in.", elsewhere.leave),
    Endpoint("GET", "/login/oidc/callback", NOBODY, "Come back from there.", elsewhere.come_back),
    Endpoint("POST", "/logout", ALL, "End the session that the call is made in.", logging_in.log_out, again=False),
    Endpoint("GET", "/sessions", ALL, "Who is logged in.", logging_in.list_sessions),
    Endpoint("DELETE", "/sessions/{id}", ALL, "End a session.", logging_in.end_session),
    Endpoint(
        "POST", "/users/{name}/password", ALL, "Set a password.", logging_in.set_password, ("users",), "password", False
    ),
    Endpoint(
        "POST",
        "/users/{name}/totp",
        ALL,
        "Begin or confirm a second factor.",
        logging_in.set_second_factor,
        ("users",),
        "second_factor",
        False,
    ),
    Endpoint(
        "DELETE", "/users/{name}/totp", ALL, "Take a second factor away.", logging_in.take_second_factor, ("users",)
    ),
    Endpoint("GET", "/{kind}", ALL, "Objects, in the order of their names.", list_objects, stored.KINDS),
    Endpoint("POST", "/{kind}", ALL, "Make an object.", create_object, stored.KINDS, "entry"),
    Endpoint("GET", "/{kind}/{name}", ALL, "One object.", get_object, stored.KINDS),
    Endpoint("PUT", "/{kind}/{name}", ALL, "Put another in an object's place.", replace_object, stored.KINDS, "body"),
    Endpoint("PATCH", "/{kind}/{name}", ALL, "Change some of an object.", patch_object, stored.KINDS, "body"),
    Endpoint("DELETE", "/{kind}/{name}", ALL, "Delete an object.", delete_object, stored.KINDS),
    Endpoint(
        "POST", "/keys/{name}/rotate", ALL, "Replace a key; the new one is told once.", rotate_key, ("keys",), "rotate"
    ),
    Endpoint("POST", "/keys/{name}/revoke", ALL, "Let a key in no more.", revoke_key, ("keys",)),
    Endpoint("GET", "/export", SEE_ALL, "The store as a document that `/apply` takes.", export_document),
    Endpoint("POST", "/apply", RULERS, "Make the store be as a document says.", apply_document, (), "apply"),
    Endpoint("POST", "/secrets/reseal", OWNERS, "Seal every secret with the key in use.", reseal_secrets),
    Endpoint("GET", "/audit", SEE_ALL, "Who changed what, the latest first.", audit),
    Endpoint(
        "POST", "/data/export", RULERS, "All that is kept about one person.", data.export_data, (), "whose", False
    ),
    Endpoint("POST", "/data/delete", OWNERS, "Delete all about one person.", data.delete_data, (), "whose", False),
    Endpoint("POST", "/purge", OWNERS, "Purge what is older than it is kept.", data.purge, (), "purging", False),
    Endpoint("POST", "/cache/clear", RULERS, "Take answers that are kept out.", cache.clear_cache, (), "clearing"),
    Endpoint("POST", "/cache/feedback", RULERS, "Say that an answer was wrong.", cache.report, (), "report"),
    Endpoint("GET", "/cache/thresholds", SEE_ALL, "Thresholds that reports have raised.", cache.thresholds),
    Endpoint("DELETE", "/cache/thresholds", RULERS, "Take back what reports have raised.", cache.reset_thresholds),
    Endpoint("POST", "/guards/test", SEE_ALL, "Try policies on a text.", guards.test_guards, (), "trying", False),
    Endpoint("POST", "/guards/forget", RULERS, "Forget what is hidden.", guards.forget_sessions, (), "forgetting"),
    Endpoint("GET", "/levels", SEE_PEOPLE, "What is used of limits.", limits_now),
    Endpoint("GET", "/alerts", SEE_ALL, "Alerts, the latest first.", alerts.list_alerts),
    Endpoint("GET", "/alerts/{id}", SEE_ALL, "One alert, and what became of it.", alerts.get_alert),
    Endpoint(
        "POST", "/alerts/{id}/silence", RULERS, "Tell nobody of it for a while.", alerts.silence_alert, (), "silence"
    ),
    Endpoint("POST", "/channels/{name}/test", RULERS, "Send a message now.", alerts.test_channel, ("channels",)),
    Endpoint("GET", "/requests", ALL, "Requests, the latest first.", requests.list_requests),
    Endpoint("GET", "/requests/{id}", ALL, "One request.", requests.get_request),
    Endpoint("GET", "/requests/{id}/payload", READ_PAYLOADS, "What was said in it.", requests.get_payload),
    Endpoint("GET", "/usage", ALL, "What was used and spent, by whom and of what.", usage.get_usage),
    Endpoint("GET", "/reports/summary", ALL, "A period beside the one before, and who used most.", usage.get_summary),
    Endpoint("GET", "/reports/months", ALL, "Cost, savings, availability and pace of each month.", usage.get_months),
    Endpoint("GET", "/reports/forecast", ALL, "What the current month will have cost.", usage.get_forecast),
    Endpoint("GET", "/reports/waste", ALL, "Where money goes that need not.", usage.get_waste),
    Endpoint("GET", "/reports/fairness", SEE_ALL, "How answers differ by group.", data.fairness),
    Endpoint("GET", "/reports/page", ALL, "All of it as one page of HTML.", usage.get_page),
)
