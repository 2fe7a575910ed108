"""Try the target first that has answered fastest of late."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from math import inf
from random import random

import pydantic

from headgate.core.exchange import Exchange
from headgate.core.target import Target
from headgate.stages.policies.policy import PolicySettings

ALL = 1 << 30


class FastestSettings(PolicySettings):
    choices: int = pydantic.Field(
        2, ge=0, description="Targets drawn by lot for each request, of which the fastest is asked; 0: all."
    )
    explore: float = pydantic.Field(
        0.02, ge=0, le=1, description="Share of requests that go to any target, so that one that got faster is found."
    )


class Fastest:
    """What counts is the time to a stream's first piece, and to the end of an answer in one piece, as an average that
    believes bad news at once and good news within seconds. Of two targets the faster is asked; of more, two are drawn
    by lot for each request and the faster of these is asked, so that not all requests run to the same one. A target
    of which nothing is known is tried, by one request at a time."""

    Settings = FastestSettings

    def __init__(self, settings: FastestSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._choices = settings.choices or ALL
        self._explore = settings.explore
        self._clock = clock

    def rank(self, exchange: Exchange, targets: Sequence[Target]) -> Sequence[Target]:
        now, stream, count = self._clock(), exchange.stream, len(targets)
        ranked, choices = list(targets), min(self._choices, count)
        for place in range(choices):
            # by lot also where all are taken: equals are not to stand in the same order always
            other = place + int(random() * (count - place))  # noqa: S311  # luck, not a secret
            ranked[place], ranked[other] = ranked[other], ranked[place]
        drawn = ranked[:choices]
        seconds = {target: _seconds(target, now, stream) for target in drawn}
        ranked[:choices] = sorted(drawn, key=seconds.__getitem__)
        decision = exchange.decision
        decision.scores = {target: known for target, known in seconds.items() if 0.0 < known < inf}
        decision.unit = "seconds"
        if self._explore and count > 1 and random() < self._explore:  # noqa: S311
            ranked.insert(0, ranked.pop(int(random() * count)))  # noqa: S311
            decision.said.append("one of the few that go to any target, to see how fast it is")
        return ranked


def _seconds(target: Target, now: float, stream: bool) -> float:
    """How long it takes; 0.0 where it is to be found out."""
    standing = target.standing
    known = (standing.first if stream else standing.total).read(now)
    # while one request finds it out, or after a failure, others keep to what is known
    return known or (inf if standing.running or standing.window.counts(now)[1] else 0.0)
