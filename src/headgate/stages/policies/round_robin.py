"""Try each target as often as the others, one after the other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from headgate.core.exchange import Exchange
from headgate.core.target import Target


class RoundRobin:
    """First comes the target that has not been first for the longest time, so that turns stay even where a request
    leaves some targets out. The others change places every round: what one that fails would have got is shared."""

    def __init__(self) -> None:
        self._turn = 0
        self._last: defaultdict[Target, int] = defaultdict(int)

    def rank(self, exchange: Exchange, targets: Sequence[Target]) -> Sequence[Target]:
        others = len(targets) - 1
        if not others:
            return targets
        ranked = sorted(targets, key=self._last.__getitem__)
        self._turn += 1
        self._last[ranked[0]] = self._turn
        cut = 1 + self._turn // len(targets) % others
        return [ranked[0], *ranked[cut:], *ranked[1:cut]]
