"""Which answers are kept, and how one is written down."""

from __future__ import annotations

import random

from headgate.core.cached import Asked, Entry, Terms
from headgate.core.cause import REFUSED
from headgate.core.errors import GatewayError
from headgate.core.events import Failed, Refusal, Result, Stop, ToolCall
from headgate.core.reply import Reply
from headgate.stages.cache import beyond
from headgate.stages.cache.control import tags
from headgate.stages.cache.flight import Flight


def entry(flight: Flight, terms: Terms, now: float, dialect: str, body: bytes, asked: Asked | None = None) -> Entry:
    """Of a call that was answered; `body` is in `dialect`."""
    fork, reply = flight.fork, flight.reply
    assert reply is not None
    assert fork.target is not None
    caller = fork.caller
    seconds = terms.seconds * (1.0 - terms.jitter * random.random())  # noqa: S311  # luck, not a secret
    return Entry(
        dialect,
        reply.stream,
        body,
        fork.target.name,
        flight.first.record.time,
        now + seconds,
        flight.first.id,
        fork.decision.alias or fork.model,
        caller.key if caller is not None else "",
        (caller.belongs.team if caller is not None else None) or "",
        (caller.belongs.organisation if caller is not None else None) or "",
        tuple(fork.lost),
        (caller.belongs.user if caller is not None else None) or "",
        tags(flight.first.headers, flight.first.wishes),
        now + seconds + max(terms.stale, terms.stale_if_error),
        asked,
        reply.content_type or b"",
        flight.took,
        flight.first.end_user,
    )


def fit(reply: Reply, body: bytes, terms: Terms) -> bool:
    """Whether an answer is one to give again: whole, no refusal, no call of a tool unless that is wanted, and nothing
    that is elsewhere."""
    if reply.account.finish in REFUSED:
        return False
    reader = reply.dialect.reader(reply.stream)
    whole = False
    try:
        events = [*reader.feed(body), *reader.end()]
    except GatewayError:
        return False
    for event in events:
        if isinstance(event, Failed | Refusal) or (isinstance(event, ToolCall) and not terms.tool_calls):
            return False
        if isinstance(event, Result) and not beyond.lasting(event.value):
            return False
        if isinstance(event, Stop):
            whole = event.reason in ("stop", "stop_sequence", "length") or (
                event.reason == "tool_use" and terms.tool_calls
            )
            if not whole:
                return False
    return whole
