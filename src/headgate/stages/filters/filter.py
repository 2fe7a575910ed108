"""The contract of a filter: which targets of a request may be asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from headgate.core.exchange import Exchange
from headgate.core.target import Target


class Filter(Protocol):
    """It is called once per request, before the policy, and must be quick.

    What it leaves out it says to `exchange.decision.out`, with its own name and a reason.
    """

    def __call__(self, exchange: Exchange, targets: Sequence[Target]) -> Sequence[Target]:
        """The targets that may be asked, in their order. Raises a GatewayError where none is left that can be."""
