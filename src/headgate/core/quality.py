"""How good a name's targets answer, as a judge has found of late, and who is asked after the others because of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headgate.core.exchange import Exchange
    from headgate.core.target import Target

REMEMBERED = 20
"""Judgments that an average goes by."""
FORGOTTEN = 600.0
"""Seconds without a judgment after which a target is given another chance."""


class Scores:
    """Of one name's targets, from 0 to 1; kept while the process runs, also when the configuration changes."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[float, int, float]] = {}
        """By target: average, judgments, when the last one was."""

    def hear(self, target: str, score: float, now: float) -> None:
        mean, count = self.of(target, now)
        count += 1
        mean += (score - mean) / min(count, REMEMBERED)
        self._known[target] = mean, count, now

    def of(self, target: str, now: float) -> tuple[float, int]:
        """The average, and of how many judgments; (0.0, 0) where nothing is known, or no longer."""
        mean, count, at = self._known.get(target, (0.0, 0, now))
        return (mean, count) if now - at < FORGOTTEN else (0.0, 0)

    def all(self, now: float) -> dict[str, float]:
        """The averages that are known, by target."""
        found = {target: self.of(target, now) for target in list(self._known)}
        return {target: mean for target, (mean, count) in found.items() if count}


class Judged:
    """A name whose answers are judged: targets below `least` in `enough` judgments or more are asked last."""

    def __init__(self, scores: Scores, least: float, enough: int, clock: Callable[[], float]) -> None:
        self.scores = scores
        self.least = least
        self.enough = enough
        self.clock = clock

    def sort(self, exchange: Exchange, targets: Sequence[Target]) -> Sequence[Target]:
        """In their order, but for those that answer badly."""
        now, poor = self.clock(), []
        for target in targets:
            mean, count = self.scores.of(target.name, now)
            if count >= self.enough and mean < self.least:
                poor.append(target)
                told = f"{target.name} is asked after the others: its answers were judged {mean:.2f}, of 1"
                exchange.decision.said.append(told)
        return [target for target in targets if target not in poor] + poor if poor else targets
