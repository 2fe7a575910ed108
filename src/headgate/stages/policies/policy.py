"""The contract of a policy: in which order an alias's targets are tried."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from headgate.core.exchange import Exchange
from headgate.core.target import Target


class Policy(Protocol):
    """A policy of your own is a class like this, named in the configuration by its dotted path.

    It is called once per request and must be quick; it may keep state of its own.
    """

    def rank(self, exchange: Exchange, targets: Sequence[Target]) -> Sequence[Target]:
        """The targets in the order to try them; leaving one out means not to try it."""
