"""Whom to ask next for a request: the order of attempts, apart from the asking. Its methods are told the time."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Literal, NamedTuple

from headgate.core.cause import Cause, cause
from headgate.core.credential import Arm
from headgate.core.errors import (
    GatewayError,
    LimitExceeded,
    NoCredentials,
    NoTarget,
    Overloaded,
    PriceUnknown,
    ProviderCut,
    ProviderNonsense,
    ProviderRefused,
    ProviderTimeout,
    ProviderUnreachable,
    Unsupported,
)
from headgate.core.exchange import Exchange
from headgate.core.target import Target

Way = Literal["again", "next", "stop"]
"""After a failure: this target may be asked again, only others may, or the client is told."""

KINDS: Mapping[type[GatewayError], str] = {
    ProviderTimeout: "timeout",
    ProviderUnreachable: "unreachable",
    ProviderCut: "cut",
    ProviderNonsense: "bad_reply",
    NoCredentials: "credentials",
}
"""What failures that are no answer of the provider's are called in the configuration."""
WAYS: Mapping[str, Way] = {
    "timeout": "next",  # it may be at work on the first question
    "unreachable": "again",
    "cut": "again",
    "bad_reply": "next",  # it says the same thing always
    "credentials": "again",
    "401": "next",
    "402": "next",
    "403": "next",
    "404": "next",  # it does not have the model; others may
    "408": "again",
    "409": "again",
    "429": "again",
    "4xx": "stop",
    "5xx": "again",
}
"""What the configuration's `retry.ways` starts from."""


@dataclass(slots=True, frozen=True)
class Retries:
    """`attempts` over all targets; waits in seconds; `budget`: repetitions as a share of a target's requests."""

    attempts: int = 3
    backoff: float = 0.2
    max_backoff: float = 5.0
    budget: float = 0.2
    least: int = 10
    """Repetitions that a target may have in ten seconds whatever its share."""
    ways: Mapping[str, Way] = field(default_factory=lambda: WAYS)

    def way(self, error: GatewayError) -> Way:
        if isinstance(error, Unsupported | Overloaded | LimitExceeded | PriceUnknown):
            return "next"  # nobody was asked
        if isinstance(error, ProviderRefused):
            status = str(error.status)
            return self.ways.get(status) or self.ways["5xx" if error.status >= 500 else "4xx"]
        return self.ways[KINDS[type(error)]] if type(error) in KINDS else "stop"


class Turn(NamedTuple):
    """One attempt: whom, with which key, after how many seconds, within how many (`limit`) and in any case until when,
    and as which kind of attempt."""

    target: Target
    arm: Arm | None
    wait: float
    limit: float
    until: float
    again: bool
    probe: int
    """Its number; 0: it is none."""
    patient: bool = False
    """It waits for room of limits, as nobody else is left."""


class Plan:
    """The attempts of one request: each target in its turn, with another key where the first was at fault, and, where
    all have failed, those again that may be, after waits that grow."""

    __slots__ = (
        "_again", "_arms", "_asked", "_broken", "_deadline", "_exchange", "_full", "_left", "_line", "_manner",
        "_patience", "_retries", "_special",
    )  # fmt: skip

    def __init__(self, exchange: Exchange, retries: Retries, now: float) -> None:
        self._exchange = exchange
        self._line = deque(exchange.targets)
        self._manner = manner = exchange.manner
        self._retries = retries
        self._deadline = exchange.begin_by(now)
        self._patience = manner.first_token if exchange.stream else manner.whole_answer
        self._left = retries.attempts
        self._asked: dict[Target, int] = {}
        """How often each was."""
        self._arms: dict[Target, list[Arm]] = {}
        """With which keys each was asked."""
        self._broken: list[Target] = []
        """Those that were not asked because their circuit is open."""
        self._full: list[Target] = []
        """Those that a limit has no room for, and that may be waited for."""
        self._again: dict[Target, float] = {}
        """Those that may be asked again, and in how many seconds at the earliest they want to be."""
        self._special: set[Cause] = set()
        """The causes whose chain has been taken."""

    def begun(self, turn: Turn) -> None:
        """The first target was asked already, as `Turn` says."""
        self._line.popleft()
        self._asked[turn.target] = 1
        self._left -= 1

    def next(self, now: float) -> Turn | None:
        """None: nobody is left, or no time."""
        if now >= self._deadline:
            return None
        while self._line:
            target = self._line.popleft()
            breaker = target.standing.breaker
            if breaker.until and breaker.firm and not breaker.allows(now):
                self._broken.append(target)
                continue
            if _crowded(target):
                other = next((other for other in self._line if not _crowded(other)), None)
                if other is not None:
                    self._line.remove(other)
                    self._line.appendleft(target)
                    target = other
            return self._turn(target, now, 0.0)
        if self._full:
            target, self._full = self._full[0], []
            return self._turn(target, now, 0.0)._replace(patient=True)
        return self._repetition(now)

    def _repetition(self, now: float) -> Turn | None:
        if self._left <= 0:
            return None
        for target in sorted(self._again, key=self._asked.__getitem__):  # those asked least often first, else in order
            wait = self._wait(self._asked[target], self._again[target])
            standing = target.standing
            breaker = standing.breaker
            if wait is None or now + wait >= self._deadline or (breaker.until and breaker.firm):
                continue
            if standing.may_repeat(now, self._retries.budget, self._retries.least):
                del self._again[target]
                return self._turn(target, now, wait)
        return None

    def _turn(self, target: Target, now: float, wait: float) -> Turn:
        again = target in self._asked
        self._asked[target] = self._asked.get(target, 0) + 1
        self._left -= 1
        limit, until = self._patience, self._deadline
        if until != inf:
            limit = min(limit, (until - now - wait) / (1 + len(self._line)))
        return Turn(target, self._arm(target, now), wait, limit, until, again, target.standing.breaker.claim(now))

    def _arm(self, target: Target, now: float) -> Arm | None:
        arms = target.provider.arms
        if len(arms) <= 1:
            return arms[0] if arms else None
        used = self._arms.setdefault(target, [])
        ready = [arm for arm in arms if arm.credential.ready(target.model, now, self._exchange.tokens)]
        fresh = [arm for arm in ready if arm not in used]
        choice = fresh or ready or _least_bad(arms)
        choice = [arm for arm in choice if arm.weight] or choice  # one without weight is used where it is the last
        weights = [arm.weight or 1.0 for arm in choice]
        [arm] = random.choices(choice, weights)  # noqa: S311  # a share, not a secret
        used.append(arm)
        return arm

    def failed(self, turn: Turn, error: GatewayError, now: float) -> Way:
        """What is to become of the request after this error of a turn."""
        target, why = turn.target, cause(error)
        way = self._retries.way(error)
        if isinstance(error, LimitExceeded | PriceUnknown):
            self._unasked(turn, error)
        if why in ("quota", "key", "denied"):
            way = "next" if way == "again" or error.status == 400 else way
        if way != "stop" and why in ("rate_limit", "quota", "key", "denied") and self._other_key(target, now):
            self._line.appendleft(target)
            self._asked.pop(target, None)  # another key is another turn
            return "next"
        if why is not None and self._instead(why) and way == "stop":
            way = "next"
        if way == "again":
            self._again[target] = error.retry_after or 0.0
        return way

    def _unasked(self, turn: Turn, error: GatewayError) -> None:
        """Limits did not let it be asked: it was no attempt."""
        target = turn.target
        self._left += 1
        self._asked[target] -= 1
        if not self._asked[target]:
            del self._asked[target]
        if isinstance(error, LimitExceeded) and error.queue and not turn.patient:
            self._full.append(target)

    def nobody(self, now: float) -> GatewayError:
        """The error where nobody was asked."""
        if not self._broken:
            return ProviderTimeout(f"no target had begun to answer within {self._manner.deadline:g} s")
        return none_left({target: target.standing.breaker.why for target in self._broken}, now)

    def refused(self) -> bool:
        """An answer says that the model would not give one: whether others are asked instead."""
        return self._instead("refusal")

    def _instead(self, why: Cause) -> bool:
        """Put those first who are asked where a target failed for this cause; False where there are none."""
        if why not in self._manner.instead or why in self._special:
            return False
        self._special.add(why)
        chain = [other for other in self._manner.instead[why] if other not in self._asked]
        self._line.extendleft(reversed(chain))
        if chain:
            told = ", ".join(target.name for target in chain)
            self._exchange.decision.said.append(f"{told} is asked because of the {why.replace('_', ' ')}")
        return bool(chain)

    def _other_key(self, target: Target, now: float) -> bool:
        used = self._arms.get(target)  # None: it has but one
        ready = (arm for arm in target.provider.arms if arm.credential.ready(target.model, now, self._exchange.tokens))
        return used is not None and any(arm not in used for arm in ready)

    def _wait(self, turn: int, asked: float) -> float | None:
        """Seconds before a target's next turn; None: do not try it again."""
        if asked > self._retries.max_backoff:
            return None
        ceiling = min(self._retries.backoff * 2.0 ** (turn - 1), self._retries.max_backoff)
        return max(asked, random.uniform(0, ceiling))  # noqa: S311  # jitter, not a secret


def _least_bad(arms: Sequence[Arm]) -> Sequence[Arm]:
    """Of keys none of which may be used, those of which the least is known to be wrong."""
    for out in (None, "exhausted", "invalid"):
        found = [arm for arm in arms if arm.credential.out == out]
        if found:
            return found
    return arms


def none_left(broken: Mapping[Target, str], now: float) -> NoTarget:
    """The error where the circuits of all targets are open; `broken` says why of each."""
    soonest = min(max(target.standing.breaker.until - now, 1.0) for target in broken)
    told = "; ".join(f"{target.name}: {why}" for target, why in list(broken.items())[:10])
    return NoTarget(f"no target can be asked at the moment ({told})", retry_after=soonest)


def _crowded(target: Target) -> bool:
    gate = target.standing.gate
    return gate is not None and gate.full
