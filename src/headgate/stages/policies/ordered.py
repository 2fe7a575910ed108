"""Try the targets in the order they stand in the configuration."""

from __future__ import annotations

from collections.abc import Sequence

from headgate.core.exchange import Exchange
from headgate.core.target import Target


class Ordered:
    def rank(self, exchange: Exchange, targets: Sequence[Target]) -> Sequence[Target]:
        return targets
