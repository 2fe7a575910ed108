"""The admin API as an ASGI application: who asks, which endpoint, what it answers; all of it by the table."""

from __future__ import annotations

import asyncio
import difflib
import hashlib
import json
import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Match, Route

from headgate.admin import access
from headgate.admin.access import Who
from headgate.admin.call import ROOT, Call, Endpoint
from headgate.admin.control import Control
from headgate.admin.endpoints import ENDPOINTS
from headgate.admin.openapi import description
from headgate.admin.problems import Problem, refused
from headgate.admin.visit import SAFE, SESSION, Visit, same_token
from headgate.core.caller import ADMIN_OPERATION
from headgate.core.errors import GatewayError
from headgate.core.ids import Ids
from headgate.core.limits.meter import Demand, Denied, Meter
from headgate.core.limits.window import Calendar
from headgate.stages.authenticate import HEADERS
from headgate.store import answers
from headgate.store.database import StoreAway
from headgate.store.objects import Actor
from headgate.store.sealing import KeyAway, Unsealable
from headgate.store.sessions import Session

log = logging.getLogger("headgate.admin")

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

LONGEST, LONGEST_DOCUMENT, DEEPEST = 4 << 20, 32 << 20, 100
"""Bytes of a body, of one that is a whole document, and how deep it is nested."""
RATE = Meter("admin API", "requests", 1200, Calendar("minute"), burst=300)
VISITS = Meter("admin API, logins", "requests", 120, Calendar("minute"), burst=60)
STRANGERS = Meter("admin API, refused", "requests", 60, Calendar("minute"), burst=30)
VERSION = re.compile(r'(?:W/)?"(\d{1,15})"\Z')
KEY = re.compile(r"[!-~]{1,200}\Z")


def routes() -> list[tuple[Route, Endpoint, str]]:
    """Every path with its endpoint and kind."""
    found = []
    for endpoint in ENDPOINTS:
        for kind in endpoint.kinds or ("",):
            path = ROOT + endpoint.path.replace("{kind}", kind)
            if kind == "models":  # the only ones whose names may hold a slash
                path = path.replace("{name}", "{name:path}")
            found.append((Route(path, _unused, methods=[endpoint.method]), endpoint, kind))
    return found


async def _unused(request: Request) -> Response:
    raise AssertionError("routes are matched, not called")


class App:
    def __init__(self, control: Control) -> None:
        self.control = control
        self.routes = routes()
        self.next_id = Ids()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        id = self.next_id()
        try:
            response = await self._answer(scope, Request(scope, receive), id)
        except Problem as problem:
            response = _problem(problem)
        except StoreAway as away:
            response = _problem(Problem(503, "store_away", f"the store cannot be asked: {away}", retry_after="2"))
        except KeyAway as away:
            response = _problem(Problem(503, "key_away", str(away), retry_after="2"))
        except Unsealable as error:
            response = _problem(Problem(500, "secret_key", str(error)))
        except ClientDisconnect:
            return
        except Exception:  # the one place where what nobody foresaw becomes an answer
            log.exception("the call %s of the admin API failed", id)
            response = _problem(Problem(500, "internal_error", f"the gateway failed; its log says why under {id}"))
        response.headers["x-request-id"] = id
        response.headers["cache-control"] = "no-store"
        await response(scope, receive, send)

    async def _answer(self, scope: Scope, request: Request, id: str) -> Response:
        visit = self._visit(scope, request)
        found = self._found(scope)
        if not isinstance(found, Problem) and not found[0].roles:
            self._check_network(visit)
            await self._count(VISITS, f"visits {visit.address or 'local'}")
            who, session = access.STRANGER, None
        else:
            who, session = await self._who(scope, visit)
        if scope["path"] == f"{ROOT}/openapi.json" and scope["method"] in ("GET", "HEAD"):
            return JSONResponse(description())
        if isinstance(found, Problem):
            raise found
        endpoint, kind, name = found
        if endpoint.roles and who.role not in endpoint.roles:
            raise Problem(403, "forbidden", f"the role {who.role} may not do this")
        longest = LONGEST_DOCUMENT if endpoint.takes == "apply" else LONGEST
        body = await _body(request, longest) if endpoint.method in ("POST", "PUT", "PATCH") else {}
        actor = Actor(who.name, visit.address, id)
        version = _version(request)
        call = Call(self.control, who, actor, visit, session, kind, name, _query(scope), body, version)
        key = request.headers.get("idempotency-key")
        if endpoint.method == "POST" and endpoint.again and key is not None:
            return await self._once(call, endpoint, scope["path"], key)
        return _response(await endpoint.handler(call))

    def _visit(self, scope: Scope, request: Request) -> Visit:
        gateway, headers = self.control.running.gateway, request.headers
        address = gateway.client_of(scope["client"], scope["headers"])
        return Visit(
            gateway.address_of(scope), address, request.cookies, headers.get("user-agent", ""),
            headers.get("x-csrf-token"), headers.get("origin"), headers.get("sec-fetch-site"),
        )  # fmt: skip

    async def _who(self, scope: Scope, visit: Visit) -> tuple[Who, Session | None]:
        """Who asks, bound to this path's place in the table and to nothing else of the request: a key counts before a
        session, as no browser sends one by itself."""
        secret = visit.cookie(SESSION)
        if secret is not None and not any(name in HEADERS for name, _ in scope["headers"]):
            return await self._logged_in(secret, scope, visit)
        running = self.control.running
        try:
            caller = await running.gateway.admit(scope, ADMIN_OPERATION)
        except GatewayError as error:
            await self._count(STRANGERS, f"strangers {visit.address or 'local'}")
            raise refused(error) from None
        await self._count(RATE, f"admin {caller.key}")
        return self.control.who(caller), None

    async def _logged_in(self, secret: str, scope: Scope, visit: Visit) -> tuple[Who, Session]:
        self._check_network(visit)
        found = await self.control.logins.known(secret, visit, scope["path"])
        if found is None:
            await self._count(STRANGERS, f"strangers {visit.address or 'local'}")
            raise Problem(401, "session_ended", "you are not logged in, or not any more: log in again")
        await self._count(RATE, f"admin {found[0].name}")
        if scope["method"] not in SAFE:
            if visit.foreign() is not False:
                told = f"with a session, a change is made by a page of {visit.here}, and the browser says so (`origin`)"
                hint = "behind a proxy that ends TLS, name it in `server.trusted_proxies`"
                raise Problem(403, "cross_site", f"{told}; {hint}")
            if not same_token(visit.token, secret):
                told = "with a session, a change brings `x-csrf-token`: the `csrf` of the login's answer, or of GET /me"
                raise Problem(403, "csrf", told)
        return found

    def _check_network(self, visit: Visit) -> None:
        networks = self.control.running.gateway.authenticate.networks
        if networks is not None and not networks.admit(visit.address):
            raise Problem(403, "address_not_allowed", f"this gateway takes no requests from {visit.address}")

    async def _count(self, meter: Meter, counter: str) -> None:
        ledger = self.control.running.ledger
        outcome = await ledger.own.reserve([Demand(meter, counter, 1)], ledger.clock())
        if isinstance(outcome, Denied):
            wait = str(int(-(-outcome.after // 1)))
            raise Problem(429, "rate_limited", f"too many calls; try again in {wait} s", retry_after=wait)

    def _found(self, scope: Scope) -> tuple[Endpoint, str, str] | Problem:
        """The endpoint of a path, with kind and name; or why there is none, which a stranger is not told."""
        others = set()
        for route, endpoint, kind in self.routes:
            match, inner = route.matches(scope)
            if match is Match.FULL:
                return endpoint, kind, next(iter(inner["path_params"].values()), "")
            if match is Match.PARTIAL:
                others.add(endpoint.method)
        if others:
            allowed = ", ".join(sorted(others))
            return Problem(405, "method_not_allowed", f"this takes {allowed}", allow=allowed)
        return Problem(404, "not_found", self._nothing(scope["path"]))

    def _nothing(self, path: str) -> str:
        """What to say of a path that is none; what it may have meant, where the misspelt part is its first."""
        first = path.removeprefix(ROOT).strip("/").partition("/")[0]
        served = sorted({route.path.removeprefix(ROOT).split("/")[1] for route, _, _ in self.routes})
        near = difflib.get_close_matches(first[:100], served, n=1) if first not in served else []
        told = f"did you mean {ROOT}/{near[0]}?" if near else f"{ROOT}/openapi.json says what is"
        return f"nothing is served at this path; {told}"

    async def _once(self, call: Call, endpoint: Endpoint, path: str, key: str) -> Response:
        """A call that is made again under the same key is answered as before, and made once."""
        if not KEY.match(key):
            raise Problem(400, "invalid_header", "`idempotency-key` is 1 to 200 printable ASCII characters")
        database, seal, now = await self.control.database(), self.control.seal(), time.time()
        await asyncio.to_thread(seal.ready)  # later would be too late: the call would have been made
        text = json.dumps([endpoint.method, path, call.body], sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()
        before = await answers.begin(database, call.who.name, key, digest, now)
        if before is not None:
            if before.digest != digest:
                raise Problem(422, "idempotency_key_reused", "this `idempotency-key` was used for another call")
            if not before.status:
                raise Problem(
                    409, "still_running", "a call with this `idempotency-key` is still running", retry_after="1"
                )
            body = json.loads(await asyncio.to_thread(seal.open, before.body, f"answers/{call.who.name}/{key}"))
            return _response((before.status, body, [("idempotent-replayed", "true")]))
        try:
            answer = await endpoint.handler(call)
        except BaseException:
            with suppress(StoreAway):  # it is forgotten by itself after a while; what went wrong is what counts
                await answers.forget(database, call.who.name, key)
            raise
        kept = seal.seal(json.dumps(answer[1]), f"answers/{call.who.name}/{key}")
        await answers.finish(database, call.who.name, key, answer[0], kept)
        return _response(answer)


def _response(answer: Any) -> Response:
    status, body, headers = (*answer, ())[:3]
    plain = body is None or isinstance(body, bytes)  # which says what it is in its headers
    response = Response(body, status) if plain else JSONResponse(body, status)
    for name, value in headers:
        response.headers.append(name, value)
    return response


def _problem(problem: Problem) -> Response:
    return JSONResponse(problem.body(), problem.status, problem.headers, media_type="application/problem+json")


def _query(scope: Scope) -> Mapping[str, str]:
    text = scope["query_string"].decode("latin-1")
    if len(text) > 8192:
        raise Problem(400, "invalid_query", "the query is longer than 8 KiB")
    found: dict[str, str] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        if "\0" in value:
            raise Problem(400, "invalid_query", f"`{name[:50]}` holds a null character")
        found.setdefault(name, value)
    return found


async def _body(request: Request, longest: int) -> dict[str, Any]:
    data = b""
    async for piece in request.stream():
        data += piece
        if len(data) > longest:
            raise Problem(413, "too_large", f"the body is larger than {longest >> 20} MiB")
    if not data:
        return {}
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Problem(415, "unsupported_media_type", "send JSON, with content-type: application/json")
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise Problem(400, "invalid_json", "the body is not valid JSON") from None
    if not isinstance(found, dict):
        raise Problem(422, "invalid", "the body must be a JSON object")
    if _deep(found):
        raise Problem(422, "invalid", f"the body is nested more than {DEEPEST} deep")
    if b"\\u0000" in data or b"\\ud" in data.lower():
        _clean(found)
    return found


def _deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return False
    return True


def _clean(value: Any) -> None:
    """Text that neither engine keeps: null characters, halves of surrogate pairs."""
    if isinstance(value, dict):
        for name, inner in value.items():
            _clean(name)
            _clean(inner)
    elif isinstance(value, list):
        for inner in value:
            _clean(inner)
    elif isinstance(value, str) and ("\0" in value or any("\ud800" <= sign <= "\udfff" for sign in value)):
        raise Problem(422, "invalid", "text must hold no null character and no half of a surrogate pair")


def _version(request: Request) -> int | None:
    said = request.headers.get("if-match")
    if said is None or said.strip() == "*":
        return None
    match = VERSION.match(said.strip())
    if match is None:
        raise Problem(400, "invalid_header", '`if-match` is the `etag` of an object: "3"')
    return int(match[1])
