"""The store as a document, and a document made to be the store: all of it, or nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping
from functools import partial
from math import inf
from typing import Any

from pydantic import Field

from headgate.admin import access
from headgate.admin.call import Answer, Body, Call, read
from headgate.admin.control import Entry, Wanted
from headgate.admin.plan import Step, plan
from headgate.admin.problems import Problem, at
from headgate.admin.secrets import HOLDING, into_store
from headgate.config import sections, stored
from headgate.config.secrets import SHORT_KEY, is_reference, well_known
from headgate.config.section import Section


class Apply(Section):
    """Many objects at once."""

    document: dict[str, Any] = Field(description="Sections of a configuration: `teams`, `keys`, `limits` …")
    prune: bool = Field(False, description="Delete what the store has of these sections and the document has not.")
    dry_run: bool = Field(False, description="Only say what would be changed, or why it cannot be.")
    compare: bool = Field(False, description="Only say what differs, whether or not it could be changed.")


async def export_document(call: Call) -> Answer:
    """What is in force of the store, and with `all=true` of the file; sealed secrets as `(sealed)`, keys as hashes."""
    unknown = set(call.query) - {"all"}
    if unknown or call.query.get("all", "false") not in ("true", "false"):
        raise Problem(400, "invalid_query", "the only thing to ask for is `all`, `true` or `false`")
    found = await call.control.parts(whole=call.query.get("all") == "true")
    return 200, {
        "document": found.document, "sealed": found.sealed, "file": found.file, "variables": found.variables,
        "files": found.files,
    }  # fmt: skip


async def apply_document(call: Call) -> Answer:
    """What is new is made, what differs replaced, what is equal left."""
    asked = read(Apply, call.body)
    compared = _Compared(call, await call.control.everything())
    for kind, section in asked.document.items():
        await asyncio.to_thread(compared.add, kind, section, prune=asked.prune)  # what keeps a key may have to be asked
    dry = asked.dry_run or asked.compare
    if not asked.compare:
        compared.stop_if_wrong()
        wanted = [
            Wanted(each.action, each.kind, each.name, partial(_planned, each.after), each.version, last=each.last)
            if each.after is not None
            else Wanted(each.action, each.kind, each.name, None, each.version)
            for each in compared.steps
        ]
        await call.control.change(call.who, wanted, call.actor, dry=dry)
    return 200, {"applied": not dry, **plan(compared.steps)}


def _planned(body: Body, before: Body | None) -> Body:
    """That which was compared: of another version nothing is made."""
    return body


class _Compared:
    """A document beside what there is; collects what is to be done, and what cannot be."""

    def __init__(self, call: Call, there: Mapping[str, Mapping[str, Entry]]) -> None:
        self.call = call
        self.there = there
        self.steps: list[Step] = []
        self.wrong: list[Problem] = []

    def stop_if_wrong(self) -> None:
        """Raises Problem: the first, with the places of all."""
        if self.wrong:
            first = self.wrong[0]
            raise Problem(
                first.status, first.code, first.detail, [error for problem in self.wrong for error in problem.errors]
            )

    def add(self, kind: str, section: Any, *, prune: bool) -> None:
        if kind not in stored.KINDS:
            raise Problem(422, "invalid", f"`{kind}` is not kept in the store, only {', '.join(stored.KINDS)}")
        try:
            named = sections.bodies(kind, section)
        except ValueError as error:
            raise Problem(422, "invalid", str(error)) from None
        if len(named) < len(section or ()):
            twice = next(name for name, count in Counter(each["name"] for each in section).items() if count > 1)
            raise Problem(422, "invalid", f"{kind}: {twice!r} stands there twice; names are there once")
        there = self.there[kind]
        latest = 0.0  # of the document's rules up to here the one that stands last
        for name, body in named.items():
            entry = there.get(name)
            if entry is not None and entry.stored is None:
                self.beside_file(kind, name, body)
                continue
            place = entry.stored.place if entry is not None and entry.stored is not None else inf
            moved = kind == "rules" and place < latest
            latest = inf if moved else place
            self.one(kind, name, body, entry, last=moved)
        for name, entry in sorted(there.items()) if prune else ():
            if name not in named and entry.stored is not None:
                self.steps.append(Step("delete", kind, name, entry.body, None, entry.stored.version))

    def one(self, kind: str, name: str, body: Body, entry: Entry | None, *, last: bool) -> None:
        before = entry.body if entry is not None else None
        after = self.made(kind, name, body, before)
        if before is None:
            self.steps.append(Step("create", kind, name, None, after))
        elif after != before or last:
            version = entry.stored.version if entry is not None and entry.stored is not None else None
            self.steps.append(Step("replace", kind, name, before, after, version, last))

    def made(self, kind: str, name: str, body: Body, before: Body | None) -> Body:
        """As the store is to have it: secrets sealed, and those left out as they are; of a key the hash."""
        if kind == "keys":
            return _key(name, body, before)
        if kind == "users":
            return _user(name, body, before)
        if kind not in HOLDING:
            return body
        found, problem = into_store(kind, name, body, before, self.call.control.seal(), left_out_stay=True)
        if problem is not None:
            self.wrong.append(problem)
        return found

    def beside_file(self, kind: str, name: str, body: Body) -> None:
        """What stands in the file is not changed, and need not be where it is the same."""
        given = sections.hashed(body) if kind == "keys" else body
        if _same(given, self.call.control.filled(kind).get(name)):
            return
        self.steps.append(Step("replace", kind, name, None, None, filed=True))
        told = f"{kind}/{name} stands in the file, and is another there; change it there, or leave it out"
        self.wrong.append(Problem(409, "read_only", told, [at(f"{kind}.{name}", "it stands in the file")]))


def _key(name: str, body: Body, before: Body | None) -> Body:
    key = body.get("key")
    if isinstance(key, str) and not is_reference(key) and (len(key) < SHORT_KEY or well_known(key)):
        raise Problem(422, "invalid", f"keys.{name}.key: too easy to guess; it needs {SHORT_KEY} random characters")
    if before is not None and "key" not in body and "key_hash" not in body:
        return {**{what: before[what] for what in access.MANAGED["keys"] if what in before}, **body}
    return sections.hashed(body)


def _user(name: str, body: Body, before: Body | None) -> Body:
    for what in access.MANAGED["users"]:
        if what in body:
            raise Problem(422, "invalid", f"users.{name}.{what}: it is set for each user by the admin API, not applied")
    return body | {what: before[what] for what in access.MANAGED["users"] if before is not None and what in before}


def _same(given: Any, there: Any) -> bool:
    """Whether it is the same, whatever stands where a secret is not said."""
    if isinstance(given, dict) and isinstance(there, dict):
        return given.keys() == there.keys() and all(_same(given[name], there[name]) for name in given)
    if isinstance(given, list) and isinstance(there, list):
        return len(given) == len(there) and all(map(_same, given, there))
    return bool(given == there) or (given == stored.SEALED and isinstance(there, str))


DESCRIBED = {
    "Plan": {
        "type": "object",
        "required": ["applied", "changes", "counts"],
        "properties": {
            "applied": {"type": "boolean", "description": "Whether it was done, not only planned."},
            "counts": {
                "type": "object",
                "required": ["create", "replace", "delete"],
                "additionalProperties": {"type": "integer"},
            },
            "changes": {"type": "array", "items": {"$ref": "#/components/schemas/PlannedChange"}},
        },
    },
    "PlannedChange": {
        "type": "object",
        "required": ["action", "kind", "name", "fields"],
        "properties": {
            "action": {"enum": ["create", "replace", "delete"]},
            "kind": {"enum": list(stored.KINDS)},
            "name": {"type": "string"},
            "read_only": {"const": True, "description": "It stands in the file, so that it cannot be changed here."},
            "fields": {
                "type": "array",
                "description": "What differs; of secrets only that they do. `before` is not there where the field was "
                "not, `after` where it will not be.",
                "items": {
                    "type": "object",
                    "required": ["field"],
                    "properties": {"field": {"type": "string"}, "before": {}, "after": {}},
                },
            },
        },
    },
    "Export": {
        "type": "object",
        "required": ["document", "sealed", "file", "variables", "files"],
        "properties": {
            "document": {"type": "object", "description": "The sections of the store, as `/apply` takes them."},
            "sealed": {
                "type": "array",
                "description": "Where `(sealed)` stands in it for a secret: kind, name, and the way in the body.",
                "items": {"type": "array", "items": {"type": ["string", "integer"]}},
            },
            "file": {
                "type": "object",
                "description": "With `all`: the sections of the file, as they are written there, without secrets.",
            },
            "variables": {"type": "array", "items": {"type": "string"}, "description": "Those that `file` names."},
            "files": {"type": "array", "items": {"type": "string"}, "description": "Those that `file` names."},
        },
    },
}
"""Of what is answered here, for the description of the API."""
