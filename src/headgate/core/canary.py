"""A new target on trial, and which requests of a name it gets."""

from __future__ import annotations

import random

from headgate.core.exchange import Exchange
from headgate.core.target import Target
from headgate.core.together import Together, share
from headgate.core.trial import Trial


class Canary:
    """The target that is on trial, and which requests it gets: the same users' as long as its share does not shrink."""

    def __init__(self, target: Target, trial: Trial, together: Together) -> None:
        self.target = target
        self.trial = trial
        self._together = together

    def draws(self, exchange: Exchange) -> bool:
        """Whether it is the first to be asked."""
        trial, said = self.trial, exchange.decision.said
        if trial.state == "back":
            said.append(trial.told)
            return False
        by, name = self._together.of(exchange)
        place = share(f"canary\n{trial.name}\n{by}\n{name}") if by else random.random()  # noqa: S311  # no secret
        if place * 100 >= trial.percent:
            return False
        said.append(trial.told)
        return True

    def hear(self, exchange: Exchange, now: float, *, drawn: bool) -> str:
        """The request is over; gives what follows from it, in a sentence."""
        if drawn and any(target is self.target and by == "health" for target, by, _ in exchange.decision.out):
            return self.trial.hear(now, None, own=True)
        first = exchange.attempts[0] if exchange.attempts else None
        if first is None or (drawn and first.target != self.target.name):
            return ""
        record = exchange.record
        if first.error is None and first.status is None:
            return ""  # the client went away before there was an answer
        cut = record.ending == "cut" and record.origin == "provider" and len(exchange.attempts) == 1
        cut = cut or record.resumed > 0  # another went on for it
        return self.trial.hear(now, None if first.error is not None or cut else first.seconds, own=drawn)
