"""Share requests among the targets by their `weight`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from math import inf, log
from random import random

from headgate.core.exchange import Exchange
from headgate.core.target import Target
from headgate.stages.policies.policy import Weighing


class Weighted:
    """Smooth, as nginx does it: with weights 5, 1, 1 the first target is not asked five times on end.

    The others are drawn by weight, so that what a target that fails would have got is shared by weight, too. Targets
    of weight 0 come last: they are asked when nobody else is left.
    """

    Settings = Weighing

    def __init__(self, settings: Weighing) -> None:
        self._credit: defaultdict[Target, float] = defaultdict(float)

    def rank(self, exchange: Exchange, targets: Sequence[Target]) -> Sequence[Target]:
        credit, total = self._credit, 0.0
        first, most = targets[0], -inf
        turns: dict[Target, float] = {}
        for target in targets:
            weight = target.terms.weight
            if not weight:
                turns[target] = inf
                continue
            # whose turn comes next is each with a probability by its weight (Efraimidis and Spirakis, Weighted random
            # sampling, 2006)
            turns[target] = -log(1.0 - random()) / weight  # noqa: S311  # luck, not a secret
            total += weight
            credit[target] = has = credit[target] + weight
            if has > most:
                first, most = target, has
        credit[first] -= total
        turns[first] = -1.0
        return sorted(targets, key=turns.__getitem__)
