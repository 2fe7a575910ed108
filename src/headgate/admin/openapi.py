"""The admin API's description (OpenAPI 3.1), made from its table."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import headgate
from headgate.admin import alerts
from headgate.admin.as_code import DESCRIBED
from headgate.admin.call import ROOT, Endpoint
from headgate.admin.endpoints import BODIES, ENDPOINTS, SECTIONS
from headgate.admin.requests import SCHEMA
from headgate.admin.visit import PREFIX, SESSION
from headgate.journal.read import EQUAL
from headgate.records.sums import SUMS
from headgate.records.usage import DIMENSIONS, PERIODS

NAMES = {"name": "name", "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
IDS = {**NAMES, "name": "id"}
QUERIES: dict[str, list[tuple[str, dict[str, Any], str]]] = {
    "list_objects": [
        ("limit", {"type": "integer", "minimum": 1, "maximum": 1000}, "Most objects of the page; 100 without it."),
        ("after", {"type": "string"}, "The `next` of the page before."),
    ],
    "export_document": [
        ("all", {"type": "boolean"}, "The sections of the file, too."),
    ],
    "audit": [
        ("limit", {"type": "integer", "minimum": 1, "maximum": 1000}, "Most changes of the page; 100 without it."),
        ("before", {"type": "string", "pattern": r"^\d{1,15}\.\d{1,15}$"}, "The `next` of the page before."),
        ("kind", {"type": "string"}, "Of these objects."),
        ("name", {"type": "string"}, "Of this object."),
        ("actor", {"type": "string"}, "By whom."),
        ("action", {"type": "string"}, "What was done: `create`, `replace`, `delete`, `password`, `login` …"),
        ("since", {"type": "string", "format": "date-time"}, "Not before."),
        ("until", {"type": "string", "format": "date-time"}, "Before."),
    ],
}
QUERIES["leave"] = [("next", {"type": "string"}, "To which page of this host to come back, if any.")]
QUERIES["list_sessions"] = [
    ("limit", {"type": "integer", "minimum": 1, "maximum": 1000}, "Most sessions; 100 without it."),
    ("user", {"type": "string"}, "Of this user."),
]
_TEXT = {"type": "string"}
QUERIES["list_requests"] = [
    ("limit", {"type": "integer", "minimum": 1, "maximum": 1000}, "Most requests of the page; 100 without it."),
    ("before", _TEXT, "The `next` of the page before."),
    ("since", {"type": "string", "format": "date-time"}, "That came in not before."),
    ("until", {"type": "string", "format": "date-time"}, "That came in before."),
    ("status", _TEXT, "The HTTP status the client was given: `429`, `5xx`."),
    ("target", _TEXT, "`provider/model`, or a provider."),
    ("tag", _TEXT, "That carry this tag."),
    ("trace", _TEXT, "That are part of this trace."),
    ("min_cost", _TEXT, "That cost so many US dollars at least."),
    ("min_seconds", {"type": "number", "minimum": 0}, "That took so long at least."),
    *((name, _TEXT, f"Of this `{name}`.") for name in EQUAL),
]
QUERIES["list_alerts"] = alerts.QUERY
_SPAN: list[tuple[str, dict[str, Any], str]] = [
    ("month", {"type": "string", "pattern": r"^\d{4}-\d{2}$"}, "Of this month; else the current one, until now."),
    ("since", {"type": "string", "format": "date-time"}, "From this hour on."),
    ("until", {"type": "string", "format": "date-time"}, "Up to the end of this hour."),
    ("zone", _TEXT, "Whose days count: `Europe/Berlin`; else as configured in `reports.time_zone`."),
]
QUERIES["get_summary"] = QUERIES["get_waste"] = QUERIES["get_page"] = _SPAN
QUERIES["get_months"] = QUERIES["get_forecast"] = _SPAN[-1:]
QUERIES["get_usage"] = [
    ("by", _TEXT, f"Up to two of {', '.join(DIMENSIONS)}, tag:NAME; `team` without it, one sum where it is empty."),
    *_SPAN,
    ("order", {"enum": list(SUMS)}, "What the first have most of; `cost` without it."),
    ("limit", {"type": "integer", "minimum": 1, "maximum": 1000}, "Most sums of the page; 100 without it."),
    ("after", {"type": "integer", "minimum": 0}, "The `next` of the page before."),
    ("format", {"enum": ["json", "csv"]}, "`csv`: all sums as a file, not page by page."),
    *((name, _TEXT, f"Of this `{name}`.") for name in DIMENSIONS if name not in PERIODS),
]
ANSWERS = {
    "apply_document": "Plan", "export_document": "Export", "limits_now": "Levels", "list_requests": "Requests",
    "list_alerts": "Alerts", "get_alert": "Alert",
}  # fmt: skip
"""What is answered, where it is no object."""
LEVELS = {
    "type": "object",
    "required": ["source", "complete", "items"],
    "properties": {
        "source": {
            "enum": ["shared", "this process"],
            "description": "Whose counters they are: of the state that processes share, or of the one that answers.",
        },
        "complete": {"type": "boolean", "description": "False: there are more counters than these."},
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["limit", "what", "counter", "used", "held", "per", "resets_in"],
                "properties": {
                    "limit": {"type": "string"},
                    "what": {"type": "string", "description": "What is counted; of money, nanodollars."},
                    "counter": {"type": "string"},
                    "used": {"type": "integer"},
                    "held": {"type": "integer", "description": "By requests that are under way."},
                    "per": {"type": "array", "items": {"type": "string"}},
                    "resets_in": {"type": ["number", "null"], "description": "Seconds; null: it has no window."},
                },
            },
        },
    },
}
ERRORS = {
    "400": "The call is malformed.", "401": "No key or session, or none of ours.", "403": "The role may not do this.",
    "404": "There is none, or none that you may see.", "409": "It stands in the file, or is there already.",
    "412": "It was changed meanwhile.", "413": "The body is too large.", "415": "It is not JSON.",
    "422": "The configuration would not be in order with it: `errors` says where.", "429": "Too many calls.",
    "502": "The channel did not take it.",
    "501": "What it needs is not installed.",
    "503": "The store, or what keeps the key of secrets, cannot be asked, or there is too much to do.",
}  # fmt: skip
OBJECT = {
    "type": "object",
    "required": ["name", "origin", "body"],
    "properties": {
        "name": {"type": "string"},
        "origin": {"enum": ["file", "store"], "description": "What stands in the file is read-only here."},
        "version": {"type": "integer"},
        "created": {"type": "string", "format": "date-time"},
        "changed": {"type": "string", "format": "date-time"},
        "changed_by": {"type": "string"},
        "body": {"type": "object"},
        "login": {
            "type": "object",
            "description": "Of a user: what it logs in with.",
            "properties": {"password": {"type": "boolean"}, "second_factor": {"type": "boolean"}},
        },
        "key": {"type": "string", "description": "The key itself, told when it is made and never again."},
    },
}


STATUSES = {
    "leave": ["303"], "come_back": ["200", "303"],
    "create_object": ["201"], "delete_object": ["204"], "log_out": ["204"], "end_session": ["204"],
    "set_password": ["204"], "set_second_factor": ["200", "204"], "take_second_factor": ["204"],
}  # fmt: skip
"""Of those that answer otherwise than with 200."""


@lru_cache(1)
def description() -> dict[str, Any]:
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in ENDPOINTS:
        for kind in endpoint.kinds or ("",):
            path = ROOT + endpoint.path.replace("{kind}", kind)
            paths.setdefault(path, {})[endpoint.method.lower()] = _operation(endpoint, kind)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Headgate admin API", "version": headgate.__version__},
        "security": [{"key": []}, {"session": [], "token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer"},
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": SESSION,
                    "description": f"`{PREFIX}{SESSION}` over HTTPS.",
                },
                "token": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "x-csrf-token",
                    "description": "Of calls with a session "
                    "that change something, which have to come from a page of the gateway's own, too.",
                },
            },
            "schemas": {
                "Object": OBJECT,
                "Problem": _problem(),
                "Levels": LEVELS,
                "Requests": SCHEMA,
                **DESCRIBED,
                **alerts.SCHEMAS,
                **_bodies(),
            },
        },
    }


def _operation(endpoint: Endpoint, kind: str) -> dict[str, Any]:
    name = endpoint.handler.__name__
    parameters = [NAMES] if "{name}" in endpoint.path else [IDS] if "{id}" in endpoint.path else []
    parameters += [
        {"name": query, "in": "query", "required": False, "schema": schema, "description": about}
        for query, schema, about in QUERIES.get(name, ())
    ]
    if endpoint.method in ("PUT", "PATCH", "DELETE") and kind:
        about = "The version it is made of; otherwise refused with 412."
        parameters.append({"name": "if-match", "in": "header", "schema": {"type": "string"}, "description": about})
    if endpoint.method == "POST" and endpoint.again:
        about = "A call that is made again with the same one is answered as before."
        schema = {"type": "string", "pattern": "^[!-~]{1,200}$"}
        parameters.append({"name": "idempotency-key", "in": "header", "schema": schema, "description": about})
    found: dict[str, Any] = {
        "operationId": f"{name}_{kind}" if kind else name,
        "summary": endpoint.summary,
        "tags": [kind or "other"],
        "parameters": parameters,
        "responses": _responses(endpoint, name),
    }
    if not endpoint.roles:
        found["security"] = []
    if endpoint.takes is not None:
        found["requestBody"] = {"required": True, "content": {"application/json": {"schema": _taken(endpoint, kind)}}}
    return found


def _responses(endpoint: Endpoint, name: str) -> dict[str, Any]:
    objects = name in ("get_object", "create_object", "replace_object", "patch_object", "rotate_key", "revoke_key")
    answer = "Object" if objects else ANSWERS.get(name)
    schema: dict[str, Any] = {"$ref": f"#/components/schemas/{answer}"} if answer is not None else {"type": "object"}
    statuses = STATUSES.get(name, ["200"])
    good: dict[str, Any] = {"description": "Done."}
    if statuses not in (["204"], ["303"]):
        good["content"] = {"application/json": {"schema": schema}}
    bad = {"$ref": "#/components/schemas/Problem"}
    errors = {
        code: {"description": about, "content": {"application/problem+json": {"schema": bad}}}
        for code, about in ERRORS.items()
    }
    return {**dict.fromkeys(statuses, good), **errors}


def _taken(endpoint: Endpoint, kind: str) -> dict[str, Any]:
    if endpoint.takes is not None and endpoint.takes in BODIES:
        return {"$ref": f"#/components/schemas/{BODIES[endpoint.takes].__name__}"}
    if endpoint.takes == "entry":
        return {"type": "object", "required": ["name"], "properties": {"name": {"type": "string", "minLength": 1}}}
    return {"type": "object"} if SECTIONS[kind] is None else {"type": "object", "description": f"As in `{kind}`."}


def _problem() -> dict[str, Any]:
    text = {"type": "string"}
    wrong = {"type": "object", "properties": {"path": text, "message": text, "hint": text}}
    return {
        "type": "object",
        "required": ["type", "title", "status", "code", "detail"],
        "properties": {
            "type": text, "title": text, "status": {"type": "integer"}, "code": text, "detail": text,
            "errors": {"type": "array", "items": wrong},
        },
    }  # fmt: skip


def _bodies() -> dict[str, Any]:
    return {
        model.__name__: model.model_json_schema(ref_template="#/components/schemas/{model}")
        for model in BODIES.values()
    }
