"""Keep what a provider is asked within the limits by provider: each attempt at a target reserves, and settles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf

from headgate.core.caller import Caller
from headgate.core.errors import LimitExceeded, PriceUnknown, RequestError
from headgate.core.exchange import Exchange
from headgate.core.labels import URGENCY
from headgate.core.limits.ledger import Ledger
from headgate.core.limits.meter import Demand, Hold, Now
from headgate.core.limits.rule import NOBODY, Prepared, Rule, limited
from headgate.core.reply import Reply
from headgate.core.target import Target
from headgate.stages.limit.demands import demands, tenant
from headgate.stages.limit.estimate import ASKED, NOTHING, UNKNOWN, Estimate, of_attempt
from headgate.stages.limit.telling import exceeded, little_left


class Attempts:
    """What `retry` asks before it asks a target (`stages.stage.Allowance`), and a filter that leaves out, before one is
    chosen, the targets of which a limit is known to be used up. The gateway's own questions count, too."""

    def __init__(self, ledger: Ledger, rules: Sequence[Rule]) -> None:
        self.ledger = ledger
        self._nobodys: Sequence[Prepared] = limited(Caller(NOBODY), rules).attempt_limits

    def __call__(self, exchange: Exchange, targets: Sequence[Target]) -> Sequence[Target]:
        """Raises RequestError where the limits leave no target."""
        limits = self._limits(exchange)
        if not limits:
            return targets
        now = self.ledger.clock()
        left: list[Target] = []
        later: list[tuple[Target, RequestError]] = []
        refused: list[tuple[Target, RequestError]] = []
        for target in targets:
            error = self._short(exchange, limits, target, now)
            if error is None:
                left.append(target)
            else:
                (later if isinstance(error, LimitExceeded) and error.queue else refused).append((target, error))
        out = [*refused, *later] if left else refused
        exchange.decision.out += ((target, "limit", _why(error)) for target, error in out)
        if len(left) == len(targets):
            return targets
        if not left and not later:
            raise min((error for _, error in refused), key=_after)
        return left or [target for target, _ in later]

    async def take(self, exchange: Exchange, target: Target, seconds: float, *, patient: bool) -> Taken | None:
        """What an attempt may come to is held; None: nothing limits it. Waits at most so many `seconds`, where it is
        `patient` and a limit says so. Raises LimitExceeded, PriceUnknown."""
        limits = self._limits(exchange)
        if not limits:
            return None
        rules, wanted = demands(exchange, limits, Estimate(exchange, _known, target), target=target)
        if not wanted:
            return None
        ledger = self.ledger
        outcome = await ledger.reserve(
            rules, wanted, URGENCY[exchange.priority], tenant(exchange), seconds, patient=patient
        )
        if isinstance(outcome, Hold):
            for level in outcome.warned:
                little_left(ledger, level)
            return Taken(ledger, exchange, target, outcome, wanted)
        rule = rules[wanted.index(outcome.demand)]
        error = exceeded(rule, outcome)
        error.queue = rule.then == "queue" and not outcome.never
        ledger.denied[rule.meter.name, "queue" if error.queue and patient else "next"] += 1
        exchange.decision.said.append(f"{target.name} was passed over: {_why(error)}")
        raise error

    def _limits(self, exchange: Exchange) -> Sequence[Prepared]:
        caller = exchange.caller
        return caller.attempt_limits if caller is not None else self._nobodys

    def _short(self, exchange: Exchange, limits: Sequence[Prepared], target: Target, now: Now) -> RequestError | None:
        """Why it cannot be asked, as far as is known without asking the other processes."""
        try:
            rules, wanted = demands(exchange, limits, Estimate(exchange, _known, target), target=target)
        except PriceUnknown as unknown:
            return unknown.with_traceback(None)
        denied = self.ledger.counters.short(wanted, now) if wanted else None
        if denied is None:
            return None
        rule = rules[wanted.index(denied.demand)]
        error = exceeded(rule, denied)
        error.queue = rule.then == "queue" and not denied.never
        return error


class Taken:
    """What an attempt holds, until it is known what it came to."""

    __slots__ = ("_demands", "_exchange", "_hold", "_ledger", "_target")

    def __init__(
        self, ledger: Ledger, exchange: Exchange, target: Target, hold: Hold, wanted: Sequence[Demand]
    ) -> None:
        self._ledger = ledger
        self._exchange = exchange
        self._target = target
        self._hold = hold
        self._demands = wanted

    def unasked(self) -> None:
        """Nothing was sent."""
        self._settle(NOTHING)

    def unanswered(self) -> None:
        """It was asked, and did not answer, or refused: a request, and nothing else that is known of."""
        self._settle(ASKED)

    def left(self) -> None:
        """The client went away before there was an answer, or another target had begun to."""
        self._settle(ASKED if self._exchange.abandoned else UNKNOWN)

    def over(self, reply: Reply) -> None:
        """The reply has come to its end, or not."""
        self._settle(of_attempt(self._exchange, self._target, reply))

    def _settle(self, used: Mapping[str, int]) -> None:
        self._ledger.settle(self._hold, self._demands, used, self._exchange.record.counted)


def _known(model: str) -> Sequence[Target]:
    """Who is asked is known: none besides."""
    return ()


def _why(error: RequestError) -> str:
    return f"the limit {error.limit!r} has no room" if isinstance(error, LimitExceeded) else error.message


def _after(error: RequestError) -> float:
    return inf if error.retry_after is None else error.retry_after
