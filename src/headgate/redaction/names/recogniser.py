"""Finds names, addresses and other personal data that only words tell, in any text."""

from __future__ import annotations

from collections.abc import Collection

from headgate.redaction.names import context
from headgate.redaction.names.found import KINDS, Found, apart

THRESHOLD = 0.6
"""From which score on something is found: nine of ten names in prompts are names then."""


class Recogniser:
    def __init__(self, kinds: Collection[str] = KINDS, threshold: float = THRESHOLD) -> None:
        """`kinds`: only these of `found.KINDS`. A lower threshold finds more, and more that is none."""
        self.kinds = frozenset(kinds)
        self.threshold = threshold

    def find(self, text: str) -> list[Found]:
        """What is in a text, in order, none upon another."""
        return apart(each for each in context.find(text, self.kinds) if each.score >= self.threshold)
