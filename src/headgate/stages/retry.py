"""Try the targets until one has begun to answer; after the first frame nothing is tried again."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass

from headgate.core.errors import (
    GatewayError,
    ProviderError,
    ProviderNonsense,
    ProviderRefused,
    ProviderTimeout,
    Unsupported,
)
from headgate.core.exchange import Exchange
from headgate.core.record import Attempt
from headgate.core.reply import Reply
from headgate.core.target import Target
from headgate.stages.stage import Proceed

NEVER = float("inf")
KEYS = (401, 402, 403)
"""What a provider answers that does not take its key, or has not been paid."""
ONCE = (ProviderTimeout, ProviderNonsense)
"""What a target is not asked again after: it may be at work on the first question, or says the same thing always."""


@dataclass(slots=True, frozen=True)
class Retries:
    """`attempts` over all targets; waits in seconds."""

    attempts: int = 3
    backoff: float = 0.2
    max_backoff: float = 5.0


class Retry:
    """The next target at once; the same one again after a wait with full jitter, or as long as it asks for.

    A target that asks (`retry-after`) for more than `max_backoff` is not waited for: its error goes to the client,
    whose own SDK knows how to wait. What `ONCE` names is not tried again on the same target.
    """

    def __init__(self, retries: Retries) -> None:
        self.retries = retries

    async def __call__(self, exchange: Exchange, proceed: Proceed) -> Reply:
        targets = exchange.targets
        count = max(self.retries.attempts, len(targets))
        again: dict[Target, float] = {}
        failure: GatewayError | None = None
        failed: Target | None = None
        for number in range(count):
            target = targets[number % len(targets)]
            if number >= len(targets):
                wait = self._wait(number // len(targets), again.get(target))
                if wait is None:
                    continue
                await asyncio.sleep(wait)
            exchange.target = target
            attempt = Attempt(target.name)
            exchange.attempts.append(attempt)
            started = time.monotonic()
            target.standing.begun()
            reply = None
            try:
                reply = await proceed(exchange)
            except Unsupported as error:
                # Nobody was asked. Another target may be able to say it; that this one cannot is told if none answers.
                exchange.attempts.remove(attempt)
                failure = failure or error.with_traceback(None)
                again[target] = NEVER
            except GatewayError as error:
                attempt.status = error.status if isinstance(error, ProviderRefused) else None
                attempt.error = error.code
                attempt.message = error.message[:500]
                if isinstance(error, ProviderError) and (error.retryable or error.status in KEYS):
                    waited = time.monotonic() - started if isinstance(error, ProviderTimeout) else None
                    target.standing.failed(time.monotonic(), waited)
                if not (isinstance(error, ProviderError) and error.retryable) or exchange.spent:
                    raise
                # Its traceback holds this frame, and with it both bodies: a cycle that only the collector would end
                failure, failed = error.with_traceback(None), target
                again[target] = NEVER if isinstance(error, ONCE) else error.retry_after or 0.0
            else:
                attempt.status = reply.status
                target.standing.answered(time.monotonic(), time.monotonic() - started, reply.stream)
                exchange.ending.callback(_over, exchange, target, started)
                return reply
            finally:
                attempt.seconds = round(time.monotonic() - started, 6)
                if reply is None:
                    target.standing.ended(time.monotonic(), None)
        assert failure is not None
        exchange.target = failed or exchange.target
        try:
            raise failure
        finally:
            del failure

    def _wait(self, turn: int, asked: float | None) -> float | None:
        """Seconds before a target's next turn; None: do not try it again."""
        if asked is None or asked > self.retries.max_backoff:
            return None
        ceiling = min(self.retries.backoff * 2.0 ** (turn - 1), self.retries.max_backoff)
        return max(asked, random.uniform(0, ceiling))  # noqa: S311  # jitter, not a secret


def _over(exchange: Exchange, target: Target, started: float) -> None:
    """The reply has come to its end, or not."""
    record, now = exchange.record, time.monotonic()
    if record.ending == "cut" and record.origin == "provider":
        target.standing.failed(now)
    target.standing.ended(now, now - started if record.ending == "complete" else None)
