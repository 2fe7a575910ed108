"""Requests as their records tell of them: searched, the newest first, by who may see them."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import msgspec

from headgate.admin import payloads
from headgate.admin.access import SEE_PEOPLE, Who
from headgate.admin.call import LONGEST_PAGE, PAGE, Answer, Body, Call, moment, number
from headgate.admin.problems import Problem, away_told, missing
from headgate.core.money import in_nano
from headgate.journal.read import EQUAL, Filter, Stored, statuses
from headgate.records.reading import place
from headgate.records.search import Place, Scope, Search
from headgate.store.database import StoreAway

LONGEST_TIME = 1e11
"""Unix seconds, beyond all that a place names."""
SCHEMA: Body = {
    "type": "object",
    "required": ["items", "next", "behind"],
    "properties": {
        "items": {"type": "array", "items": {"type": "object", "description": "A record, as docs/reference has it."}},
        "next": {"type": ["string", "null"], "description": "The `before` of the page behind this one."},
        "behind": {
            "type": "integer",
            "description": "Bytes of records that are not in the database yet and were not looked through.",
        },
    },
}
WANTED = frozenset(each.name for each in fields(Filter)) - {"id", "statuses"} | {"status"}
"""What is filtered by."""


async def list_requests(call: Call) -> Answer:
    """A page of those whose requests one may see; `before` is the `next` of the page before."""
    unknown = set(call.query) - WANTED - {"limit", "before"}
    if unknown:
        raise Problem(400, "invalid_query", f"`{min(unknown)[:50]}` is nothing to filter by")
    limit = number(call, "limit", PAGE, LONGEST_PAGE)
    search = Search(_filter(call), limit, scope(call.who), _place(call.query.get("before")))
    if search.want.text is not None:
        await payloads.allow(call, "search", "*", {"text": search.want.text})
    try:
        found = await call.control.records.page(search)
    except ValueError as error:
        raise Problem(400, "invalid_query", f"`text`: {error}") from None
    except StoreAway as away:
        raise away_told(away) from None
    last = place(found.items[-1]) if len(found.items) == limit else None
    next = None if last is None else f"{last.time!r}.{last.id}"
    return 200, {"items": list(map(_told, found.items)), "next": next, "behind": found.behind}


async def get_request(call: Call) -> Answer:
    """All that is known of one."""
    return 200, _told(await _one(call))


async def get_payload(call: Call) -> Answer:
    """What was said of a request that one may see; that it was read is in the audit."""
    return 200, await payloads.read(call, (await _one(call)).record.id)


async def _one(call: Call) -> Stored:
    try:
        found = await call.control.records.one(call.name, scope(call.who))
    except StoreAway as away:
        raise away_told(away) from None
    if found is None:
        raise missing("requests", call.name)
    return found


def scope(who: Who) -> Scope | None:
    """Whose requests somebody may see; None: everybody's."""
    if who.role in SEE_PEOPLE:
        return None
    return Scope(who.teams if who.role == "team_admin" else frozenset(), who.user)


def _filter(call: Call) -> Filter:
    said: dict[str, Any] = {name: call.query.get(name) for name in (*EQUAL, "target", "tag", "trace", "text")}
    said |= {name: moment(call, name) for name in ("since", "until")}
    try:
        said["statuses"] = statuses(call.query.get("status"))
    except ValueError as error:
        raise Problem(400, "invalid_query", f"`status`: {error}") from None
    said["min_cost"] = in_nano(call.query.get("min_cost"))
    if "min_cost" in call.query and (said["min_cost"] is None or said["min_cost"] < 0):
        raise Problem(400, "invalid_query", "`min_cost` is no amount of US dollars (0.05)")
    said["min_seconds"] = _seconds(call.query.get("min_seconds"))
    return Filter(**said)


def _seconds(text: str | None) -> float | None:
    try:
        found = None if text is None else float(text)
    except ValueError:
        found = -1.0
    if found is not None and not 0 <= found <= LONGEST_TIME:
        raise Problem(400, "invalid_query", "`min_seconds` is no number of seconds (1.5)")
    return found


def _place(text: str | None) -> Place | None:
    if text is None:
        return None
    time, _, id = text.rpartition(".")
    try:
        found = Place(float(time), id)
    except ValueError:
        found = Place(-1.0, "")
    if not 0 <= found.time <= LONGEST_TIME or not found.id:
        raise Problem(400, "invalid_query", "`before` is the `next` of another page")
    return found


def _told(stored: Stored) -> Any:
    return msgspec.json.decode(stored.raw)
