"""What operators ask a running gateway: why a request went where it went, and how the targets are."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import suppress
from math import isfinite
from typing import Any, Protocol, get_args

import msgspec

from headgate.core.breaker import State
from headgate.core.caller import ADMIN_OPERATION
from headgate.core.errors import GatewayError
from headgate.core.standing import Standing
from headgate.core.target import Target
from headgate.runtime.gateway import ADMIN, Gateway

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

Circuits = Mapping[tuple[str, ...], int]
"""In how many workers the circuit of a target is in a state."""

DECISIONS = b"/admin/api/decisions/"
TARGETS = b"/admin/api/targets"


class Gateways(Protocol):
    @property
    def gateway(self) -> Gateway: ...


async def answer(send: Send, status: int, body: bytes, *more: tuple[bytes, bytes]) -> None:
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        *more,
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def refuse(send: Send, status: int, code: str, message: str, *more: tuple[bytes, bytes]) -> None:
    await answer(send, status, msgspec.json.encode({"error": {"code": code, "message": message}}), *more)


class Operator:
    """A page for the admin key alone, asked for with GET; `tell` answers."""

    def __init__(self, gateways: Gateways, tell: Callable[[Scope, Send], Awaitable[None]]) -> None:
        self.gateways = gateways
        self.tell = tell

    async def __call__(self, scope: Scope, send: Send) -> None:
        try:
            caller = await self.gateways.gateway.admit(scope, ADMIN_OPERATION)
        except GatewayError as error:
            await refuse(send, error.status, error.code, error.message)
            return
        if caller.key != ADMIN:
            await refuse(send, 403, "forbidden", "this is for the admin key")
        elif scope["method"] not in ("GET", "HEAD"):
            told = f"{scope['path'][:200]} takes GET, not {scope['method']}"
            await refuse(send, 405, "method_not_allowed", told, (b"allow", b"GET, HEAD"))
        else:
            await self.tell(scope, send)


class Decisions:
    """`/admin/api/decisions/ID`: why a request went where it went. `read` gives the JSON of an id, or None; it is
    called in a thread."""

    def __init__(self, read: Callable[[str], bytes | None]) -> None:
        self.read = read

    async def __call__(self, scope: Scope, send: Send) -> None:
        id = scope["path"].removeprefix(DECISIONS.decode())
        try:
            found = await asyncio.to_thread(self.read, id)
        except OSError as error:
            await refuse(send, 503, "journal_unreadable", f"the records cannot be read: {error.strerror}")
            return
        if found is None:
            told = f"no request has the id {id[:100]!r}: it stands in `x-request-id` of its answer"
            await refuse(send, 404, "unknown_request", f"{told}, and its record may have been deleted meanwhile")
            return
        await answer(send, 200, found)


class Targets:
    """`/admin/api/targets`: every target of the configuration as this process sees it."""

    def __init__(self, gateways: Gateways, worker: int, workers: Callable[[str], Circuits] | None) -> None:
        """`workers` sums a metric over all of them; it is called in a thread."""
        self.gateways = gateways
        self.worker = worker
        self.workers = workers

    async def __call__(self, scope: Scope, send: Send) -> None:
        everywhere: Circuits = {}
        if self.workers is not None:
            with suppress(OSError):  # the log says it already, as their metrics cannot be read either
                everywhere = await asyncio.to_thread(self.workers, "headgate_circuits")
        now = time.monotonic()
        gateway = self.gateways.gateway
        by_standing: dict[int, Target] = {id(each.standing): each for each in gateway.named}
        names: dict[int, list[str]] = {}
        for name, alias in gateway.route.aliases.items():
            for standing in {id(target.standing) for target in alias.everyone}:
                names.setdefault(standing, []).append(name)
        told = [_target(target, names.get(standing, []), now) for standing, target in by_standing.items()]
        for found in told if everywhere else ():
            counts = {state: everywhere.get((found["target"], state), 0) for state in get_args(State)}
            found["circuit"]["in_workers"] = {state: count for state, count in counts.items() if count}
        await answer(send, 200, msgspec.json.encode({"worker": self.worker, "targets": told}))


def _target(target: Target, names: list[str], now: float) -> dict[str, Any]:
    standing, breaker = target.standing, target.standing.breaker
    answered, failed = standing.window.counts(now)
    found: dict[str, Any] = {
        "target": standing.target,
        "models": names,
        "circuit": {"state": breaker.state(now), "opened": breaker.opened},
        "running": standing.running,
        "last_30_seconds": {"answered": answered, "failed": failed},
        "seconds": _seconds(standing, now),
        "limits": _limits(target, now),
        "keys": [_key(target, now, number) for number in range(len(target.provider.arms))],
    }
    if breaker.until:
        found["circuit"] |= {"why": breaker.why, "asked_again_in": round(max(breaker.until - now, 0.0), 1)}
    return found


def _seconds(standing: Standing, now: float) -> dict[str, float]:
    """Of late; what is not known is left out."""
    known = {
        "first_token": standing.first.read(now),
        "answer": standing.total.read(now),
        "first_token_p50": standing.streams.quantile(now, 0.5),
        "first_token_p95": standing.streams.quantile(now, 0.95),
        "answer_p50": standing.window.quantile(now, 0.5),
        "answer_p95": standing.window.quantile(now, 0.95),
    }
    return {name: round(value, 4) for name, value in known.items() if value and isfinite(value)}


def _limits(target: Target, now: float) -> dict[str, Any]:
    standing, terms = target.standing, target.terms
    found: dict[str, Any] = {}
    if standing.gate is not None:
        found |= {"concurrency": standing.gate.limit, "waiting": standing.gate.waiting, "queue": terms.queue}
    if standing.requests is not None and isfinite(terms.requests_per_minute):
        found["requests"] = {"of_this_minute": standing.requests.sum(now), "most": terms.requests_per_minute}
    if standing.tokens is not None and isfinite(terms.tokens_per_minute):
        found["tokens"] = {"of_this_minute": standing.tokens.sum(now), "most": terms.tokens_per_minute}
    return found


def _key(target: Target, now: float, number: int) -> dict[str, Any]:
    arm = target.provider.arms[number]
    credential = arm.credential
    told: dict[str, Any] = {"name": credential.name, "state": credential.state(now), "weight": arm.weight}
    if told["state"] in ("exhausted", "invalid"):
        told["tried_again_in"] = round(credential.until - now, 1)
    words = credential.told_of(target.model, now)
    return {**told, "for_this_model": words} if words != told["state"] else told
