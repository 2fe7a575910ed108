"""Share requests among the targets by their `weight`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from math import inf
from random import random

from headgate.core.exchange import Exchange
from headgate.core.target import Target
from headgate.stages.policies.policy import Weighing


class Weighted:
    """Smooth, as nginx does it: with weights 5, 1, 1 the first target is not asked five times on end.

    The second is drawn by weight, so that what a target that fails would have got is shared by weight, too; the rest
    follow in their order. Targets of weight 0 come last: they are asked when nobody else is left.
    """

    Settings = Weighing

    def __init__(self, settings: Weighing) -> None:
        self._credit: defaultdict[Target, float] = defaultdict(float)

    def rank(self, exchange: Exchange, targets: Sequence[Target]) -> Sequence[Target]:
        credit, total = self._credit, 0.0
        first, most = targets[0], -inf
        others: list[Target] = []
        last: list[Target] = []
        for target in targets:
            weight = target.terms.weight
            if not weight:
                last.append(target)
                continue
            others.append(target)
            total += weight
            credit[target] = has = credit[target] + weight
            if has > most:
                first, most = target, has
        if not others:
            return targets
        credit[first] -= total
        others.remove(first)
        drawn = random() * (total - first.terms.weight)  # noqa: S311  # luck, not a secret
        for place, target in enumerate(others):
            drawn -= target.terms.weight
            if drawn < 0.0:
                return [first, *others[place:], *others[:place], *last]
        return [first, *others, *last]
