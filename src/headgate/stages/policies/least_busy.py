"""Try the target first that has the fewest requests running, for its `weight`."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

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
        load: dict[Target, float] = {}
        for target in targets:
            weight = target.terms.weight
            # luck tells equals apart, and is too little to be seen in a record
            luck = 1.0 + LOT * random.random()  # noqa: S311
            load[target] = (target.standing.running + 1) / weight * luck if weight else math.inf
        exchange.decision.scores, exchange.decision.unit = load, "requests at once, by weight"
        return sorted(targets, key=load.__getitem__)


LOT = 1e-9
"""What luck adds to a load, at most: less than one request more or less can."""
