"""LiteLLM's keys, teams, users and organisations as ours; its hash of a key is ours, so that keys go on working."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from itertools import chain, count
from typing import Any

from headgate.config.document import Node
from headgate.config.secrets import hash_key, well_known_hash
from headgate.core.caller import EVERYTHING
from headgate.migrate.litellm.budgets import Budgets
from headgate.migrate.litellm.draft import Draft
from headgate.migrate.litellm.gathered import Gathered
from headgate.migrate.litellm.source import Part, literal
from headgate.migrate.litellm.tables import Row, Tables

HASH = re.compile(r"[0-9a-f]{64}\Z")
UI_TEAM = "litellm-dashboard"
"""Whose keys are sessions of LiteLLM's console."""
ADMIN_USER = "default_user_id"
"""The user that stands for the master key."""
ALL = frozenset({"*", "all-proxy-models", "all-team-models"})
NONE = "no-default-models"
"""litellm/proxy/_types.py, SpecialModelNames."""
ROLES = {
    "proxy_admin": "admin",
    "proxy_admin_viewer": "auditor",
    "internal_user": "member",
    "internal_user_viewer": "member",
    "": "member",
}
EVERY_ROUTE = frozenset({"llm_api_routes", "openai_routes", "*", "/*"})
UNREAD = {
    "permissions": "write a stage: docs/how-to/write-a-plugin.md",
    "config": "there is one configuration for all",
    "router_settings": "names of `models` for it, with their own policy",
    "policies": "there are no guardrails yet",
    "access_group_ids": "list its `models`",
    "allowed_cache_controls": "there is no cache of answers yet",
    "object_permission_id": "there is no MCP gateway yet",
    "project_id": "an application: `applications`",
    "agent_id": "an application: `applications`",
    "budget_fallbacks": "a limit with `then: downgrade`, `use: …`",
    "model_id": "names of `models` for what the team calls them",
}
MEANT = frozenset({"tags", "model_rpm_limit", "model_tpm_limit"})
"""What of `metadata` is read."""


class People:
    """Makes the sections of who there is."""

    def __init__(
        self, tables: Tables, gathered: Gathered, served: Mapping[str, str], groups: Mapping[str, Sequence[str]],
        reserved: Sequence[str],
    ) -> None:  # fmt: skip
        """`served`: what may be asked for, by LiteLLM's names; `groups`: access groups; `reserved`: no keys' names."""
        self.tables = tables
        self.gathered = gathered
        self.served = served
        self.groups = groups
        self.budgets = Budgets(tables, gathered)
        self.names: dict[str, dict[str, str]] = {"organisations": {}, "teams": {}, "users": {}, "keys": {}}
        """By section, the names here by LiteLLM's ids."""
        self.used = {section: set(reserved) if section == "keys" else set() for section in self.names}
        self.sections: dict[str, dict[str, dict[str, Any]]] = {"organisations": {}, "teams": {}, "users": {}}
        self.personal: dict[str, list[str] | None] = {}
        """The models that a user's keys of no team may ask for."""

    def write(self, draft: Draft) -> None:
        for row in self.tables.each("organizations"):
            self._put("organisations", row, row.text("organization_id"), [row.text("organization_alias")], {})
        for row in self.tables.each("teams"):
            self._team(row)
        for row in self.tables.each("users"):
            self._user(row)
        for row in self.tables.each("teams"):
            self._members(row)
        made = [(row, key) for row in self.tables.each("keys") if (key := self._key(row)) is not None]
        for row, key in made:
            if "user" in key and "team" not in key:
                self._in_teams(row, self.names["users"][row.text("user_id")])
        for section, entries in self.sections.items():
            draft.put(section, entries)
        for _, key in made:
            draft.append("keys", key)
        for limit in self.budgets.others(self.names, self.served):
            draft.append("limits", limit)
        for table in self.tables.unknown:
            part = Part(self.tables.file, Node(None, 0, 0), (table,))
            self.gathered.report.lost(part, "a table that is not read", "leave it out")

    def _put(self, section: str, row: Row, id: str, titles: list[str], more: dict[str, Any]) -> dict[str, Any]:
        """An entry of a section, with what all of them may have."""
        name = self._name(section, id, titles)
        entry = dict(more)
        models = self._models(row, name)
        if models is not None and section != "users" and models != [EVERYTHING]:
            entry["models"] = models
        tags = [literal(tag) for tag in row.mapping("metadata").get("tags") or () if isinstance(tag, str)]
        if tags:
            entry["tags"] = tags
        limits = self.budgets.own(row, name)
        if limits:
            entry["limits"] = limits
        if row.true("blocked"):
            entry["enabled"] = False
        self._unread(row, name)
        if section != "keys":
            self.sections[section][name] = entry
        return entry

    def _name(self, section: str, id: str, titles: Sequence[str]) -> str:
        """A name that nobody else has, kept by LiteLLM's id."""
        usable = [text for title in (*titles, id) if (text := _printable(title))] or ["unnamed"]
        names = chain(usable, (f"{usable[0][:90]} {number}" for number in count(2)))
        name = next(name for name in names if name not in self.used[section])
        self.used[section].add(name)
        self.names[section][id] = name
        return name

    def _team(self, row: Row) -> None:
        organisation = self.names["organisations"].get(row.text("organization_id"))
        more = {"organisation": literal(organisation)} if organisation is not None else {}
        self._put("teams", row, row.text("team_id"), [row.text("team_alias")], more)

    def _user(self, row: Row) -> None:
        id = row.text("user_id")
        if id == ADMIN_USER or not id:
            return
        email = row.text("user_email")
        more: dict[str, Any] = {"email": literal(email[:320])} if email else {}
        role = ROLES.get(row.text("user_role"))
        if role is None:
            self.gathered.lost(row, "user_role", "a role that has no counterpart; `member` is taken", "see `role`", id)
        elif role != "member":
            more["role"] = role
        entry = self._put("users", row, id, [email, row.text("user_alias")], more)
        for team in row.texts("teams"):
            self._join(entry, team)
        organisation = self.names["organisations"].get(row.text("organization_id"))
        if organisation is not None and not entry.get("teams"):
            entry["organisation"] = literal(organisation)
        models = self._models(row, self.names["users"][id])
        self.personal[id] = [] if NONE in row.texts("models") else models
        if row.values.get("password"):
            self.gathered.lost(row, "password", "passwords are not carried over", "docs/how-to/administer.md", id)

    def _join(self, user: dict[str, Any], team: str) -> None:
        name = self.names["teams"].get(team)
        if name is not None and literal(name) not in user.setdefault("teams", []):
            user["teams"].append(literal(name))
        if not user.get("teams"):
            user.pop("teams", None)
        else:
            user.pop("organisation", None)

    def _in_teams(self, row: Row, user: str) -> None:
        """What a user asks with a key of its own is asked by a member of its teams here."""
        teams = self.sections["users"][user].get("teams", ())
        bounds = {"models", "limits", "enabled", "organisation"}
        if any(literal(name) in teams and bounds & entry.keys() for name, entry in self.sections["teams"].items()):
            what = "the models and limits of a user's teams also hold for the user's own keys"
            self.gathered.otherwise(row, "user_id", what, user)

    def _members(self, row: Row) -> None:
        members = row.get("members_with_roles")
        for member in members if isinstance(members, list) else ():
            id = str(member.get("user_id") or "") if isinstance(member, dict) else ""
            if not id or id == ADMIN_USER:
                continue
            user = self._owner(id)
            self._join(user, row.text("team_id"))
            if member.get("role") == "admin" and user.get("role") != "admin":
                self.gathered.lost(
                    row, "members_with_roles", "who administers a team does not here yet",
                    "give the user `role: team_admin`, which is for all of its teams", self.names["users"][id],
                )  # fmt: skip

    def _owner(self, id: str) -> dict[str, Any]:
        """The user of an id, made where the export has none."""
        if id not in self.names["users"]:
            name = self._name("users", id, [])
            self.sections["users"][name] = {}
        return self.sections["users"][self.names["users"][id]]

    def _key(self, row: Row) -> dict[str, Any] | None:
        token, team = row.text("token"), row.text("team_id")
        if team == UI_TEAM:
            self.gathered.needless(row, "token", "sessions of LiteLLM's console", token[:8])
            return None
        if token.startswith("sk-"):
            token = hash_key(token)
        if not HASH.match(token) or well_known_hash(token):
            why = "the hash of a key that everybody knows" if HASH.match(token) else "no hash of a key"
            hint = "make another: `headgate key new`"
            self.gathered.lost(row, "token", f"{why}, so it is left out", hint, f"row {row.index + 1}")
            return None
        entry = self._put("keys", row, token, [row.text("key_alias"), f"key {token[:8]}"], {})
        name = self.names["keys"][token]
        key = {"name": literal(name), "key_hash": f"sha256:{token}", **self._whose(row, name)}
        key["models"] = self._of_key(row, entry.pop("models", [EVERYTHING]))
        if row.get("expires"):
            expires = _moment(row.get("expires"))
            key |= {"expires": expires} if expires else {"enabled": False}
            if not expires:
                hint = "write it as `expires`, and take `enabled: false` out"
                self.gathered.lost(row, "expires", "not a time that can be read, so the key is off", hint, name)
        key |= entry
        previous = [old for deprecated in self.tables.each("deprecated_keys") if (old := _old(deprecated, token))]
        if previous:
            key["previous"] = previous
        key |= self._paths(row, name)
        if row.mapping("aliases"):
            hint = "a rule each: {models: [ALIAS], when: 'key == \"NAME\"', use: MODEL}"
            self.gathered.lost(row, "aliases", "names of models that one key has", hint, name)
        if row.true("auto_rotate"):
            self.gathered.lost(row, "auto_rotate", "keys are not replaced by themselves", "`headgate key rotate`", name)
        return key

    def _whose(self, row: Row, name: str) -> dict[str, Any]:
        """The team, user and organisation of a key."""
        found: dict[str, Any] = {}
        team, user = row.text("team_id"), row.text("user_id")
        if team:
            if team not in self.names["teams"]:
                self.sections["teams"][self._name("teams", team, [])] = {}
                self.gathered.todo(row, "team_id", "the team is not in the export: no models or limits of it", team)
            found["team"] = literal(self.names["teams"][team])
        if user and user != ADMIN_USER:
            owner = self._owner(user)
            found["user"] = literal(self.names["users"][user])
            if team:
                self._join(owner, team)
                if owner.get("limits"):
                    what = "the limits of a user also count what it asks with keys of a team"
                    self.gathered.otherwise(row, "user_id", what, self.names["users"][user])
        organisation = self.names["organisations"].get(row.text("organization_id"))
        if organisation is not None and not team and not user:
            found["organisation"] = literal(organisation)
        return found

    def _of_key(self, row: Row, models: list[str]) -> list[str]:
        """The models of a key; of one that is in no team, less those that its user may not use."""
        if row.text("team_id") or row.text("user_id") not in self.personal:
            return models
        allowed = self.personal[row.text("user_id")]
        if allowed is None or allowed == [EVERYTHING]:
            return models
        return allowed if models == [EVERYTHING] else [model for model in models if model in allowed]

    def _models(self, row: Row, name: str) -> list[str] | None:
        """A list of models; None where there is none, which is all."""
        listed = row.texts("models")
        found: list[str] = []
        for model in listed:
            if model in ALL:
                return [EVERYTHING]
            if model in self.groups:
                found += self.groups[model]
            elif model in self.served:
                found.append(self.served[model])
            elif EVERYTHING in model:
                found += [ours for theirs, ours in self.served.items() if fnmatchcase(theirs, model)]
                self.gathered.otherwise(row, "models", f"the pattern `{model}` became the models that there are", name)
            elif f"{model.partition('/')[0]}/*" in self.served and "/" in model:
                found.append(model)
            elif model != NONE:
                self.gathered.lost(row, "models", f"there is no model `{model}` here", "it may not be used", name)
        return [literal(model) for model in dict.fromkeys(found)] if listed else None

    def _paths(self, row: Row, name: str) -> dict[str, Any]:
        routes = row.texts("allowed_routes")
        if not routes or EVERY_ROUTE & set(routes):
            return {}
        paths = [
            path
            for route in routes
            if route.startswith("/") and route.isascii() and "{" not in route
            for path in _both(route)
        ]
        if len(paths) < len(routes):
            hint = "`operations` and `paths` of the key say what it may ask for"
            self.gathered.lost(row, "allowed_routes", "groups of routes, or routes with names in them", hint, name)
        return {"paths": list(dict.fromkeys(paths))} if paths else {"operations": []}

    def _unread(self, row: Row, name: str) -> None:
        for column, instead in UNREAD.items():
            if row.get(column):
                self.gathered.lost(row, column, "it has no counterpart", instead, name)
        if set(row.mapping("metadata")) - MEANT:
            said = ", ".join(sorted(set(row.mapping("metadata")) - MEANT))
            hint = "look at what of it is more than a note"
            self.gathered.lost(row, "metadata", f"what it says besides is not carried over: {said[:200]}", hint, name)
        if (row.number("spend") or 0) > 0:
            hint = "until its window ends, lower the limit by it"
            self.gathered.lost(row, "spend", "what was spent so far: counters begin at nothing", hint, name)


def _printable(title: str) -> str:
    return "".join(sign for sign in title if sign.isprintable()).strip()[:100].strip()


def _both(route: str) -> list[str]:
    """LiteLLM has most routes with and without `/v1`; here they begin with it."""
    route = route.replace("*", "") + "*" if "*" in route else route
    return [route] if route.startswith(("/v1", "/v2")) else [route, f"/v1{route}"]


def _moment(value: Any) -> str:
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
        found = found and (found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC))
    except (ValueError, OverflowError):
        found = None
    if found is None:
        return ""
    return found.strftime("%Y-%m-%dT%H:%M:%SZ")


def _old(row: Row, token: str) -> dict[str, str] | None:
    """A key before it that is still taken."""
    until = _moment(row.get("revoke_at"))
    if row.text("active_token_id") != token or not HASH.match(row.text("token")) or not until:
        return None
    return {"key_hash": f"sha256:{row.text('token')}", "expires": until}
