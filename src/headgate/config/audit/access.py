"""Keys: which last for ever, which may everything, and which may do so without end. People: who rules by a password."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from headgate.config import identities, login
from headgate.config.audit.finding import Finding, Places, Severity
from headgate.config.identities import Key
from headgate.config.load import Loaded
from headgate.config.warnings import soon
from headgate.core.caller import ADMIN_OPERATION, Belongs, Caller
from headgate.core.limits.rule import OF_CALLER, Rule


def findings(loaded: Loaded, places: Places, now: datetime) -> Iterator[Finding]:
    """Of keys that are taken now, and of who logs in."""
    config = loaded.config
    for name, user in config.users.items():
        if login.alone(config.login, user):
            message = f"may log in as {user.role} without a second factor"
            yield places.entry("high", "users", name, name, message, "have it set up one: `headgate user totp`")
    groups = config.login.ldap.roles if config.login.ldap is not None else {}
    for group, role in groups.items():
        if role in login.RULERS:
            message = f"who is none of `users` may log in as {role} with a password alone"
            hint = "make them `users`, with a second factor, and take the group out"
            yield places.finding("medium", ("login", "ldap", "roles", group), message, hint)
    rules = [limit.rule(limit.name, limit.match, limit.per) for limit in config.limits]
    indexed = [(("keys", index), key) for index, key in enumerate(config.keys)]
    rules += [own.rule for own in identities.own_limits(config.people, indexed)]
    ending = {key.name for key in soon(config, now)}
    for index, key in enumerate(config.keys):
        said = Belongs(key.organisation, key.team, key.application, key.user)
        caller = config.people.caller(key.name, key, said)
        if caller.barred is not None or (key.expires is not None and key.expires <= now):
            continue
        if key.name in ending:
            hint = "rotate it: `headgate key rotate`"
            yield places.entry("low", "keys", index, key.name, f"expires on {key.expires:%Y-%m-%d}", hint)
        for severity, message, hint in _of_key(key, caller, rules):
            yield places.entry(severity, "keys", index, key.name, message, hint)


def _of_key(key: Key, caller: Caller, rules: list[Rule]) -> Iterator[tuple[Severity, str, str]]:
    rules_admin = caller.may_do(ADMIN_OPERATION) and caller.role in login.RULERS
    if key.expires is None and rules_admin:
        yield "high", f"never expires, and opens the admin API as {caller.role}", "set `expires`"
    elif key.expires is None:
        yield "medium", "never expires", "set `expires`, and `key_policy.max_days` for keys that are made later"
    if caller.operations == frozenset({ADMIN_OPERATION}):
        return  # it asks no model
    if caller.models is None and not caller.families:
        yield "low", "may ask every model", "list those it needs in its `models`, or in its team's"
    if not any(_bounds(rule, caller) for rule in rules):
        yield "medium", "has no limit, nor have those it belongs to", "set `limits`: requests, tokens or money"


def _bounds(rule: Rule, caller: Caller) -> bool:
    """Whether a limit holds for all that a caller asks."""
    return rule.then != "warn" and rule.concerns(caller) and rule.match.keys() <= OF_CALLER
