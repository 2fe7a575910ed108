"""Try the target first that has the fewest requests running, for its `weight`."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from random import random

from headgate.core.exchange import Exchange
from headgate.core.target import Target
from headgate.stages.policies.policy import Weighing


class LeastBusy:
    """A target of weight 2 is given twice as many at the same time. Equals are drawn by lot; those of weight 0 come
    last. What counts is all that this process asks of a target, under whichever alias."""

    Settings = Weighing

    def __init__(self, settings: Weighing) -> None:
        pass

    def rank(self, exchange: Exchange, targets: Sequence[Target]) -> Sequence[Target]:
        load = {
            target: (target.standing.running + 1) / target.terms.weight if target.terms.weight else inf
            for target in targets
        }
        exchange.decision.scores, exchange.decision.unit = load, "requests at once, by weight"
        ranked = sorted(load, key=load.__getitem__)
        least, equals = load[ranked[0]], 1
        while equals < len(ranked) and load[ranked[equals]] == least:
            equals += 1
        if equals > 1:
            # the others stand behind the one that is drawn in their order: who fails, runs less, and is not drawn again
            drawn = int(random() * equals)  # noqa: S311  # luck, not a secret
            ranked[:equals] = ranked[drawn:equals] + ranked[:drawn]
        return ranked
