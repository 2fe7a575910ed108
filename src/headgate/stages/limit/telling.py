"""What clients are told of limits: what is left, in headers, and why there is no room, in an error."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import lru_cache
from math import inf, isfinite

from headgate.core.errors import LimitExceeded
from headgate.core.exchange import Exchange
from headgate.core.limits.ledger import Ledger
from headgate.core.limits.meter import Denied, Level
from headgate.core.limits.rule import Rule
from headgate.core.money import dollars

log = logging.getLogger("headgate.stages")

KINDS = {
    "requests": "requests", "tokens": "tokens", "input_tokens": "tokens", "output_tokens": "tokens", "money": "budget",
}  # fmt: skip
"""What is told of in headers, and as what."""


RATES = {
    kind: tuple(f"x-ratelimit-{what}-{kind}".encode() for what in ("limit", "remaining", "reset"))
    for kind in ("requests", "tokens")
}


def announce(exchange: Exchange, levels: Sequence[Level]) -> None:
    """What is left, in headers: of each kind, what is nearest to its end."""
    nearest: dict[str, Level] = {}
    for level in levels:
        kind = KINDS.get(level.meter.what)
        if kind is not None:
            other = nearest.get(kind)
            if other is None or level.left * other.meter.most < other.left * level.meter.most:
                nearest[kind] = level
    told = exchange.announced
    if told:  # by another try, of which what it says of limits is true no more
        told = [header for header in told if not header[0].startswith((b"x-ratelimit-", b"x-budget-"))]
    for kind, level in nearest.items():
        told += _budget(level) if kind == "budget" else _rate(kind, level)
    exchange.announced = told


def little_left(ledger: Ledger, level: Level) -> None:
    """For the operator: once in each window."""
    meter = level.meter
    ledger.warned[(meter.name,)] += 1
    used = 100 - 100 * level.left // meter.most if meter.most else 100
    log.warning("the limit %r is used to %d %%: %s of %s left", meter.name, used, *_amounts(level))


def exceeded(rule: Rule, denied: Denied) -> LimitExceeded:
    meter, demand = rule.meter, denied.demand
    left, whole = _amounts(Level(meter, denied.left, denied.after))
    wanted, _ = _amounts(Level(meter, demand.amount, 0))
    every = f" every {meter.window.every}" if meter.window is not None else " at a time"
    said = f"the limit {meter.name!r} is {whole}{every}, and {left} is left"
    if demand.amount > 1:
        said += f"; this request may take {wanted}"
    if denied.never:
        said += ", more than it ever allows"
        said += ": ask for a shorter answer (max_tokens)" if meter.most and demand.amount > 1 else ""
    elif isfinite(denied.after):
        said += f"; try again in {_duration(denied.after)}"
    error = LimitExceeded(said, retry_after=None if denied.never else min(denied.after, 86_400.0 * 31))
    if denied.after == inf:
        error.retry_after = 1
    error.status = rule.status
    if meter.what == "money":
        error.code = "budget_exceeded"
    error.limit = meter.name
    return error


def _amounts(level: Level) -> tuple[str, str]:
    """What is left, and all of it, with their unit."""
    meter = level.meter
    if meter.what == "money":
        return f"${dollars(level.left)}", f"${dollars(meter.amount)}"
    unit = "requests" if meter.what == "concurrency" else meter.what.replace("_", " ")
    return f"{level.left:,}", f"{meter.amount:,} {unit}"


def _rate(kind: str, level: Level) -> list[tuple[bytes, bytes]]:
    """As OpenAI tells it: https://platform.openai.com/docs/guides/rate-limits#rate-limits-in-headers."""
    limit, remaining, reset = RATES[kind]
    meter, left, resets = level
    return [(limit, b"%d" % meter.most), (remaining, b"%d" % left), (reset, _duration(resets).encode())]


def _budget(level: Level) -> list[tuple[bytes, bytes]]:
    return [
        (b"x-budget-limit", _whole(level.meter.amount)),
        (b"x-budget-remaining", (dollars(level.left) or "").encode()),
        (b"x-budget-reset", _duration(level.resets).encode()),
    ]


@lru_cache(1024)
def _whole(nano: int) -> bytes:
    """All of a budget, which is the same for each of its requests."""
    return (dollars(nano) or "").encode()


def _duration(seconds: float) -> str:
    """`6ms`, `1.5s`, `2m30s`, `3h0m0s`, as OpenAI writes it."""
    if seconds < 1:
        return f"{max(round(seconds * 1000), 0)}ms"
    return _tenths(round(seconds * 10)) if seconds < 60 else _minutes(int(-(-seconds // 1)))


@lru_cache(1024)
def _tenths(tenths: int) -> str:
    return f"{tenths / 10:.1f}".rstrip("0").rstrip(".") + "s"


@lru_cache(1024)
def _minutes(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{rest}s" if hours else f"{minutes}m{rest}s"
