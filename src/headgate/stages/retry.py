"""Try the targets until one has begun to answer; after the first frame nothing is tried again."""

from __future__ import annotations

import asyncio
import time
from math import inf
from typing import NamedTuple

from headgate.core.cause import REFUSED, cause
from headgate.core.errors import (
    GatewayError,
    LimitExceeded,
    NoCredentials,
    Overloaded,
    ProviderError,
    ProviderRefused,
    ProviderTimeout,
    ProviderUnreachable,
    Unsupported,
)
from headgate.core.exchange import Exchange
from headgate.core.gate import Gate
from headgate.core.labels import URGENCY
from headgate.core.plan import Plan, Retries, Turn
from headgate.core.record import Attempt
from headgate.core.reply import Reply
from headgate.core.sliding import Sliding
from headgate.core.target import PLAIN, Target
from headgate.stages.stage import Allowance, Clock, Proceed

REMEMBERED = 4000
"""Targets."""
NOT_SENT = (Unsupported, Overloaded, ProviderUnreachable, NoCredentials)
"""Errors after which the provider knows of nothing."""


class Retry:
    """As core.plan says: the next target at once; the same one again after a wait with full jitter, or as long as it
    asks for, and as often as the retry budget allows.

    A target that asks (`retry-after`) for more than `max_backoff` is not waited for: its error goes to the client,
    whose own SDK knows how to wait.
    """

    def __init__(self, retries: Retries, clock: Clock = time.monotonic, allowance: Allowance | None = None) -> None:
        """`allowance`: where there are limits by provider."""
        self.retries = retries
        self.clock = clock
        self.allowance = allowance
        self._first: dict[Target, Turn] = {}
        """The first attempt at a target of which there is nothing to consider, made once."""

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Reply:
        if exchange.trace is not None:
            exchange.trace.marks.append(("retry", time.perf_counter()))
        failure: GatewayError | None = None
        failed = kept = plan = None
        turn = self._at_once(exchange)
        if turn is None:
            plan = self._plan(exchange, None)
            turn = plan.next(self.clock())
        while turn is not None:
            if turn.wait:
                await _rest(turn)
            try:
                ask = self._ask if self.allowance is None else self._limited
                reply = await ask(exchange, proceed, turn)
            except GatewayError as error:
                plan = plan or self._plan(exchange, turn)
                way = plan.failed(turn, error, self.clock())
                if kept is None and (way == "stop" or exchange.spent):
                    raise
                # Its traceback holds this frame, and with it both bodies: a cycle that only the collector would end
                if failure is None or isinstance(error, ProviderError) or _sooner(error, failure):
                    failure, failed = error.with_traceback(None), turn.target
            else:
                if kept is not None or not _refused(reply):
                    return reply
                plan = plan or self._plan(exchange, turn)
                if not plan.refused():
                    return reply
                kept, failed = reply, turn.target
                exchange.attempts[-1].usage = reply.account.usage
            turn = plan.next(self.clock())
        exchange.target = failed or exchange.target
        if kept is not None:
            _given(exchange, kept)
            return kept
        assert plan is not None
        try:
            raise failure or plan.nobody(self.clock())
        finally:
            del failure

    def _at_once(self, exchange: Exchange) -> Turn | None:
        """The first attempt, where there is nothing to consider: the way of nearly every request. A plan is made only
        if it fails."""
        target = exchange.targets[0]
        standing = target.standing
        if standing.breaker.until or standing.gate is not None or exchange.manner is not PLAIN:
            return None
        turn = self._first.get(target)
        if turn is None and len(target.provider.arms) <= 1:
            if len(self._first) >= REMEMBERED:
                self._first.clear()
            arm = next(iter(target.provider.arms), None)
            turn = self._first[target] = Turn(target, arm, 0.0, inf, inf, again=False, probe=0)
        return turn

    def _plan(self, exchange: Exchange, begun: Turn | None) -> Plan:
        plan = Plan(exchange, self.retries, self.clock())
        if begun is not None:
            plan.begun(begun)
        return plan

    async def _ask(self, exchange: Exchange, proceed: Proceed, turn: Turn) -> Reply:
        """One attempt, of which the target's standing and the record are told. Raises GatewayError."""
        target, arm = turn.target, turn.arm
        standing, gate = target.standing, target.standing.gate
        if gate is not None:
            await self._enter(exchange, turn)
        exchange.target = target
        exchange.host = arm.provider if arm is not None else target.provider
        attempt = Attempt(target.name)
        if arm is not None and len(target.provider.arms) > 1:
            attempt.credential = arm.credential.name
        exchange.attempts.append(attempt)
        if exchange.trace is not None:
            attempt.began = time.perf_counter() - exchange.clock
        started = self.clock()
        tokens = exchange.tokens if standing.tokens is not None else 0.0
        standing.begun(started, again=turn.again, tokens=tokens)
        reply = None
        try:
            reply = await proceed(exchange) if turn.limit == inf else await _within(turn, started, exchange, proceed)
        except Unsupported:
            # Nobody was asked. Another target may be able to say it; that this one cannot is told if none answers.
            exchange.attempts.remove(attempt)
            standing.unasked(started, again=turn.again, tokens=tokens)
            raise
        except GatewayError as error:
            attempt.status = error.status if isinstance(error, ProviderRefused) else None
            attempt.error = error.code
            attempt.message = error.message[:500]
            _tell(turn, exchange, error, self.clock(), started)
            raise
        else:
            attempt.status = reply.status
            now = self.clock()
            standing.answered(now, now - started, reply.stream, probe=turn.probe, slow=target.terms.slow_after)
            if arm is not None:
                arm.credential.taken(target.model, now, started)
            counted = Counted(started, tokens, standing.tokens)
            exchange.ending.callback(_over, exchange, turn, reply, gate, counted, self.clock)
            return reply
        finally:
            attempt.seconds = round(self.clock() - started, 6)
            if reply is None:
                standing.ended(self.clock(), None)
                if turn.probe:
                    standing.breaker.release(turn.probe)
                if gate is not None:
                    gate.leave()

    async def _enter(self, exchange: Exchange, turn: Turn) -> None:
        """Wait for a place at a target that takes only so many requests at a time. Raises Overloaded."""
        gate, terms = turn.target.standing.gate, turn.target.terms
        assert gate is not None
        tenant = exchange.caller.key if exchange.caller is not None else ""
        try:
            await gate.enter(
                URGENCY[exchange.priority],
                tenant,
                terms.queue,
                min(terms.queue_seconds, _patience(turn)),
                turn.target.name,
            )
        except BaseException:
            if turn.probe:
                turn.target.standing.breaker.release(turn.probe)
            raise

    async def _limited(self, exchange: Exchange, proceed: Proceed, turn: Turn) -> Reply:
        """One attempt, of which limits by provider are told. Raises GatewayError."""
        assert self.allowance is not None
        try:
            taken = await self.allowance.take(exchange, turn.target, _patience(turn), patient=turn.patient)
        except BaseException:
            if turn.probe:
                turn.target.standing.breaker.release(turn.probe)
            raise
        if taken is None:
            return await self._ask(exchange, proceed, turn)
        try:
            reply = await self._ask(exchange, proceed, turn)
        except NOT_SENT:
            taken.unasked()
            raise
        except asyncio.CancelledError:
            taken.left()
            raise
        except BaseException:
            taken.unanswered()
            raise
        exchange.ending.callback(taken.over, reply)
        return reply


def _patience(turn: Turn) -> float:
    """Seconds for which it may stand in a line."""
    return inf if turn.until == inf else turn.limit


def _sooner(error: GatewayError, than: GatewayError) -> bool:
    """Of two limits that have no room, the one that has some first."""
    limits = isinstance(error, LimitExceeded) and isinstance(than, LimitExceeded)
    return limits and (error.retry_after or inf) < (than.retry_after or inf)


async def _rest(turn: Turn) -> None:
    """The wait before an attempt. Whose client goes away meanwhile is no probe any more."""
    try:
        await asyncio.sleep(turn.wait)
    except asyncio.CancelledError:
        if turn.probe:
            turn.target.standing.breaker.release(turn.probe)
        raise


async def _within(turn: Turn, now: float, exchange: Exchange, proceed: Proceed) -> Reply:
    seconds = min(turn.limit, max(turn.until - now, 0.0))  # less where it stood in line before
    try:
        async with asyncio.timeout(seconds) as timeout:
            return await proceed(exchange)
    except TimeoutError:
        if not timeout.expired():
            raise
        told = "begun to answer" if exchange.stream else "answered"
        raise ProviderTimeout(f"{turn.target.name} had not {told} after {seconds:.3g} s") from None


def _tell(turn: Turn, exchange: Exchange, error: GatewayError, now: float, started: float) -> None:
    """What a failure says of the target, and of the key it was asked with."""
    target, standing = turn.target, turn.target.standing
    why = cause(error)
    credential = turn.arm.credential if turn.arm is not None and exchange.dialect.operation != "opaque" else None
    if why == "rate_limit" and credential is not None:
        credential.limited(target.model, now, error.retry_after)
    elif why == "denied" and credential is not None:
        credential.denied(target.model, now)
    elif why in ("quota", "key") and credential is not None:
        credential.refused(now, "invalid" if why == "key" else "exhausted", f"{target.name} answered {error.status}")
    elif why is None and isinstance(error, ProviderError) and error.retryable:
        waited = now - started if isinstance(error, ProviderTimeout) else None
        told = f"{error.status} {error.code}" if isinstance(error, ProviderRefused) else error.code
        # how long a whole answer takes is up to the client, who is not to have targets taken for broken
        cut = waited is not None and turn.limit != inf and not exchange.stream
        standing.failed(now, told, waited, stream=exchange.stream, probe=turn.probe, certain=not cut)


def _given(exchange: Exchange, kept: Reply) -> None:
    """It goes to the client, and counts as the answer."""
    for attempt in exchange.attempts:
        if attempt.usage is kept.account.usage:
            attempt.usage = None


def _refused(reply: Reply) -> bool:
    """The model, or a filter in front of it, would not answer."""
    return reply.account.complete and reply.account.finish in REFUSED


class Counted(NamedTuple):
    """What a target was said to be asked: when, about how many tokens, and where they were counted."""

    started: float
    tokens: float
    where: Sliding | None


def _over(exchange: Exchange, turn: Turn, reply: Reply, gate: Gate | None, counted: Counted, clock: Clock) -> None:
    """The reply has come to its end, or not. `gate` is what was entered: the target may have another one by now."""
    record, now, standing = exchange.record, clock(), turn.target.standing
    broken = reply.broken or (record.error or "cut" if record.ending == "cut" and record.origin == "provider" else "")
    if broken:
        standing.failed(now, broken)
    whole = record.ending == "complete" and not broken and not exchange.abandoned
    standing.ended(now, now - counted.started if whole else None)
    usage = reply.own if reply.parted else reply.counted or reply.account.usage
    if standing.tokens is not None and usage is not None:
        if standing.tokens is counted.where:
            standing.tokens.amend(counted.started, now, -counted.tokens)
        standing.tokens.add(now, usage.prompt + usage.completion)
    if gate is not None:
        gate.leave()
