"""Alerts: which there are and were, and what became of them; a silence of one; a test of a channel."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from pydantic import Field

from headgate.admin.call import LONGEST_PAGE, PAGE, Answer, Body, Call, moment, number, read, time_told
from headgate.admin.control import Wanted
from headgate.admin.problems import Problem, missing
from headgate.alerts import history
from headgate.alerts.alert import Alert
from headgate.alerts.book import Happened
from headgate.alerts.channels.channel import Item, Message, Undelivered
from headgate.alerts.post import Way, Ways
from headgate.config.section import Section
from headgate.store.objects import Objects

STATES = ("pending", "firing", "resolved")
WANTED = frozenset({"state", "rule", "severity", "since", "until", "limit", "before"})
PATIENCE = 30.0
"""Seconds that a channel has to take a test."""
LABELS = {"rule": "test", "severity": "info"}


class SilenceAlert(Section):
    """For how long nobody is told of an alert."""

    seconds: int = Field(14_400, ge=60, le=86_400 * 366, description="For how long, in seconds.")
    reason: str = Field("", max_length=500, description="Why.")


async def list_alerts(call: Call) -> Answer:
    """A page, the latest first; those that are pending or firing, unless `state` says otherwise."""
    unknown = set(call.query) - WANTED
    if unknown:
        raise Problem(400, "invalid_query", f"`{min(unknown)[:50]}` is nothing to filter by")
    said = call.query.get("state", "pending,firing")
    states = STATES if said == "all" else tuple(filter(None, said.split(",")))
    if not set(states) <= set(STATES):
        raise Problem(400, "invalid_query", f"`state` is `all`, or some of {', '.join(STATES)}, with commas")
    limit = number(call, "limit", PAGE, LONGEST_PAGE)
    asked = history.Asked(
        states, call.query.get("rule"), call.query.get("severity"), moment(call, "since"), moment(call, "until"),
        _before(call.query.get("before")), limit,
    )  # fmt: skip
    if not call.control.has_store():
        return 200, {"items": [], "next": None}
    found = await history.found(await call.control.database(), asked)
    next = f"{found[-1].began!r}.{found[-1].id}" if len(found) == limit else None
    return 200, {"items": list(map(told, found)), "next": next}


async def get_alert(call: Call) -> Answer:
    """One, with what became of it."""
    alert, events = await _one(call)
    happened = [{"time": time_told(each.time), "what": each.what, "detail": each.detail} for each in events]
    return 200, {**told(alert), "events": happened}


async def silence_alert(call: Call) -> Answer:
    """Nobody is told of this alert, or of another with the same labels, for a while."""
    asked = read(SilenceAlert, call.body)
    alert, _ = await _one(call)
    until = time.time() + asked.seconds
    name, match = f"alert-{alert.id}", {key: [_literal(value)] for key, value in alert.labels.items()}
    body = {"match": match, "until": time_told(until), "by": call.who.name, "reason": asked.reason}
    known = any(each.name == name for each in await call.control.entries("silences"))
    wanted = Wanted("replace" if known else "create", "silences", name, lambda before: body)
    await call.control.change(call.who, [wanted], call.actor)
    return 200, {"name": name, **body}


async def test_channel(call: Call) -> Answer:
    """Send a message now, as of an alert that fires and is resolved."""
    await call.control.entry(call.who, "channels", call.name)
    loaded = call.control.running.loaded
    entry = loaded.config.channels.get(call.name)
    if entry is None:
        raise Problem(409, "not_in_force", f"channels/{call.name} is not in force")
    anywhere = ("channels", call.name) not in loaded.merged.stored
    ca_file, now = loaded.config.upstream.ca_file, time.time()
    ways = Ways(loaded.config.alerting.networks, str(ca_file) if ca_file else None)
    channel = entry.type(entry.settings, Way(ways, anywhere=anywhere))
    alert = Alert(
        id=f"test-{call.actor.request}", rule="test", of={}, labels=LABELS, severity="info", state="firing",
        began=now, fired=now, summary=f"a test of the channel {call.name}, sent by {call.who.name}",
    )  # fmt: skip
    message = Message(
        alert.id, "test", [Item("firing", alert), Item("resolved", alert)], loaded.config.alerting.url
    )  # fmt: skip
    try:
        async with asyncio.timeout(PATIENCE):
            await channel.send(message)
    except (Undelivered, TimeoutError) as error:
        why = str(error) or f"no answer within {PATIENCE:g} s"
        raise Problem(502, "undelivered", f"the channel {call.name} did not take it: {why}") from None
    finally:
        await ways.close()
    if call.control.has_store():
        await Objects(await call.control.database()).note(
            "test", "channels", call.name, call.actor, {"delivered": True}
        )
    return 200, {"delivered": True}


async def _one(call: Call) -> tuple[Alert, list[Happened]]:
    found = None
    if call.control.has_store():
        found = await history.one(await call.control.database(), call.name)
    if found is None:
        raise missing("alerts", call.name)
    return found


def told(alert: Alert) -> Body:
    def at(seconds: float | None) -> str | None:
        return None if seconds is None else time_told(seconds)

    return {
        "id": alert.id, "rule": alert.rule, "state": alert.state, "severity": alert.severity, "labels": alert.labels,
        "summary": alert.summary, "value": alert.value, "limit": alert.limit, "began": at(alert.began),
        "fired": at(alert.fired), "resolved": at(alert.resolved), "why": alert.why or None,
        "silence": alert.silence, "told": alert.told,
    }  # fmt: skip


def _literal(text: str) -> str:
    """A pattern that only the text itself fits."""
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in text)


def _before(text: str | None) -> tuple[float, str] | None:
    if text is None:
        return None
    began, _, id = text.rpartition(".")
    try:
        found = float(began)
    except ValueError:
        found = -1.0
    if not 0 <= found < 1e11 or not id:
        raise Problem(400, "invalid_query", "`before` is the `next` of another page")
    return found, id


TEXT: dict[str, Any] = {"type": "string"}
MAYBE: dict[str, Any] = {"type": ["string", "null"]}
ALERT: Body = {
    "type": "object",
    "required": ["id", "rule", "state", "severity", "labels", "summary"],
    "properties": {
        "id": TEXT, "rule": TEXT, "state": {"enum": list(STATES)},
        "severity": {"enum": ["info", "warning", "critical"]},
        "labels": {"type": "object", "additionalProperties": TEXT}, "summary": TEXT,
        "value": {"type": ["number", "null"]}, "limit": {"type": ["number", "null"]},
        "began": TEXT, "fired": MAYBE, "resolved": MAYBE,
        "why": {**MAYBE, "description": "It was resolved otherwise than by becoming well."},
        "silence": {**MAYBE, "description": "The silence for whose sake nobody is told."},
        "told": {"type": "array", "items": TEXT, "description": "The channels that know of it."},
        "events": {
            "type": "array",
            "description": "What became of it, in order; of one alert alone.",
            "items": {"type": "object", "properties": {"time": TEXT, "what": TEXT, "detail": TEXT}},
        },
    },
}  # fmt: skip
SCHEMAS: Body = {
    "Alert": ALERT,
    "Alerts": {
        "type": "object",
        "required": ["items", "next"],
        "properties": {"items": {"type": "array", "items": {"$ref": "#/components/schemas/Alert"}}, "next": MAYBE},
    },
}
_MOMENT = {"type": "string", "format": "date-time"}
QUERY: list[tuple[str, dict[str, Any], str]] = [
    ("state", TEXT, "`all`, or some of `pending`, `firing`, `resolved`, with commas; the first two without it."),
    ("rule", TEXT, "Of this rule."),
    ("severity", TEXT, "Of this severity."),
    ("since", _MOMENT, "That began not before."),
    ("until", _MOMENT, "That began before."),
    ("limit", {"type": "integer", "minimum": 1, "maximum": 1000}, "Most alerts of the page; 100 without it."),
    ("before", TEXT, "The `next` of the page before."),
]
