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
        lots: dict[Target, float] = {}
        for target in targets:
            weight = target.terms.weight
            load[target] = each = (target.standing.running + 1) / weight if weight else math.inf
            lots[target] = each * (1.0 + random.random() * LOT)  # noqa: S311  # luck, not a secret
        exchange.decision.scores, exchange.decision.unit = load, "requests at once, by weight"
        return sorted(targets, key=lots.__getitem__)


LOT = 1e-9
"""What luck adds to a load, at most: less than one request more or less can."""
